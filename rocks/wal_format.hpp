// The format of RocksDB's log files (its wiki page "Write Ahead Log File Format"; LevelDB's
// doc/log_format.md): blocks of 32 KiB; in a block, physical records of [masked crc32c: 4][length:
// 2][type: 1][payload], little-endian, crc over type and payload; fewer than 7 bytes at a block's
// end are zeros. A record is one FULL, or FIRST, MIDDLE..., LAST, each as long as its block allows.
// Files are neither recycled nor compressed. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::rocks {

inline constexpr uint64_t kWalBlock = 32 << 10;
inline constexpr uint64_t kWalHeader = 7;
inline constexpr uint64_t kWalSector = 512;  // what a disk writes or loses as one piece, at least

// What lies ahead of the records in a file (wal_file.hpp), until they are written there. Neither a
// note's last byte, nor zero: a disk that lost what it had been given shows zeros.
inline constexpr char kWalRoom = '\xdb';

// How long `bytes` are without room and zeros at their end.
size_t without_wal_room(std::string_view bytes);

enum WalRecordType : uint8_t { kWalFull = 1, kWalFirst = 2, kWalMiddle = 3, kWalLast = 4 };

std::string wal_header(WalRecordType type, std::string_view payload);

// What a header says, right or wrong; `bytes` begins with one.
uint8_t wal_type(std::string_view bytes);
uint64_t wal_length(std::string_view bytes);

// The type of the intact physical record that `bytes` begins with, or 0. `bytes` ends with its
// block or before.
uint8_t intact_wal_record(std::string_view bytes);

// A file's bytes, one block at a time: a log may be as large as the memory we want to leave to
// others.
class WalSource {
 public:
  WalSource() = default;
  virtual ~WalSource() = default;
  WalSource(const WalSource&) = delete;
  WalSource& operator=(const WalSource&) = delete;

  virtual uint64_t size() const = 0;
  // Valid until the next call. Shorter than kWalBlock at the end of the file only.
  virtual std::string_view block(uint64_t number) = 0;
};

}  // namespace kiwi::rocks
