// LZF, as RDB strings above 20 bytes may be compressed (M. Lehmann's liblzf, format of Redis'
// lzf_d.c). Only unpacking: payloads are written uncompressed. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::resp::dump {

// Whether so few bytes may stand for so many.
bool lzf_may_have(size_t packed, size_t size);

// The bytes that `packed` stands for, exactly `size` of them; nothing if it is not LZF of that
// size. The caller bounds `size`: a few bytes may claim gigabytes, but none is allocated beyond 256
// times what `packed` has.
std::optional<std::string> lzf_unpack(std::string_view packed, size_t size);

}  // namespace kiwi::resp::dump
