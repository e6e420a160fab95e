// CRC-64 as RDB files and DUMP payloads end with: polynomial of W. Jones, reflected, no final xor
// (the parameters of Redis' crc64.c). Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi::resp::dump {

// Continue with the result of an earlier part as `crc`; 0 begins.
uint64_t crc64(uint64_t crc, std::string_view bytes);

}  // namespace kiwi::resp::dump
