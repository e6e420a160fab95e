#include "rocks/wal_format.hpp"

#include <cstring>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/crc32c.hpp"

namespace kiwi::rocks {

namespace {

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

}  // namespace

size_t without_wal_room(std::string_view bytes) {
  size_t size = bytes.size();
  while (size != 0 && (bytes[size - 1] == '\0' || bytes[size - 1] == kWalRoom)) {
    --size;
  }
  return size;
}

std::string wal_header(WalRecordType type, std::string_view payload) {
  static_assert(kWalHeader == sizeof(uint32_t) + sizeof(uint16_t) + 1);
  static_assert(kWalBlock % kWalSector == 0 && kWalBlock - kWalHeader <= UINT16_MAX);
  CHECK_INVARIANT(payload.size() <= UINT16_MAX);
  const char kind = static_cast<char>(type);
  std::string header;
  put_le(header, masked(crc32c(payload, crc32c({&kind, 1}))));
  put_le(header, static_cast<uint16_t>(payload.size()));
  put_u8(header, type);
  CHECK_INVARIANT(header.size() == kWalHeader);
  return header;
}

uint8_t wal_type(std::string_view bytes) { return static_cast<uint8_t>(bytes[6]); }

uint64_t wal_length(std::string_view bytes) {
  uint16_t length = 0;
  std::memcpy(&length, bytes.data() + 4, sizeof(length));
  return length;
}

uint8_t intact_wal_record(std::string_view bytes) {
  if (bytes.size() < kWalHeader) {
    return 0;
  }
  const uint8_t type = wal_type(bytes);
  if (type < kWalFull || type > kWalLast || kWalHeader + wal_length(bytes) > bytes.size()) {
    return 0;
  }
  uint32_t crc = 0;
  std::memcpy(&crc, bytes.data(), sizeof(crc));
  const bool matches = crc == masked(crc32c(bytes.substr(kWalHeader - 1, wal_length(bytes) + 1)));
  return matches ? type : 0;
}

}  // namespace kiwi::rocks
