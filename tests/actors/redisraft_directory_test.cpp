// A number that is drawn once, and a directory that is set aside.
#include "actors/node/redisraft_directory.hpp"

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() : path(fs::temp_directory_path() / ("kiwi-redisraft-" + std::to_string(::getpid()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Directory() { fs::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  void write(const std::string& name) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << "x";
  }
  bool has(const std::string& name) const { return fs::exists(path / name); }

  fs::path path;
};

}  // namespace

TEST_CASE("a node without a number draws one and keeps it; data from before is node 1's [P10]") {
  Directory dir;
  Result<NodeId> drawn = drawn_node_id(dir.path);
  REQUIRE(drawn);
  CHECK(drawn->value > 1);
  CHECK(drawn->value <= INT32_MAX);
  CHECK(*drawn_node_id(dir.path) == *drawn);
  dir.write("group-1/log/x");
  CHECK(*drawn_node_id(dir.path) == *drawn);
  fs::remove(dir.path / "node-id");
  CHECK(*drawn_node_id(dir.path) == NodeId{});
  dir.write("node-id");
  CHECK_FALSE(drawn_node_id(dir.path).has_value());
}

TEST_CASE("what a removed node had is set aside at its next start, also after a crash [P10]") {
  Directory dir;
  dir.write("group-1/log/x");
  dir.write("marks");
  dir.write("node-id");
  dir.write("server.crt");  // the directory may be the one that the node was started in
  dir.write("other/x");
  CHECK_FALSE(*set_removed_aside(dir.path));  // nobody noted it
  REQUIRE(note_removal(dir.path, "abc"));
  // An attempt before this one came as far as the first name.
  fs::create_directories(dir.path / "removed-abc");
  fs::rename(dir.path / "marks", dir.path / "removed-abc" / "marks");
  CHECK(*set_removed_aside(dir.path));
  CHECK(dir.has("removed-abc/group-1/log/x"));
  CHECK(dir.has("removed-abc/marks"));
  CHECK(dir.has("removed-abc/node-id"));
  CHECK_FALSE(dir.has("group-1"));
  CHECK_FALSE(dir.has("removed"));
  CHECK(dir.has("server.crt"));
  CHECK(dir.has("other/x"));
  CHECK_FALSE(*set_removed_aside(dir.path));
  dir.write("group-1/log/y");
  REQUIRE(note_removal(dir.path, "def"));  // and once more: both stay
  CHECK(*set_removed_aside(dir.path));
  CHECK(dir.has("removed-abc/group-1/log/x"));
  CHECK(dir.has("removed-def/group-1/log/y"));
}

TEST_CASE("only raft.dialect redisraft does so, and only without a number [P10]") {
  Directory dir;
  config::Options options;
  options.dir = dir.path;
  REQUIRE(prepare_directory(options));
  CHECK(options.raft_id == 0);
  options.raft_dialect = config::Dialect::kRedisRaft;
  options.raft_id = 7;
  REQUIRE(prepare_directory(options));
  CHECK(options.raft_id == 7);
  CHECK_FALSE(dir.has("node-id"));
  options.raft_id = 0;
  REQUIRE(prepare_directory(options));
  CHECK(options.raft_id > 1);
}

}  // namespace kiwi::actors
