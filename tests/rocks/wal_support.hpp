// Write-ahead logs in memory, for the tests of what recovery says about them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "rocks/wal_scan.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

class StringWal final : public WalSource {
 public:
  explicit StringWal(std::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  std::string_view block(uint64_t number) override {
    return bytes_.substr(std::min<size_t>(number * kWalBlock, bytes_.size()), kWalBlock);
  }

 private:
  std::string_view bytes_;
};

inline WalScan scan_bytes(std::string_view bytes, uint64_t file, const WalMark& mark) {
  StringWal source(bytes);
  return scan_wal(source, file, mark);
}

// Of a log's directory.
inline WalMark mark_in(const std::string& directory) {
  return decode_wal_mark(read_file(directory + "/WAL-MARK")).value();
}

// The newest write-ahead log's name in it, and the number in a name.
inline std::string newest_wal(const std::string& directory) {
  return files_with_suffix(directory, ".log").back();
}
inline uint64_t wal_number(const std::string& name) { return std::stoull(name); }

inline std::string room(size_t bytes) { return std::string(bytes, kWalRoom); }
inline std::string without_room(std::string bytes) {
  bytes.resize(without_wal_room(bytes));
  return bytes;
}

}  // namespace kiwi::rocks::test
