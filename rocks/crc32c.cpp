#include "rocks/crc32c.hpp"

#include <algorithm>
#include <cstddef>
#include <isa-l/crc.h>
#include <limits>

namespace kiwi::rocks {

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  constexpr size_t kPiece = 1 << 30;  // isa-l counts in int
  static_assert(kPiece <= std::numeric_limits<int>::max());
  crc = ~crc;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPiece);
    // Reads only; its parameter is not const.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(piece.data()));
    crc = crc32_iscsi(data, static_cast<int>(piece.size()), crc);
    bytes.remove_prefix(piece.size());
  }
  return ~crc;
}

}  // namespace kiwi::rocks

// Debian builds RocksDB for processors without SSE 4.2 and gets the table-driven CRC, which is many
// times slower than isa-l's, on every node for every byte of the log. Its library calls this
// function through its symbol table, where the program's own definition comes first. A library that
// does not would go on as before: the sums are the same.
namespace rocksdb::crc32c {

uint32_t Extend(uint32_t crc, const char* data, size_t size);
uint32_t Extend(uint32_t crc, const char* data, size_t size) {
  return kiwi::rocks::crc32c({data, size}, crc);
}

}  // namespace rocksdb::crc32c
