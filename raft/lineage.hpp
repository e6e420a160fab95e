// Which life of a data directory somebody speaks from (F52). A directory draws a mark, a number and
// a nonce, at every start and now and then while it runs, keeps the latest of them, and says them
// in every hello. Whoever remembers one mark of it sees later whether a directory goes on from
// there, or is a copy that was made before and put back. Plain values; no clock, no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.hpp"

namespace kiwi::raft {

struct Mark {
  uint64_t number = 0;  // 1, 2, 3, ... without a gap
  uint64_t nonce = 0;   // at random: two copies of one directory draw different ones
  bool operator==(const Mark&) const = default;
};

inline constexpr size_t kMarksMax = 64;  // kept of one directory

// Adds the next one and drops what is too many.
void add_mark(std::vector<Mark>& marks, uint64_t nonce);

// Does a directory with these marks have everything that one had which drew `known`? Also true if
// it cannot be told any more, because all of its marks are later. `known` with number 0: nothing is
// known.
bool goes_on_from(const std::vector<Mark>& marks, const Mark& known);

// ON THE WIRE and on disk: number of the first u64 | their nonces, u64 each; nothing for none.
std::string encode_marks(const std::vector<Mark>& marks);
Result<std::vector<Mark>> decode_marks(std::string_view bytes);

}  // namespace kiwi::raft
