#include "resp/types/dump/crc64.hpp"

#include <array>
#include <cstring>

namespace kiwi::resp::dump {

namespace {

constexpr uint64_t kPolynomial = 0x95ac9329ac4bc9b5;  // 0xad93d23594c935a9, its bits reversed
constexpr size_t kSlices = 8;

// Table k: what a byte adds that is followed by k zero bytes.
constexpr std::array<std::array<uint64_t, 256>, kSlices> make_tables() {
  std::array<std::array<uint64_t, 256>, kSlices> tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < kSlices; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr auto kTables = make_tables();

}  // namespace

uint64_t crc64(uint64_t crc, std::string_view bytes) {
  for (; bytes.size() >= kSlices; bytes.remove_prefix(kSlices)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), kSlices);  // little-endian, as config/base asserts
    crc ^= word;
    uint64_t next = 0;
    for (size_t k = 0; k < kSlices; ++k) {
      next ^= kTables[kSlices - 1 - k][(crc >> (8 * k)) & 0xff];
    }
    crc = next;
  }
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  }
  return crc;
}

}  // namespace kiwi::resp::dump
