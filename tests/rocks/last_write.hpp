// A real log whose last write can be taken back, and what a disk may do to it: losses and rot are
// made in copies of its newest write-ahead log file.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "rocks/rocks_log.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/wal_support.hpp"

namespace kiwi::rocks::test {

inline constexpr size_t kSector = 512;
inline constexpr size_t kPage = 4096;

inline std::unique_ptr<RocksLog> must_open(const std::string& path, bool fsync = true) {
  auto opened = open_rocks_log({.path = path, .fsync = fsync});
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
  return std::move(*opened);
}

inline void zero(std::string& bytes, size_t from, size_t to) {
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(std::min(from, bytes.size())),
            bytes.begin() + static_cast<std::ptrdiff_t>(std::min(to, bytes.size())), '\0');
}

inline std::string random_bytes(Prng& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random.next());
  }
  return bytes;
}

// A log whose last write can be taken back: its newest file as it was before that write, and after.
class LastWrite {
 public:
  LastWrite() : path_(directory_.path("live")), log_(must_open(path_)), mark_(mark_in(path_)) {
    file_ = read_file(path_ + "/" + wal_name());
    after_ = without_room(file_);
  }

  void write(const raft::PersistRequest& request) {
    before_ = std::move(file_);
    begin_ = after_.size();
    REQUIRE(log_->persist(request).has_value());
    file_ = read_file(path_ + "/" + wal_name());
    after_ = without_room(file_);
    acknowledged_ = last_;
    last_ = request.entries.empty() ? last_ : request.entries.back().index.value;
  }
  // One entry, in a write of its own.
  void append_one(const std::string& payload) {
    write(append({make_entry(last_ + 1, 1, payload)}));
  }

  std::string wal_name() const { return newest_wal(path_); }
  const std::string& wal() const { return after_; }
  uint64_t last() const { return last_; }
  uint64_t acknowledged() const { return acknowledged_; }  // before the last write
  size_t begin() const { return begin_; }
  const std::string& after() const { return after_; }

  // What the file held before: its records and the room behind them, or nothing yet.
  void make_old(std::string& bytes, size_t from, size_t to) const {
    for (size_t at = from; at < std::min(to, bytes.size()); ++at) {
      bytes[at] = at < before_.size() ? before_[at] : '\0';
    }
  }
  // The file without the sectors that `lost` names, counted from the one where the last write
  // begins. What was there before stays.
  template <class Lost>
  std::string losing(Lost lost) const {
    std::string bytes = after_;
    const size_t first = begin_ / kSector;
    for (size_t sector = first; sector * kSector < bytes.size(); ++sector) {
      if (lost(sector - first)) {
        make_old(bytes, sector * kSector, (sector + 1) * kSector);
      }
    }
    return bytes;
  }
  std::string with_room(std::string bytes) const {
    constexpr size_t kEnough = 20'000;
    return bytes.size() < before_.size() ? bytes + before_.substr(bytes.size(), kEnough) : bytes;
  }
  // Up to where it was filled and synced before the last write, by its notes.
  size_t filled() const {
    const WalScan::Told told = scan(after_).told[wal_number(wal_name())];
    return told.filled;
  }
  // Until the file is filled far ahead, which a note says.
  void wait_for_room() {
    while (file_.size() < after_.size() + (2 << 20)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      append_one("more");
    }
    append_one("synced");
    append_one("said");
  }

  WalScan scan(const std::string& bytes) const {
    return scan_bytes(bytes, wal_number(wal_name()), mark_);
  }
  Result<std::unique_ptr<RocksLog>> open_with(const std::string& bytes) {
    const std::string path = directory_.path("attempt");
    copy_directory(path_, path);
    write_file(path + "/" + wal_name(), bytes);
    return open_rocks_log({.path = path, .fsync = true});
  }
  // It opens, and holds every entry but at most those of the last write.
  void must_hold(const std::string& bytes) {
    auto log = open_with(bytes);
    REQUIRE_MESSAGE(log.has_value(), (log ? "" : log.error().text));
    const uint64_t last = loaded(**log).last_index.value;
    REQUIRE((last == acknowledged_ || last == last_));
    REQUIRE(all_entries(**log).size() == last);
  }
  void must_refuse(const std::string& bytes) {
    auto log = open_with(bytes);
    REQUIRE(!log.has_value());
    REQUIRE(log.error().code == Errc::kCorrupt);
    REQUIRE_MESSAGE(log.error().text.find(wal_name()) != std::string::npos, log.error().text);
  }

 private:
  TempDirectory directory_;
  std::string path_;
  std::unique_ptr<RocksLog> log_;
  WalMark mark_;
  std::string before_;  // the file before the last write
  std::string file_;    // and now
  size_t begin_ = 0;
  std::string after_;
  uint64_t last_ = 0;
  uint64_t acknowledged_ = 0;
};

// Entries until the next record will begin at `offset`.
inline void fill_to(LastWrite& log, size_t offset) {
  log.append_one("");
  const size_t frame = log.after().size() - log.begin();
  while (log.wal().size() + 3 * frame + 800 < offset) {
    log.append_one(std::string(300, 'e'));
  }
  log.append_one(std::string(100, 'e'));  // lengths from here on take as many bytes to write
  const size_t more = offset - log.wal().size();
  const size_t longer = log.after().size() - log.begin() - 100;
  log.append_one(std::string(more - longer, 'e'));
  REQUIRE(log.wal().size() == offset);
}

}  // namespace kiwi::rocks::test
