// Buffers that are reused keep their capacity, so that the usual command allocates nothing. One
// that once held something big would keep that for ever: it is given back, contents included.
#pragma once

#include <cstddef>

namespace kiwi {

inline constexpr size_t kReusedBytesMax = 1 << 20;

template <class Container>
void give_back_if_big(Container& buffer) {
  if (buffer.capacity() * sizeof(typename Container::value_type) > kReusedBytesMax) {
    Container().swap(buffer);
  }
}

}  // namespace kiwi
