// --import: an RDB file becomes the data directory of a cluster that begins anew (F42).
#include "actors/node/import.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "actors/node/storage.hpp"
#include "tests/resp/node.hpp"
#include "tests/types/dump/bytes.hpp"
#include "tests/types/dump/recorded_files.hpp"

namespace kiwi::actors {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNow = 1'790'000'000'000;

class Place {
 public:
  Place() {
    std::string pattern = (fs::temp_directory_path() / "kiwi-import-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    options.dir = path_ + "/data";
    options.raft_id = 1;
    options.import = path_ + "/dump.rdb";
  }
  ~Place() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  void write(std::string_view name) {
    const std::string bytes = resp::dump::recorded_bytes(resp::dump::kRecordedFiles, name);
    std::ofstream(options.import, std::ios::binary) << bytes;
  }
  Result<Import> import() {
    return import_rdb(options, kNow, [this](const std::string& line) { lines.push_back(line); });
  }

  config::Options options;
  std::vector<std::string> lines;

 private:
  std::string path_;
};

std::string ask(Storage& storage, const std::vector<std::string>& argv) {
  resp::ReadBatch batch;
  batch.id = 1;
  batch.index = storage.executor().applied();
  batch.now_ms = kNow;
  batch.ops.push_back({{1, 0}, resp::RequestKind::kRead, 2, resp::packed(argv)});
  storage.executor().run_reads(std::move(batch));
  while (storage.executor().work()) {
  }
  return resp::Node::bytes_of(storage.executor().take_effects());
}

TEST_CASE("an imported file is a new cluster with its data, whose clock is the import's [F42]") {
  Place place;
  place.write("plain");
  const Result<Import> done = place.import();
  REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().text));
  CHECK(done->complete);
  CHECK(done->sentence.find("11 keys") != std::string::npos);
  CHECK(!fs::exists(place.options.dir + "/restoring"));
  auto storage = Storage::open(place.options);
  REQUIRE(storage.has_value());
  CHECK(ask(**storage, {"GET", "text"}) == "$5\r\nhello\r\n");
  CHECK(ask(**storage, {"LLEN", "long list"}) == ":3000\r\n");
  CHECK(ask(**storage, {"PEXPIRETIME", "hash"}) == ":2790000000123\r\n");
  CHECK((*storage)->identity().cluster.is_set());
  CHECK_FALSE((*storage)->executor().settings().seeded());
  const auto start = (*storage)->start_state();
  REQUIRE(start.has_value());
  CHECK(start->applied_stamp_ms == kNow);
  CHECK(start->log.first_index == start->applied + 1);
  CHECK(start->log.hard_state.term == Term{2});
  REQUIRE(start->sessions.size() == 1);
  CHECK(start->sessions[0].incarnation == (*storage)->identity().incarnation);
}

TEST_CASE(
    "a directory with data is refused, and so is a file that is none; both stay as they are") {
  Place place;
  place.write("plain");
  REQUIRE(place.import().has_value());
  const Result<Import> again = place.import();
  REQUIRE(!again.has_value());
  CHECK(again.error().text.find("not empty") != std::string::npos);
  CHECK(Storage::open(place.options).has_value());
  Place other;
  CHECK(other.import().error().text.find("cannot read") != std::string::npos);
  std::ofstream(other.options.import) << "no dump";
  CHECK(other.import().error().text.find("does not begin") != std::string::npos);
  CHECK(!fs::exists(other.options.dir + "/group-1"));
  other.write("plain");  // what the attempt left is no hindrance
  CHECK(other.import().has_value());
}

TEST_CASE("what is not supported ends the import, or is left out, named, and told by its outcome") {
  Place place;
  place.write("everything");
  CHECK(place.import().error().text.find("not supported yet") != std::string::npos);
  place.options.import_skip_unsupported = true;
  const Result<Import> done = place.import();
  REQUIRE(done.has_value());
  CHECK_FALSE(done->complete);
  std::string lines;
  for (const std::string& line : place.lines) {
    lines += line + "\n";
  }
  CHECK(lines.find("left out: a library of functions\n") != std::string::npos);
  auto storage = Storage::open(place.options);
  REQUIRE(storage.has_value());
  CHECK(ask(**storage, {"GET", "behind"}) == "$1\r\n2\r\n");
  CHECK(ask(**storage, {"TYPE", "stream"}) == "+stream\r\n");
}

}  // namespace
}  // namespace kiwi::actors
