// Whole RDB files: recorded ones of redis-server 7.0, old ones made by hand, and damaged ones.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "config/limits.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/rdb_import.hpp"
#include "resp/types/handles.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/types/dump/bytes.hpp"
#include "tests/types/dump/recorded_files.hpp"
#include "tests/types/dump/recorded_payloads.hpp"
#include "tests/types/stream_content.hpp"

namespace kiwi::resp::dump {
namespace {

constexpr int64_t kNow = 1'000'000;
constexpr int64_t kDeadline = 2'790'000'000'123;

// Imports one file, and looks at what came of it.
class Imported {
 public:
  explicit Imported(std::string_view file, ImportOptions options = {}) {
    options.now_ms = options.now_ms == 0 ? kNow : options.now_ms;
    RdbImport import(keyspace_, options, [this](uint64_t bytes, const ImportReport& so_far) {
      CHECK(bytes >= bytes_seen);
      bytes_seen = bytes;
      commits = so_far.entries;
    });
    Result<ImportReport> done = import.run(file);
    if (done) {
      report = *done;
    } else {
      error = done.error().text;
    }
  }

  Database& database() {
    if (!database_) {
      database_.emplace(keyspace_);
      handles_.emplace(*database_);
    }
    database_->begin_command();
    return *database_;
  }
  Key find(std::string_view name, uint32_t logical = 0) {
    Database& state = database();
    return state.find(state.physical(logical), name, kNow);
  }
  template <class T>
  const T& read(std::string_view name) {
    const Key key = find(name);
    REQUIRE(key.is(T::kType));
    return handles_->read<T>(key);
  }
  uint64_t keys(uint32_t logical = 0) {
    return database().counts(database().physical(logical)).keys;
  }
  uint64_t records(rocks::Family family) {
    uint64_t count = 0;
    for (auto at = keyspace_.cursor(family, {}, {}); at->valid(); at->next()) {
      ++count;
    }
    return count;
  }

  ImportReport report;
  std::string error;
  uint64_t bytes_seen = 0;
  uint64_t commits = 0;

 private:
  rocks::MemoryKeyspace keyspace_;
  std::optional<Database> database_;
  std::optional<Handles> handles_;
};

std::string file_of(std::string_view version, std::string_view items) {
  return "REDIS" + std::string(version) + std::string(items) + "\xff";
}
std::string sized(std::string_view bytes) {
  std::string out;
  put_length(out, bytes.size());
  return out.append(bytes);
}
std::string string_key(std::string_view name, std::string_view value) {
  return std::string(1, '\0') + sized(name) + sized(value);
}

TEST_CASE("a file of redis-server 7.0 becomes the keys that it held") {
  Imported got(recorded_bytes(kRecordedFiles, "plain"));
  REQUIRE(got.error == "");
  CHECK(got.report.keys == 11);
  CHECK(got.report.expired == 0);
  CHECK(got.report.unsupported == 0);
  CHECK(got.report.written_by == "7.0.15");
  CHECK(got.keys() == 10);
  CHECK(got.keys(3) == 1);
  CHECK(got.read<String>("text").bytes() == "hello");
  CHECK(got.read<String>("number").bytes() == "-7");
  CHECK(got.read<String>("long").bytes() == std::string(1000, 'a'));
  CHECK(got.find("late").meta.expire_at_ms == kDeadline);
  CHECK(got.find("hash").meta.expire_at_ms == kDeadline);
  CHECK(got.find("text").meta.expire_at_ms == 0);
  CHECK(got.database().counts(got.database().physical(0)).keys_with_ttl == 2);
  CHECK(got.read<List>("list").size() == 4);
  CHECK(got.read<List>("long list").size() == 3000);
  CHECK(got.read<List>("long list").at(2999) == "2999");
  CHECK(got.read<Set>("numbers").contains("100000"));
  CHECK_FALSE(got.find("numbers").meta.converted);
  CHECK(got.read<Set>("members").size() == 3);
  CHECK(got.find("members").meta.converted);
  CHECK(got.read<Hash>("hash").get("n") == "17");
  CHECK(got.read<Hash>("table").get("f") == std::string(65, 'v'));
  CHECK(got.find("text", 3).meta.value == "of another database");
}

TEST_CASE("the same file in commits of any size gives the same state") {
  const std::string file = recorded_bytes(kRecordedFiles, "plain");
  for (const size_t commit_bytes : {size_t{1}, size_t{100}, size_t{5000}, size_t{1} << 20}) {
    ImportOptions options;
    options.commit_bytes = commit_bytes;
    Imported got(file, options);
    REQUIRE(got.error == "");
    CHECK(got.report.keys == 11);
    CHECK(got.commits == got.report.entries);
    CHECK(got.bytes_seen == file.size() - 8);
    // Within keys, too: the list of 3000 has some in each.
    CHECK((commit_bytes > 100 || got.report.entries > 100));
    CHECK(got.database().record().index.value == got.report.entries);
    CHECK(got.database().record().stamp_ms == kNow);
    CHECK(got.read<List>("long list").size() == 3000);
    CHECK(got.read<List>("long list").at(1234) == "1234");
    CHECK(got.read<Set>("members").size() == 3);
    CHECK(got.find("hash").meta.expire_at_ms == kDeadline);
  }
}

TEST_CASE("what cannot be held is refused by name and place, or left out and reported") {
  const std::string file = recorded_bytes(kRecordedFiles, "everything");
  Imported refused(file);
  CHECK(refused.error.starts_with("at byte "));
  CHECK(refused.error.find("not supported yet") != std::string::npos);
  CHECK(refused.error.find("--import-skip-unsupported") != std::string::npos);
  ImportOptions options;
  options.skip_unsupported = true;
  Imported got(file, options);
  REQUIRE(got.error == "");
  CHECK(got.read<String>("before").bytes() == "1");
  CHECK(got.read<String>("behind").bytes() == "2");
  CHECK(got.report.keys == 5);
  CHECK(got.read<ZSet>("scores").score("b") == 2.5);
  CHECK_FALSE(got.find("scores").meta.converted);
  CHECK(got.read<ZSet>("many scores").size() == 200);
  CHECK(got.read<ZSet>("many scores").rank("399") == 199);
  CHECK(got.find("many scores").meta.converted);
  std::string left_out;
  for (const std::string& one : got.report.left_out) {
    left_out += one + "; ";
  }
  CHECK(got.report.unsupported == got.report.left_out.size());
  CHECK(left_out.find("a library of functions") != std::string::npos);
}

TEST_CASE("a stream of a file has its entries and groups, in commits of any size") {
  const std::string everything = recorded_bytes(kRecordedFiles, "everything");
  const std::string body = recorded_bytes(kRecordedPayloads, "stream with groups");
  const std::string file = with_checksum(file_of(
      "0010", "\x13" + sized("x") + body.substr(1, body.size() - 11) + string_key("b", "2")));
  std::vector<std::string> wanted;
  for (const size_t commit_bytes : {size_t{1} << 20, size_t{1}, size_t{50}}) {
    ImportOptions options;
    options.commit_bytes = commit_bytes;
    options.skip_unsupported = true;
    Imported got(everything, options);
    REQUIRE(got.error == "");
    const Stream& stream = got.read<Stream>("stream");
    CHECK(stream.size() == 2);
    CHECK(stream.tail().last_id == StreamId{2, 1});
    REQUIRE(stream.group("group") != nullptr);
    CHECK(stream.group("group")->pending() == 1);
    CHECK(stream.group("group")->consumer("reader")->record.pending == 1);
    Imported groups(file, options);
    REQUIRE(groups.error == "");
    CHECK(groups.report.keys == 2);
    CHECK((commit_bytes > 100 || groups.report.entries > 20));
    const std::vector<std::string> lines = types_test::stream_lines(groups.read<Stream>("x"));
    CHECK(lines.size() > 40);
    CHECK(lines[0] == "size 29 last 30-0 first 1-0 deleted 4-0 added 30");
    wanted = wanted.empty() ? lines : wanted;
    CHECK(lines == wanted);
  }
}

TEST_CASE("names of a stream's groups and consumers that are too long are told of [F61]") {
  const std::string longer(config::limits::kFieldBytes + 1, 'n');
  for (const bool of_consumer : {false, true}) {
    std::string body(4, '\0');  // no nodes, length, last id
    body += '\x01' + sized(of_consumer ? "g" : longer) + std::string(3, '\0');  // last id, pending
    body += of_consumer ? '\x01' + sized(longer) + std::string(9, '\0') : std::string(1, '\0');
    const std::string file =
        with_checksum(file_of("0010", "\x0f" + sized("x") + body + string_key("b", "2")));
    CHECK(Imported(file).error.find("more bytes than there may be") != std::string::npos);
    ImportOptions options;
    options.skip_unsupported = true;
    Imported got(file, options);
    REQUIRE(got.error == "");
    CHECK(got.report.keys == 1);
    CHECK_FALSE(got.find("x").present);
    CHECK(got.records(rocks::Family::kNode) == 0);
  }
}

// Old versions of Redis wrote such, and Redis 7.0 passes over them.
TEST_CASE("collections without elements are left out, and the import goes on") {
  const std::string list_of_nothing("\x0e\x01l\x01\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff", 16);
  const std::string empty = std::string("\x02\x03set\0", 6) + std::string("\x04\x01h\0", 4) +
                            std::string("\x05\x01z\0", 4) + list_of_nothing +
                            std::string("\xfd\x01\0\0\0", 5) +  // over
                            std::string("\x02\x04over\0", 7);
  Imported got(with_checksum(file_of("0010", empty + string_key("behind", "it"))));
  REQUIRE(got.error == "");
  CHECK(got.report.keys == 1);
  CHECK(got.report.empty == 4);
  CHECK(got.report.expired == 1);
  CHECK(got.report.unsupported == 0);
  CHECK(got.keys() == 1);
  CHECK(got.read<String>("behind").bytes() == "it");
}

TEST_CASE("names that are too long are refused by their key, or left out") {
  std::string hash = "\x04" + sized("h");
  put_length(hash, 301);
  for (int i = 0; i < 300; ++i) {
    hash += sized("field " + std::to_string(i)) + sized(std::string(30, 'v'));
  }
  hash += sized(std::string(config::limits::kFieldBytes + 1, 'f')) + sized("v");
  const std::string file = with_checksum(
      file_of("0010", hash + string_key(std::string(config::limits::kKeyNameBytes + 1, 'n'), "v") +
                          string_key("behind", "it")));
  CHECK(Imported(file).error.find("key \"h\" of database 0") != std::string::npos);
  ImportOptions options;
  options.skip_unsupported = true;
  options.commit_bytes = 5000;
  Imported got(file, options);
  REQUIRE(got.error == "");
  CHECK(got.report.keys == 1);
  CHECK(got.report.unsupported == 2);
  CHECK(got.records(rocks::Family::kElement) == 0);
  CHECK(got.read<String>("behind").bytes() == "it");
}

TEST_CASE("fields keep their deadlines, in commits of any size") {
  std::string hash(1, '\x18');
  hash += sized("h");
  put_le(hash, uint64_t{kNow + 5});
  put_length(hash, 301);
  for (int i = 0; i < 300; ++i) {
    hash += '\0' + sized("field " + std::to_string(i)) + sized(std::string(30, 'v'));
  }
  hash += '\x01' + sized("last") + sized("v");
  const std::string file = with_checksum(file_of("0012", hash + string_key("behind", "it")));
  for (const size_t commit_bytes : {size_t{200}, size_t{1} << 20}) {
    ImportOptions options;
    options.skip_unsupported = true;
    options.commit_bytes = commit_bytes;
    Imported got(file, options);
    REQUIRE(got.error == "");
    CHECK(got.report.keys == 2);
    CHECK(got.read<Hash>("h").size() == 301);
    CHECK(got.read<Hash>("h").deadline("last") == kNow + 5);
    CHECK(got.read<Hash>("h").deadline("field 7") == 0);
    CHECK(got.read<String>("behind").bytes() == "it");
  }
}

TEST_CASE("files of old versions: no checksum before 5, deadlines in seconds, no AUX") {
  const std::string old =
      file_of("0003", std::string("\xfe\x02", 2) + string_key("a", "1") +
                          std::string("\xfd\xff\xff\xff\x7f", 5) + string_key("b", "2"));
  Imported got(old);
  REQUIRE(got.error == "");
  CHECK(got.keys(2) == 2);
  CHECK(got.find("a", 2).meta.expire_at_ms == 0);
  CHECK(got.find("b", 2).meta.expire_at_ms == int64_t{0x7fffffff} * 1000);
  CHECK(Imported(old + "x").error.find("no RDB item") != std::string::npos);
  CHECK(Imported(old.substr(0, old.size() - 1)).error.find("no RDB item") != std::string::npos);
  // A checksum of 0 was turned off.
  CHECK(Imported(file_of("0009", string_key("a", "1")) + std::string(8, '\0')).report.keys == 1);
}

TEST_CASE(
    "LRU, LFU, sizes, slots and unknown AUX fields are passed over; a deadline is of one key") {
  const std::string items = "\xfa" + sized("redis-ver") + sized("7.4.1") + "\xfa" + sized("what") +
                            sized("ever") + std::string("\xfe\0\xfb\x03\x01\xf4\x01\x03\x01", 9) +
                            std::string("\xfc\x40\x42\x0f\0\0\0\0\0", 9) +  // 1,000,000: over
                            string_key("gone", "v") + std::string("\xf8\x05", 2) +
                            string_key("idle", "v") + std::string("\xf9\x07", 2) +
                            string_key("used", "v");
  Imported got(with_checksum(file_of("0012", items)));
  REQUIRE(got.error == "");
  CHECK(got.report.keys == 2);
  CHECK(got.report.expired == 1);
  CHECK(got.report.written_by == "7.4.1");
  CHECK_FALSE(got.find("gone").present);
  CHECK(got.find("idle").meta.expire_at_ms == 0);
}

TEST_CASE("values and data of modules are passed over by their own marks") {
  const std::string value =
      std::string("\x81\0\0\0\0\0\0\0\x2a", 9) +  // the module's number
      std::string("\x02\x07\x01\x09\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\x02hi\0", 23);
  const std::string file = with_checksum(
      file_of("0010", "\xf7" + value + "\x07" + sized("m") + value + string_key("a", "1")));
  ImportOptions options;
  options.skip_unsupported = true;
  Imported got(file, options);
  REQUIRE(got.error == "");
  CHECK(
      got.report.left_out ==
      std::vector<std::string>{"data of a module", "a value of a module, key \"m\" of database 0"});
  CHECK(got.report.keys == 1);
  // Of the first kind nobody knows the end.
  const std::string first = with_checksum(file_of("0010", "\x06" + sized("m") + value));
  CHECK(Imported(first, options).error.find("cannot be passed over") != std::string::npos);
}

TEST_CASE("a file that is none, of a newer version, damaged, or with a key twice is refused") {
  CHECK(Imported("").error.find("does not begin") != std::string::npos);
  CHECK(Imported("REDISxxxx").error.find("does not begin") != std::string::npos);
  CHECK(Imported(file_of("0013", "")).error.find("version 13") != std::string::npos);
  std::string wrong = recorded_bytes(kRecordedFiles, "plain");
  wrong[wrong.size() / 2] = static_cast<char>(wrong[wrong.size() / 2] ^ 1);
  CHECK(Imported(wrong).error.find("checksum") != std::string::npos);
  const std::string twice =
      with_checksum(file_of("0010", string_key("a\n", "1") + string_key("a\n", "2")));
  CHECK(Imported(twice).error == "at byte 15: key \"a\\x0a\" of database 0 is there twice");
  const std::string far =
      with_checksum(file_of("0010", std::string("\xfe\x44\0", 3) + string_key("a", "1")));
  CHECK(Imported(far).error.find("database 1024 is beyond") != std::string::npos);
  const std::string bad =
      with_checksum(file_of("0010", "\x02" + sized("set") + std::string("\x02\x01x\x01x", 5)));
  CHECK(Imported(bad).error ==
        "at byte 9: key \"set\" of database 0 has a value of RDB type 2 that is damaged");
}

TEST_CASE("whatever bytes a file has, it is imported or refused") {
  Prng prng(31);
  int imported = 0;
  for (int round = 0; round < rounds(200); ++round) {
    const RecordedFile& chosen = kRecordedFiles[prng.below(kRecordedFiles.size())];
    std::string file = from_hex(chosen.hex);
    file.resize(file.size() - 8);
    for (uint64_t changes = 1 + prng.below(3); changes > 0; --changes) {
      file[9 + prng.below(file.size() - 9)] = static_cast<char>(prng.next());
    }
    ImportOptions options;
    options.skip_unsupported = prng.chance(3, 4);
    Imported got(file + std::string(8, '\0'), options);
    imported += got.error.empty() ? 1 : 0;
  }
  CHECK(imported > 0);
}

}  // namespace
}  // namespace kiwi::resp::dump
