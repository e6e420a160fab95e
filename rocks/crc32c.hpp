// CRC-32C (Castagnoli), as RocksDB's write-ahead log uses it; not masked. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi::rocks {

// `crc`: of the bytes before these.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

}  // namespace kiwi::rocks
