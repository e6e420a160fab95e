// Storage: what a node checks when it opens its data directory (F1, F4, F13, F38).
#include "actors/node/storage.hpp"

#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include "actors/node/directory_marks.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {
namespace {

struct Directory {
  Directory() {
    std::string name = "/tmp/kiwi-storage-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

config::Options options(const Directory& dir, int64_t id = 1) {
  config::Options o;
  o.dir = dir.path + "/data";
  o.raft_id = id;
  return o;
}

raft::Entry first_entry(const Storage& storage, const ClusterId& cluster) {
  raft::Configuration first;
  first.cluster = cluster;
  first.members = {{storage.identity().node, storage.identity().incarnation, "c:1", "p:1"}};
  first.voters = {storage.identity().node};
  return raft::bootstrap_entry(first, 1000);
}

}  // namespace

TEST_CASE(
    "a new directory gets an incarnation that stays, and every start a higher epoch [F1, F4]") {
  Directory dir;
  auto first = Storage::open(options(dir));
  REQUIRE(first.has_value());
  const raft::Identity identity = (*first)->identity();
  CHECK(identity.incarnation.is_set());
  CHECK_FALSE(identity.cluster.is_set());
  CHECK(identity.boot_epoch == 1);
  first->reset();
  auto second = Storage::open(options(dir));
  REQUIRE(second.has_value());
  CHECK((*second)->identity().incarnation == identity.incarnation);
  CHECK((*second)->identity().boot_epoch == 2);
}

TEST_CASE("two new directories are two lives [F1]") {
  Directory a;
  Directory b;
  CHECK((*Storage::open(options(a)))->identity().incarnation !=
        (*Storage::open(options(b)))->identity().incarnation);
}

TEST_CASE("a directory of another node is refused with a sentence that names both") {
  Directory dir;
  { REQUIRE(Storage::open(options(dir, 2)).has_value()); }
  const auto refused = Storage::open(options(dir, 3));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::kConflict);
  CHECK(refused.error().text.find("belongs to node 2") != std::string::npos);
  CHECK(refused.error().text.find("raft.id says 3") != std::string::npos);
}

TEST_CASE("a directory in use is refused with a sentence") {
  Directory dir;
  auto first = Storage::open(options(dir));
  REQUIRE(first.has_value());
  const auto refused = Storage::open(options(dir));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::kConflict);
  CHECK(refused.error().text.find(dir.path) != std::string::npos);
}

TEST_CASE(
    "a founder is a member after a restart, also if it crashed before its identity was written") {
  Directory dir;
  const ClusterId cluster = random_id<ClusterId>();
  {
    auto storage = Storage::open(options(dir));
    REQUIRE(storage.has_value());
    raft::PersistRequest request;  // the first of join()'s two writes
    request.entries = {first_entry(**storage, cluster)};
    REQUIRE((*storage)->log().persist(request).has_value());
  }
  auto again = Storage::open(options(dir));
  REQUIRE(again.has_value());
  CHECK((*again)->identity().cluster == cluster);
  auto start = (*again)->start_state();
  REQUIRE(start.has_value());
  CHECK(start->log.last_index == LogIndex{1});
  REQUIRE(start->tail.size() == 1);
}

TEST_CASE("each start may choose its state-engine: the state is found by either") {
  Directory dir;
  config::Options o = options(dir);
  LogIndex applied;
  for (int start = 0; start < 4; ++start) {
    o.state_engine = start % 2 == 0 ? config::StateEngine::kTable : config::StateEngine::kPlain;
    auto storage = Storage::open(o);
    REQUIRE(storage.has_value());
    REQUIRE((*storage)->executor().applied() == applied);
    raft::Entry entry;
    entry.index = ++applied;
    entry.term = Term{1};
    entry.kind = raft::EntryKind::kTick;
    entry.stamp_ms = 1000;
    raft::PersistRequest request;
    request.entries = {entry};
    REQUIRE((*storage)->log().persist(request).has_value());
    (*storage)->executor().apply({entry});
    while ((*storage)->executor().work()) {
    }
    (*storage)->keyspace().flush();
  }
}

TEST_CASE("joining writes the founding entry and the cluster id for good") {
  Directory dir;
  const ClusterId cluster = random_id<ClusterId>();
  {
    auto storage = Storage::open(options(dir));
    REQUIRE(storage.has_value());
    CHECK((*storage)->first_entry()->empty());
    REQUIRE((*storage)->join(cluster, first_entry(**storage, cluster)).has_value());
    CHECK_FALSE((*storage)->first_entry()->empty());
  }
  auto again = Storage::open(options(dir));
  REQUIRE(again.has_value());
  CHECK((*again)->identity().cluster == cluster);
  auto entry = raft::decode_entry(SharedBytes(*(*again)->first_entry()));
  REQUIRE(entry.has_value());
  CHECK(entry->kind == raft::EntryKind::kConfiguration);
}

TEST_CASE("a state that is ahead of its log is refused: the log lost its end [F13, F38]") {
  Directory dir;
  {
    auto storage = Storage::open(options(dir));
    REQUIRE(storage.has_value());
    raft::Entry noop;
    noop.index = LogIndex{1};
    noop.term = Term{1};
    (*storage)->executor().apply({noop});
    while ((*storage)->executor().work()) {
    }
    (*storage)->keyspace().flush();  // entry 1 was never written to the log
  }
  const auto refused = Storage::open(options(dir));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text.find("the log lost its end") != std::string::npos);
}

TEST_CASE("every start draws a mark, and two starts of one copy draw different ones [F52]") {
  Directory dir;
  const auto marks_of_start = [&] { return (*Storage::open(options(dir)))->marks(); };
  REQUIRE(marks_of_start().size() == 1);
  std::filesystem::copy(dir.path + "/data", dir.path + "/copy",
                        std::filesystem::copy_options::recursive);
  const std::vector<raft::Mark> went_on = marks_of_start();
  REQUIRE(went_on.size() == 2);
  std::filesystem::remove_all(dir.path + "/data");
  std::filesystem::rename(dir.path + "/copy", dir.path + "/data");
  const std::vector<raft::Mark> put_back = marks_of_start();
  CHECK(put_back.size() == 2);
  raft::Lineage known;
  known.learn({went_on.back()});
  CHECK(known.judge(put_back) == raft::Lineage::Judgement::kDiffers);
  CHECK(known.judge(marks_of_start()) == raft::Lineage::Judgement::kDiffers);
}

TEST_CASE("a directory whose marks are gone or unreadable is not opened, and draws none [F52]") {
  Directory dir;
  const std::string marks = dir.path + "/data/marks";
  REQUIRE(Storage::open(options(dir)).has_value());
  std::filesystem::rename(marks, dir.path + "/kept");
  const auto missing = Storage::open(options(dir));
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().text.find("is missing") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(marks));
  std::filesystem::create_directory(marks);
  CHECK_FALSE(Storage::open(options(dir)).has_value());
  std::filesystem::remove(marks);
  std::filesystem::rename(dir.path + "/kept", marks);
  const auto opened = Storage::open(options(dir));
  REQUIRE(opened.has_value());
  CHECK((*opened)->identity().boot_epoch == 2);  // the refused ones were no starts
  CHECK((*opened)->marks().size() == 2);
}

TEST_CASE("a first start that ended behind its mark and ahead of its identity is none [F52]") {
  Directory dir;
  std::filesystem::create_directories(dir.path + "/data");
  REQUIRE(store_marks(dir.path + "/data", Incarnation{}, {{1, 11}}));
  const auto opened = Storage::open(options(dir));
  REQUIRE(opened.has_value());
  CHECK((*opened)->marks().size() == 1);
}

TEST_CASE("a directory that is known to be an old copy is not opened any more [F52]") {
  Directory dir;
  REQUIRE(Storage::open(options(dir)).has_value());
  REQUIRE(leave_old_copy_note(dir.path + "/data", "it is an old copy"));
  const auto refused = Storage::open(options(dir));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text == "it is an old copy");
}

}  // namespace kiwi::actors
