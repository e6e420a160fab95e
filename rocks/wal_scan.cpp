// The format of RocksDB's log files (its wiki page "Write Ahead Log File Format"; LevelDB's
// doc/log_format.md): blocks of 32 KiB; in a block, records of [masked crc32c: 4][length: 2][type:
// 1] [payload], little-endian, crc over type and payload; fewer than 7 bytes at a block's end are
// zeros. A logical record is one FULL, or FIRST, MIDDLE..., LAST. Files are neither recycled nor
// compressed.
#include "rocks/wal_scan.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "rocks/crc32c.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kBlock = 32 << 10;
constexpr size_t kHeader = 7;
constexpr size_t kPage = 4096;           // what a file system writes or loses as one piece
constexpr size_t kMissingBytesMin = 64;  // fewer zeros than this say nothing about a lost page

enum RecordType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

uint16_t length_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at + 4]) |
                               static_cast<unsigned>(static_cast<uint8_t>(bytes[at + 5])) << 8);
}
uint32_t crc_at(std::string_view bytes, size_t at) {
  uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + at, sizeof(crc));
  return crc;
}
bool crc_matches(std::string_view bytes, size_t at, size_t length) {
  return crc_at(bytes, at) == masked(crc32c(bytes.substr(at + kHeader - 1, length + 1)));
}

// The type of the whole, intact physical record at `at`, or 0.
uint8_t record_at(std::string_view bytes, size_t at) {
  size_t block_left = kBlock - at % kBlock;
  if (block_left < kHeader || bytes.size() - at < kHeader) {
    return 0;
  }
  uint8_t type = static_cast<uint8_t>(bytes[at + 6]);
  if (type < kFull || type > kLast) {
    return 0;
  }
  size_t length = length_at(bytes, at);
  if (kHeader + length > std::min(block_left, bytes.size() - at) ||
      !crc_matches(bytes, at, length)) {
    return 0;
  }
  return type;
}

bool all_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// Does another logical record begin anywhere after the bad one at `bad`? Byte by byte, since a bad
// length hides where the next one is. Intact pieces of the same record do not count.
bool begins_later(std::string_view bytes, size_t bad) {
  for (size_t at = bad + 1; at + kHeader <= bytes.size();) {
    uint8_t type = record_at(bytes, at);
    if (type == kFull || type == kFirst) {
      return true;
    }
    at += type == 0 ? 1 : kHeader + length_at(bytes, at);
  }
  return false;
}

// Can bytes that never reached the disk explain the bad record? They show as a file that ends
// early or as a page of zeros.
bool missing_bytes(std::string_view bytes, size_t bad) {
  size_t left = bytes.size() - bad;
  if (left < kHeader) {
    return true;
  }
  uint8_t type = static_cast<uint8_t>(bytes[bad + 6]);
  if (kHeader + length_at(bytes, bad) > left && type >= kFull && type <= kLast) {
    return !crc_matches(bytes, bad, left - kHeader);  // else only the length is bad: not torn
  }
  for (size_t at = bad; at < bytes.size();) {
    size_t end = std::min(bytes.size(), (at / kPage + 1) * kPage);
    if (end - at >= kMissingBytesMin && all_zero(bytes.substr(at, end - at))) {
      return true;
    }
    at = end;
  }
  return false;
}

}  // namespace

WalScan scan_wal(std::string_view bytes) {
  WalScan scan;
  bytes = bytes.substr(0, bytes.find_last_not_of('\0') + 1);  // npos + 1: nothing but zeros
  bool inside = false;  // of a record in several pieces, which began at scan.offset
  for (size_t at = 0; at < bytes.size();) {
    size_t block_left = kBlock - at % kBlock;
    if (block_left < kHeader) {
      std::string_view filler = bytes.substr(at, block_left);
      if (!all_zero(filler)) {
        scan.verdict = WalVerdict::kDamaged;
        scan.offset = at;
        return scan;
      }
      at += filler.size();
      continue;
    }
    uint8_t type = record_at(bytes, at);
    bool continues = type == kMiddle || type == kLast;
    if (type == 0 || continues != inside) {
      bool torn = type == 0 && !begins_later(bytes, at) && missing_bytes(bytes, at);
      scan.verdict = torn ? WalVerdict::kTorn : WalVerdict::kDamaged;
      scan.offset = torn && inside ? scan.offset : at;
      return scan;
    }
    if (!inside) {
      scan.offset = at;
    }
    inside = type == kFirst || type == kMiddle;
    scan.records += inside ? 0 : 1;
    at += kHeader + length_at(bytes, at);
  }
  if (inside) {
    scan.verdict = WalVerdict::kTorn;
  } else {
    scan.offset = bytes.size();
  }
  return scan;
}

}  // namespace kiwi::rocks
