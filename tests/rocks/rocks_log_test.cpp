#include "rocks/rocks_log.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include "tests/rocks/log_storage_random.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/wal_support.hpp"

namespace kiwi::rocks::test {

namespace {

uint64_t bytes_in(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code gone;  // files go while this walks
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const uint64_t size = entry.file_size(gone);
    bytes += gone ? 0 : size;
  }
  return bytes;
}

using Copy = void (*)(const std::string& from, const std::string& to);

template <Copy kCopy>
class RocksLogFixtureWith {
 public:
  RocksLogFixtureWith() { open(); }
  RocksLog& log() { return *log_; }
  // The files as they are at this moment, or what of them was synced, opened by the next life.
  void crash() {
    std::string next = directory_.path("log" + std::to_string(++lives_));
    kCopy(path_, next);
    log_.reset();
    std::filesystem::remove_all(path_);
    path_ = next;
    open();
  }
  void close_and_open() {
    log_.reset();
    open();
  }
  bool corrupt_entry(LogIndex) { return false; }  // by its own test: RocksDB notices first

 private:
  void open() {
    auto opened = open_rocks_log({.path = path_, .fsync = true});
    if (!opened) {
      INFO(opened.error().text);
      REQUIRE(false);
    }
    log_ = std::move(*opened);
  }

  TempDirectory directory_;
  std::string path_ = directory_.path("log");
  int lives_ = 0;
  std::unique_ptr<RocksLog> log_;
};

using RocksLogFixture = RocksLogFixtureWith<copy_directory>;
using PowerLossFixture = RocksLogFixtureWith<copy_directory_after_power_loss>;

std::unique_ptr<RocksLog> must_open(const std::string& path, bool fsync = true) {
  auto opened = open_rocks_log({.path = path, .fsync = fsync});
  if (!opened) {
    INFO(opened.error().text);
    REQUIRE(false);
  }
  return std::move(*opened);
}

// A crashed log directory with `turns` records of growing size in its write-ahead log.
class CrashedLog {
 public:
  explicit CrashedLog(uint64_t turns, size_t step = 23) {
    auto log = must_open(directory_.path("live"));
    for (uint64_t index = 1; index <= turns; ++index) {
      raft::PersistRequest request =
          append({make_entry(index, 1, std::string(index * step, static_cast<char>('a' + index)))});
      if (index % 4 == 0) {
        request.hard_state = raft::HardState{Term{index}, NodeId{2}};
      }
      request.commit = LogIndex{index - 1};
      REQUIRE(log->persist(request).has_value());
      ends_.push_back(wal().size());
    }
    copy_directory(directory_.path("live"), directory_.path("crashed"));
  }

  std::string wal_name() const { return newest_wal(directory_.path("live")); }
  // The records, without the room behind them.
  std::string wal() const {
    return without_room(read_file(directory_.path("live") + "/" + wal_name()));
  }
  WalScan scan(std::string_view bytes) const {
    return scan_bytes(bytes, wal_number(wal_name()), mark_in(directory_.path("live")));
  }
  // File sizes after each turn.
  const std::vector<size_t>& ends() const { return ends_; }

  // Opens the crash image with its write-ahead log changed.
  Result<std::unique_ptr<RocksLog>> open_with(const std::string& wal_bytes) {
    std::string path = directory_.path("attempt");
    copy_directory(directory_.path("crashed"), path);
    write_file(path + "/" + wal_name(), wal_bytes);
    return open_rocks_log({.path = path, .fsync = true});
  }

  // Whether or not there is room behind what is left.
  void must_hold(const std::string& wal_bytes, uint64_t last) {
    must_open_to(wal_bytes, last);
    must_open_to(wal_bytes + room(100'000), last);
  }
  void must_refuse(const std::string& wal_bytes) {
    must_fail(wal_bytes);
    must_fail(wal_bytes + room(100'000));
  }

 private:
  void must_open_to(const std::string& wal_bytes, uint64_t last) {
    auto log = open_with(wal_bytes);
    if (!log) {
      INFO(log.error().text);
      REQUIRE(false);
    }
    REQUIRE(loaded(**log).last_index == LogIndex{last});
    REQUIRE(all_entries(**log).size() == last);
    // And life goes on, past another restart.
    REQUIRE((*log)->persist(append(make_entries(last + 1, last + 2, 99))).has_value());
    log->reset();
    REQUIRE(loaded(*must_open(directory_.path("attempt"))).last_index == LogIndex{last + 2});
  }

  void must_fail(const std::string& wal_bytes) {
    auto log = open_with(wal_bytes);
    REQUIRE(!log.has_value());
    REQUIRE(log.error().code == Errc::kCorrupt);
    INFO(log.error().text);
    REQUIRE(log.error().text.find(wal_name()) != std::string::npos);
  }

  TempDirectory directory_;
  std::vector<size_t> ends_;
};

}  // namespace

TEST_SUITE_BEGIN("rocks");

KIWI_LOG_STORAGE_SUITE("rocks log", RocksLogFixture)
KIWI_LOG_STORAGE_SUITE("rocks log after power loss", PowerLossFixture)

TEST_CASE("rocks log: random turns with crashes") {
  for (uint64_t seed = 1; seed <= rounds(4); ++seed) {
    run_log_random<RocksLogFixture>(seed, 80);
    run_log_random<PowerLossFixture>(seed + 1000, 80);
  }
}

TEST_CASE(
    "rocks log: with log-fsync no a power loss takes entries, never hard states [F16] [F38]") {
  TempDirectory directory;
  auto log = must_open(directory.path("log"), false);
  raft::PersistRequest vote = append(make_entries(1, 3, 1));
  vote.hard_state = raft::HardState{Term{1}, NodeId{2}};
  REQUIRE(log->persist(vote).has_value());
  REQUIRE(log->persist(append(make_entries(4, 9, 1))).has_value());
  copy_directory_after_power_loss(directory.path("log"), directory.path("lost"));
  raft::LoadedLog lost = loaded(*must_open(directory.path("lost"), false));
  CHECK(lost.hard_state == *vote.hard_state);
  CHECK(lost.last_index == LogIndex{3});
  REQUIRE(log->sync().has_value());
  copy_directory_after_power_loss(directory.path("log"), directory.path("kept"));
  CHECK(loaded(*must_open(directory.path("kept"), false)).last_index == LogIndex{9});
}

TEST_CASE("rocks log: a flipped byte in any record is found [F16]") {
  CrashedLog crashed(12);
  std::string wal = crashed.wal();
  REQUIRE(crashed.scan(wal).verdict == WalVerdict::kWhole);
  // Every byte by the scan, which decides before RocksDB opens anything...
  for (size_t at = 0; at < wal.size(); ++at) {
    for (int flip : {0x01, 0x80, 0xff}) {
      std::string bytes = wal;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      INFO("byte ", at, " ^ ", flip);
      REQUIRE(crashed.scan(bytes).verdict == WalVerdict::kDamaged);
      REQUIRE(crashed.scan(bytes + room(64)).verdict == WalVerdict::kDamaged);
    }
  }
  // ...and each region of the first, a middle and the last record by a real start.
  for (size_t turn : {size_t{0}, size_t{6}, size_t{11}}) {
    size_t begin = turn == 0 ? crashed.ends()[0] / 2 : crashed.ends()[turn - 1];
    for (size_t at : {begin, begin + 4, begin + 6, begin + 30, crashed.ends()[turn] - 1}) {
      std::string bytes = wal;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
      INFO("byte ", at);
      crashed.must_refuse(bytes);
    }
  }
}

TEST_CASE(
    "rocks log: a directory that lost a file is never opened as if it were empty [F1] [F16]") {
  TempDirectory directory;
  const std::string path = directory.path("log");
  must_open(path)->persist(append(make_entries(1, 5, 1))).has_value();
  must_open(path)
      ->persist(append(make_entries(6, 9, 1)))
      .has_value();  // also a file of entries now
  for (const char* part : {".log", "CURRENT", "MANIFEST", ".sst", "WAL-MARK"}) {
    copy_directory(path, directory.path("attempt"));
    size_t removed = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory.path("attempt"))) {
      if (file.path().filename().string().find(part) != std::string::npos) {
        removed += std::filesystem::remove(file.path()) ? 1 : 0;
      }
    }
    INFO("without ", part);
    REQUIRE(removed > 0);
    auto opened = open_rocks_log({.path = directory.path("attempt"), .fsync = true});
    REQUIRE(!opened.has_value());
    CHECK(opened.error().text.find(directory.path("attempt")) != std::string::npos);
  }
  CHECK(loaded(*must_open(path)).last_index == LogIndex{9});
}

TEST_CASE("rocks log: a record torn at any byte opens without it [F16]") {
  CrashedLog crashed(12);
  std::string wal = crashed.wal();
  size_t begin = crashed.ends()[10];
  for (size_t size = begin; size < wal.size(); ++size) {
    INFO("size ", size);
    WalScan cut = crashed.scan(std::string_view(wal).substr(0, size));
    REQUIRE(cut.verdict == (size == begin ? WalVerdict::kWhole : WalVerdict::kTorn));
    REQUIRE(cut.offset == begin);
    // The file system had made the room but not filled it.
    std::string zeros = wal.substr(0, size) + room(wal.size() - size);
    WalScan hole = crashed.scan(zeros);
    REQUIRE(hole.verdict == (size == begin ? WalVerdict::kWhole : WalVerdict::kTorn));
    REQUIRE(hole.offset == begin);
  }
  for (size_t size : {begin, begin + 1, begin + 6, begin + 7, begin + 40, wal.size() - 1}) {
    INFO("size ", size);
    crashed.must_hold(wal.substr(0, size), 11);
    crashed.must_hold(wal.substr(0, size) + room(wal.size() - size), 11);
  }
  crashed.must_hold(wal, 12);
}

TEST_CASE("rocks log: the same for records of many blocks and lost pages [F16]") {
  CrashedLog crashed(6, 20000);  // the last one: 120,000 bytes, four blocks
  std::string wal = crashed.wal();
  size_t begin = crashed.ends()[4];
  for (size_t size = begin; size < wal.size(); size += 997) {
    INFO("size ", size);
    REQUIRE(crashed.scan(std::string_view(wal).substr(0, size)).offset == begin);
  }
  crashed.must_hold(wal.substr(0, wal.size() - 50000), 5);
  std::string lost_page = wal;
  size_t page = (begin / 4096 + 4) * 4096;
  std::fill_n(lost_page.begin() + static_cast<std::ptrdiff_t>(page), 4096, kWalRoom);
  crashed.must_hold(lost_page, 5);
  // The same page lost in an earlier record cannot be a torn write.
  std::string rotten = wal;
  std::fill_n(rotten.begin() + static_cast<std::ptrdiff_t>((crashed.ends()[2] / 4096 + 2) * 4096),
              4096, '\0');
  crashed.must_refuse(rotten);
  for (size_t at = 0; at < wal.size(); at += 1009) {
    std::string flipped = wal;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x04);
    INFO("byte ", at);
    REQUIRE(crashed.scan(flipped).verdict == WalVerdict::kDamaged);
  }
}

TEST_CASE("rocks log: a damaged length near the end does not swallow later records [F16]") {
  // RocksDB in its strict mode takes this for a torn tail and forgets the records behind it.
  CrashedLog crashed(8);
  std::string wal = crashed.wal();
  std::string bytes = wal;
  bytes[crashed.ends()[3] + 5] = '\x60';  // the fifth record claims 24 KiB, past the end
  crashed.must_refuse(bytes);
  std::string last = wal;
  last[crashed.ends()[6] + 5] = '\x60';  // the same in the last record, whose bytes are all there
  crashed.must_refuse(last);
}

TEST_CASE("rocks log: the room ahead is bounded, and gone after an orderly end") {
  TempDirectory directory;
  std::string path = directory.path("log");
  auto log = must_open(path);
  for (uint64_t index = 1; index <= 64; ++index) {
    REQUIRE(log->persist(append({make_entry(index, 1, std::string(10'000, 'x'))})).has_value());
  }
  std::string name = path + "/" + files_with_suffix(path, ".log").back();
  auto room_ahead = [&] {
    const std::string bytes = read_file(name);
    return bytes.size() - without_room(bytes).size();
  };
  for (int i = 0; i < 5000 && room_ahead() < (2 << 20); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(room_ahead() >= (2 << 20));
  CHECK(room_ahead() <= (5 << 20));
  log.reset();
  CHECK(room_ahead() == 0);
  CHECK(loaded(*must_open(path)).last_index == LogIndex{64});
}

TEST_CASE("rocks log: no room is made ahead of large syncs, and again ahead of small ones") {
  TempDirectory directory;
  std::string path = directory.path("log");
  auto log = must_open(path);
  uint64_t index = 0;
  auto write = [&](int turns, size_t bytes) {
    for (int i = 0; i < turns; ++i) {
      REQUIRE(log->persist(append({make_entry(++index, 1, std::string(bytes, 'x'))})).has_value());
    }
  };
  auto size = [&] {
    return std::filesystem::file_size(path + "/" + files_with_suffix(path, ".log").back());
  };
  write(20, 1'000'000);  // past what was made before they were known to be large
  const uint64_t written = size();
  CHECK(written < 20'200'000);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(size() == written);
  write(20, 100);
  for (int i = 0; i < 5000 && size() < written + (2 << 20); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(size() >= written + (2 << 20));
}

TEST_CASE("rocks log: damage in a file of entries is reported by load or read [F16]") {
  TempDirectory directory;
  std::string path = directory.path("log");
  {
    auto log = must_open(path);
    REQUIRE(log->persist(append(make_entries(1, 400, 1, std::string(100, 'v')))).has_value());
  }
  must_open(path).reset();  // recovery writes the entries into a table file
  auto tables = files_with_suffix(path, ".sst");
  REQUIRE(tables.size() == 1);
  std::string name = path + "/" + tables[0];
  std::string bytes = read_file(name);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 2);
  write_file(name, bytes);
  auto log = open_rocks_log({.path = path, .fsync = true});
  REQUIRE(log.has_value());
  auto result = (*log)->load();
  REQUIRE(!result.has_value());
  CHECK(result.error().code == Errc::kCorrupt);
  CHECK(result.error().text.find(tables[0].substr(0, 6)) != std::string::npos);
}

TEST_CASE("rocks log: a directory that is open elsewhere is refused in one sentence") {
  TempDirectory directory;
  auto first = must_open(directory.path("log"));
  REQUIRE(first->persist(append(make_entries(1, 3, 1))).has_value());
  auto second = open_rocks_log({.path = directory.path("log"), .fsync = true});
  REQUIRE(!second.has_value());
  CHECK(second.error().code == Errc::kConflict);
  CHECK(second.error().text.find(directory.path("log")) != std::string::npos);
  REQUIRE(first->persist(append(make_entries(4, 4, 1))).has_value());
}

TEST_CASE("rocks log: a directory that cannot be made is an I/O error") {
  TempDirectory directory;
  write_file(directory.path("file"), "not a directory");
  auto log = open_rocks_log({.path = directory.path("file") + "/log", .fsync = true});
  REQUIRE(!log.has_value());
  CHECK(log.error().code == Errc::kIo);
}

TEST_CASE("rocks log: one sync a turn; with log-fsync no only hard states sync [F16]") {
  TempDirectory directory;
  auto turns = [](RocksLog& log) {
    uint64_t before = log.stats().syncs;
    REQUIRE(log.persist(append(make_entries(1, 50, 1))).has_value());
    REQUIRE(log.persist(append(make_entries(51, 51, 1))).has_value());
    raft::PersistRequest vote = append(make_entries(52, 52, 1));
    vote.hard_state = raft::HardState{Term{1}, NodeId{1}};
    REQUIRE(log.persist(vote).has_value());
    raft::PersistRequest hint;
    hint.commit = LogIndex{40};
    REQUIRE(log.persist(hint).has_value());  // not worth a write
    return log.stats().syncs - before;
  };
  CHECK(turns(*must_open(directory.path("with"))) == 3);
  auto without = must_open(directory.path("without"), false);
  CHECK(turns(*without) == 1);
  REQUIRE(without->persist(append(make_entries(53, 54, 1))).has_value());
  uint64_t before = without->stats().syncs;
  REQUIRE(without->sync().has_value());  // F38
  CHECK(without->stats().syncs == before + 1);
  CHECK(without->stats().sync_microseconds_max > 0);
}

TEST_CASE("rocks log: a child that dies anywhere has every entry that it acknowledged [F16]") {
  TempDirectory directory;
  std::string path = directory.path("log");
  uint64_t acknowledged = 0;
  for (uint64_t round = 1; round <= rounds(8); ++round) {
    std::string report = directory.path("acknowledged");
    ChildEnd end = spawn_child("log", {path, report, std::to_string(round)});
    INFO("round ", round, ": ", end.errors);
    REQUIRE(end.exited);
    REQUIRE(end.status == 0);
    std::string bytes = read_file(report);
    acknowledged = std::max(acknowledged, static_cast<uint64_t>(bytes.size()));
    auto log = must_open(path);
    raft::LoadedLog about = loaded(*log);
    REQUIRE(about.last_index.value >= acknowledged);
    for (const raft::Entry& entry : all_entries(*log)) {
      REQUIRE(entry.payload.view().size() == 1 + entry.index.value % 300);
    }
  }
  CHECK(acknowledged > 0);
}

TEST_CASE("rocks log: what is cut in time is never written a second time") {
  TempDirectory directory;
  std::string path = directory.path("log");
  auto log = must_open(path);
  const std::string payload(60'000, 'z');
  for (uint64_t index = 1; index <= 1500; index += 50) {
    REQUIRE(log->persist(append(make_entries(index, index + 49, 1, payload))).has_value());
    if (index > 300) {
      REQUIRE(log->cut(snapshot_at(index, 1), LogIndex{index - 250}).has_value());
    }
  }
  log.reset();
  CHECK(files_with_suffix(path, ".sst").size() <= 1);  // 90 MB went through it, 18 at a time
}

TEST_CASE("rocks log: cuts give the room back and leave nothing behind [F13]") {
  TempDirectory directory;
  std::string path = directory.path("log");
  auto log = must_open(path);
  const std::string payload(60000, 'z');
  uint64_t most = 0;
  for (uint64_t index = 1; index <= 3000; index += 30) {
    REQUIRE(log->persist(append(make_entries(index, index + 29, 1, payload))).has_value());
    if (index % 300 == 1 && index > 1) {
      REQUIRE(log->cut(snapshot_at(index, 1), LogIndex{index - 9}).has_value());
      most = std::max(most, bytes_in(path));
    }
  }
  CHECK(most < 100'000'000);  // while 180 MB are written
  log.reset();
  log = must_open(path);
  CHECK(loaded(*log).last_index == LogIndex{3000});
  CHECK(all_entries(*log).size() == 3000 - (2701 - 10));
  REQUIRE(log->cut(snapshot_at(3000, 1), LogIndex{3001}).has_value());
  log.reset();
  must_open(path).reset();
  INFO(most);
  CHECK(bytes_in(path) < 60'000'000);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
