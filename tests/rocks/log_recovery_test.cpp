// What recovery makes of a log's directory: several files, its mark, a disk that cannot be read.
#include <doctest/doctest.h>
#include <rocksdb/write_batch.h>

#include "rocks/log_reader.hpp"
#include "rocks/rocks_log.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/wal_support.hpp"

namespace kiwi::rocks::test {

namespace {

std::unique_ptr<RocksLog> must_open(const std::string& path) {
  auto opened = open_rocks_log({.path = path, .fsync = true});
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
  return std::move(*opened);
}

void must_refuse(const std::string& path, Errc code, const std::string& says) {
  auto opened = open_rocks_log({.path = path, .fsync = true});
  REQUIRE(!opened.has_value());
  CHECK(opened.error().code == code);
  CHECK_MESSAGE(opened.error().text.find(says) != std::string::npos, opened.error().text);
}

// The one record of a file that was begun after `synced`.
std::string next_file(const WalMark& mark, WalPosition synced) {
  rocksdb::WriteBatch batch;
  std::string value(8, '\0');
  append_wal_note(value, {{synced, 0}, batch.GetDataSize()}, mark);
  batch.Put(log_keys::kCommit, value);
  std::string payload = batch.Data();
  payload[2] = 1;  // a sequence number beyond the others
  return wal_header(kWalFull, payload) + payload;
}

// Three writes of one entry each, the process gone.
class CrashedDirectory {
 public:
  CrashedDirectory() {
    auto log = must_open(directory_.path("live"));
    for (uint64_t index = 1; index <= 3; ++index) {
      REQUIRE(log->persist(append(make_entries(index, index, 1))).has_value());
      last_begin_ = index == 3 ? last_begin_ : records(directory_.path("live")).size();
    }
    copy_directory(directory_.path("live"), path());
  }
  std::string path() const { return directory_.path("crashed"); }
  std::string wal() const { return path() + "/" + newest_wal(path()); }
  uint64_t number() const { return wal_number(newest_wal(path())); }
  std::string records() const { return records(path()); }
  size_t last_begin() const { return last_begin_; }

 private:
  static std::string records(const std::string& path) {
    return without_room(read_file(path + "/" + newest_wal(path)));
  }

  TempDirectory directory_;
  size_t last_begin_ = 0;
};

}  // namespace

TEST_SUITE_BEGIN("rocks");

TEST_CASE(
    "log recovery: an older file that lost its end is damaged, whatever it looks like [F16] "
    "[F59]") {
  CrashedDirectory crashed;
  const std::string records = crashed.records();
  const std::string older = crashed.wal();
  const WalPosition end{crashed.number(), records.size()};
  const std::string newer = next_file(mark_in(crashed.path()), end);
  for (size_t left : {crashed.last_begin(), crashed.last_begin() + 9, records.size() - 1}) {
    INFO("left ", left);
    write_file(older, records.substr(0, left) + room(3000));
    write_file(crashed.path() + "/999999.log", newer);
    must_refuse(crashed.path(), Errc::kCorrupt, older + " is damaged at byte");
    // Nothing says so if the newer one was begun and never written.
    write_file(crashed.path() + "/999999.log", "");
    CrashedDirectory begun;
    write_file(begun.wal(), begun.records().substr(0, left) + room(3000));
    write_file(begun.path() + "/999999.log", "");
    CHECK(loaded(*must_open(begun.path())).last_index == LogIndex{2});
  }
}

TEST_CASE("log recovery: room at the end of an older file is no damage [F59]") {
  CrashedDirectory crashed;
  const std::string records = crashed.records();
  write_file(crashed.wal(), records + room(4096));
  write_file(crashed.path() + "/999999.log",
             next_file(mark_in(crashed.path()), {crashed.number(), records.size()}));
  CHECK(loaded(*must_open(crashed.path())).last_index == LogIndex{3});
}

TEST_CASE("log recovery: the log's mark is neither guessed nor made anew [F59]") {
  CrashedDirectory crashed;
  const std::string name = crashed.path() + "/WAL-MARK";
  std::string bytes = read_file(name);
  bytes[12] = static_cast<char>(bytes[12] ^ 1);
  write_file(name, bytes);
  must_refuse(crashed.path(), Errc::kCorrupt, name);
  std::filesystem::remove(name);
  must_refuse(crashed.path(), Errc::kCorrupt, "WAL-MARK");
  // Where nothing was written yet there may be one, or none.
  TempDirectory directory;
  std::filesystem::create_directories(directory.path("log"));
  write_file(directory.path("log") + "/WAL-MARK", encode_wal_mark(WalMark{'a'}));
  must_open(directory.path("log")).reset();
  CHECK(mark_in(directory.path("log")) == WalMark{'a'});
}

TEST_CASE("log recovery: a file that cannot be read is told in a sentence [F59]") {
  CrashedDirectory crashed;
  const std::string name = crashed.wal();
  std::filesystem::remove(name);
  std::filesystem::create_directory(name);  // opens, has a size, and fails to be read
  must_refuse(crashed.path(), Errc::kIo, "cannot read the log file " + name);
}

TEST_CASE(
    "log recovery: a disk that was full leaves neither room nor half a record in an older file "
    "[F59]") {
  for (const char* role : {"log-room", "log-append"}) {
    TempDirectory directory;
    const ChildEnd end = spawn_child(role, {directory.path()});
    INFO(std::string(role), ": ", end.errors);
    REQUIRE(end.exited);
    CHECK(end.status == 0);
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
