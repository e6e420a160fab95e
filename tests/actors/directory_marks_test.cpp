// The marks of data directories in files (F52).
#include "actors/node/directory_marks.hpp"

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdlib.h>

#include <doctest/doctest.h>

namespace kiwi::actors {

namespace {

struct Directory {
  Directory() {
    std::string name = "/tmp/kiwi-marks-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string path;
};

Incarnation life(uint8_t n) {
  Incarnation id;
  id.bytes.fill(n);
  return id;
}

void flip_last_byte(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-1, std::ios::end);
  const int byte = file.get();
  file.seekp(-1, std::ios::end);
  file.put(static_cast<char>(byte ^ 1));
}

}  // namespace

TEST_CASE("marks are read back by the same incarnation only; damaged ones are an error [F52]") {
  const Directory temp;
  const std::string dir = temp.path;
  CHECK(load_marks(dir, life(1), 1)->empty());
  std::vector<raft::Mark> marks;
  raft::add_mark(marks, random_mark());
  raft::add_mark(marks, random_mark());
  CHECK(marks[0].nonce != marks[1].nonce);
  REQUIRE(store_marks(dir, life(1), marks));
  CHECK(*load_marks(dir, life(1), 1) == marks);
  CHECK(*load_marks(dir, life(1), 7) == marks);
  CHECK(load_marks(dir, life(2), 1)->empty());
  CHECK_FALSE(load_marks(dir, life(2), 7));
  flip_last_byte(dir + "/marks");
  const auto damaged = load_marks(dir, life(1), 1);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().text.find("wipe this node") != std::string::npos);
  std::filesystem::remove(dir + "/marks");
  const auto missing = load_marks(dir, life(1), 7);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().text.find("is missing") != std::string::npos);
}

// Whoever runs the tests may be root, whom no mode keeps out: a directory cannot be read by
// anybody.
TEST_CASE("files that are there and cannot be read end the start, and stay as they are [F52]") {
  const Directory temp;
  const std::string dir = temp.path;
  for (const char* name : {"marks", "peers", "old-copy"}) {
    std::filesystem::create_directory(dir + "/" + name);
  }
  const auto marks = load_marks(dir, life(1), 1);
  REQUIRE_FALSE(marks);
  CHECK(marks.error().code == Errc::kIo);
  CHECK(marks.error().text.find(dir + "/marks") != std::string::npos);
  CHECK(marks.error().text.find("do not delete it") != std::string::npos);
  CHECK_FALSE(KnownMarks::load(dir));
  CHECK_FALSE(old_copy_note(dir));
  CHECK(std::filesystem::is_directory(dir + "/marks"));
}

TEST_CASE("what is known of the peers is never forgotten, and survives a start [F52]") {
  const Directory temp;
  const std::string dir = temp.path;
  KnownMarks known = *KnownMarks::load(dir);
  CHECK(known.of(NodeId{2}, life(2)).marks().empty());
  CHECK(known.learn(NodeId{2}, life(2), {{4, 44}, {5, 55}}, {}, {}));
  CHECK_FALSE(known.learn(NodeId{2}, life(2), {{4, 44}}, {}, {}));
  CHECK_FALSE(known.learn(NodeId{2}, life(2), {}, {}, {}));
  CHECK(known.learn(NodeId{3}, life(3), {{1, 11}}, {}, {}));
  CHECK(known.learn(NodeId{3}, life(3), {{1, 12}}, {}, {}));  // a fork
  REQUIRE(KnownMarks::store(dir, KnownMarks::encode(known.items())));
  known = *KnownMarks::load(dir);
  CHECK(known.of(NodeId{2}, life(2)).marks() == std::vector<raft::Mark>{{4, 44}, {5, 55}});
  CHECK(known.of(NodeId{3}, life(3)).forked());
  raft::Configuration now;
  now.members.push_back({NodeId{2}, life(2), {}, {}});
  now.members.push_back({NodeId{3}, life(9), {}, {}});  // replaced
  known.keep_members_of(now, now);
  CHECK(known.of(NodeId{2}, life(2)).marks().size() == 2);
  CHECK(known.of(NodeId{3}, life(3)).marks().empty());
  // Its replacement is in the log and not committed: it may be cut away, and 2 be a voter as
  // before.
  raft::Configuration replaced = now;
  replaced.members[0].incarnation = life(8);
  known.keep_members_of(replaced, now);
  CHECK(known.of(NodeId{2}, life(2)).marks().size() == 2);
  known.keep_members_of(replaced, replaced);
  CHECK(known.of(NodeId{2}, life(2)).marks().empty());
  flip_last_byte(dir + "/peers");
  CHECK(KnownMarks::load(dir)->size() == 0);
}

TEST_CASE("strangers take no room from members, and not much at all [F52]") {
  const Directory temp;
  raft::Configuration now;
  for (const uint8_t id : std::initializer_list<uint8_t>{1, 2, 3}) {
    now.members.push_back({NodeId{id}, life(id), {}, {}});
  }
  KnownMarks known;
  CHECK(known.learn(NodeId{2}, life(2), {{1, 11}}, now, now));
  for (int start = 0; start < 1000; ++start) {  // of a removed node without a disk
    Incarnation each = life(4);
    each.bytes[0] = static_cast<uint8_t>(start);
    each.bytes[1] = static_cast<uint8_t>(start >> 8);
    CHECK(known.learn(NodeId{4}, each, {{1, 44}}, now, now));
    REQUIRE(known.size() < 100);
  }
  CHECK(known.of(NodeId{2}, life(2)).marks() == std::vector<raft::Mark>{{1, 11}});
  REQUIRE(KnownMarks::store(temp.path, KnownMarks::encode(known.items())));
  known = *KnownMarks::load(temp.path);
  CHECK(known.learn(NodeId{2}, life(2), {{2, 22}}, now, now));
  CHECK(known.learn(NodeId{3}, life(3), {{1, 33}}, now, now));
  CHECK(known.of(NodeId{3}, life(3)).marks() == std::vector<raft::Mark>{{1, 33}});
}

TEST_CASE("a directory that was found to be an old copy says so at every start [F52]") {
  const Directory temp;
  const std::string dir = temp.path;
  CHECK_FALSE(old_copy_note(dir)->has_value());
  REQUIRE(leave_old_copy_note(dir, "a sentence"));
  CHECK(*old_copy_note(dir) == "a sentence");
}

}  // namespace kiwi::actors
