// Settings of the whole cluster as entries change them, and the cluster version (F35, F46).
#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

struct World {
  explicit World(ExecutorOptions options = {}) : node(keyspace, options) { node.start(); }
  const Settings& settings() { return node.executor().settings(); }
  std::string value(std::string_view name) {
    const auto found = settings().values().find(name);
    return found == settings().values().end() ? "-" : found->second;
  }
  std::string raise(const std::string& version) { return node.run(node.log().raise_to(version)); }
  rocks::MemoryKeyspace keyspace;
  Node node;
};

const std::string kRefused =
    "-ERR no such cluster setting, or no value of it, in this cluster's version\r\n";
const std::string kVersion =
    "-ERR the cluster version rises one step at a time, and never falls\r\n";

TEST_SUITE_BEGIN("executor settings");

TEST_CASE("a setting is changed by an entry, in its one form, and told once") {
  World w;
  CHECK(w.node("kiwi.setting active-expire NO") == "+OK\r\n");
  CHECK(w.value("active-expire") == "no");
  CHECK(w.node("kiwi.setting ACTIVE-EXPIRE yes raft.auto-upgrade no") == "+OK\r\n");
  CHECK(w.value("active-expire") == "yes");
  CHECK(w.value("raft.auto-upgrade") == "no");
  auto changes = [&](const std::string& command) {
    w.node.log().batch(w.node.next_number(), {command});
    return w.node.deliver().settings_changed;
  };
  CHECK(changes(packed({"kiwi.setting", "active-expire", "no"})));
  CHECK_FALSE(changes(packed({"set", "a", "1"})));
  CHECK_FALSE(changes(packed({"kiwi.setting", "active-expire", "2"})));
}

TEST_CASE("apply refuses what is no setting, whole and with one text on every node") {
  World w;
  const uint64_t before = w.node.executor().settings().changes();
  for (const char* words :
       {"kiwi.setting timeout 3", "kiwi.setting nonsense 3", "kiwi.setting active-expire maybe",
        "kiwi.setting raft.auto-upgrade no active-expire maybe",
        "kiwi.setting raft.auto-upgrade no active-expire",
        "kiwi.setting cluster-version 2 active-expire no",
        "kiwi.setting active-expire no cluster-version 2", "kiwi.seed timeout 3"}) {
    CAPTURE(words);
    CHECK(w.node(words) == kRefused);
  }
  CHECK(w.settings().changes() == before);
  CHECK(w.settings().values().empty());
}

TEST_CASE("the cluster version rises by one and never falls [F46]") {
  World w;
  for (const char* wrong : {"0", "3", "-1", "2x", "18446744073709551618"}) {
    CAPTURE(wrong);
    CHECK(w.raise(wrong) == kVersion);
  }
  CHECK(w.node.executor().cluster_version() == 1);
  CHECK(w.raise("2") == "+OK\r\n");
  CHECK(w.node.executor().cluster_version() == 2);
  const uint64_t changes = w.settings().changes();
  CHECK(w.raise("2") == "+OK\r\n");  // by hand, when it rose by itself a moment ago
  CHECK(w.settings().changes() == changes);
  CHECK(w.raise("1") == kVersion);
}

TEST_CASE("a raise counts for the members that were asked, and for no others [F46]") {
  const std::string changed =
      "-ERR the members changed while their builds were asked for: try again\r\n";
  World w;
  const std::vector<std::string> judged = w.node.log().raise_to("2");
  w.node.log().members({member(1), member(2), member(3)});  // it was not asked
  w.node.deliver();
  CHECK(w.node.run(judged) == changed);
  CHECK(w.node.executor().cluster_version() == 1);
  // Judged by whoever has not the latest members yet, or without any.
  CHECK(w.node("kiwi.setting cluster-version 2 0") == changed);
  CHECK(w.node("kiwi.setting cluster-version 2") == kRefused);
  const std::vector<std::string> again = w.node.log().raise_to("2");
  w.node.log().members({member(1), member(2), member(3, 9)});  // another life, maybe another build
  w.node.deliver();
  CHECK(w.node.run(again) == changed);
  CHECK(w.raise("2") == "+OK\r\n");
  CHECK(w.node.executor().cluster_version() == 2);
}

TEST_CASE("a command of the next version is known from the entry behind the raise on [F46]") {
  World w;
  const std::string unknown = "-ERR this command cannot be executed here\r\n";
  CHECK(w.node("kiwi.test.later k") == unknown);
  // In one entry with the raise it is not known yet: what an entry means is settled before it.
  CHECK(w.node.exec({}, {w.node.log().raise_to("2"), {"kiwi.test.later", "k"}}) ==
        "*2\r\n+OK\r\n" + unknown);
  CHECK(w.node("kiwi.test.later k") ==
        "-ERR internal error: the command was not applied\r\n");  // known: it ran, and failed
}

TEST_CASE("the first seed in the log counts, and CONFIG SET before it stays") {
  World w;
  CHECK(w.node("kiwi.setting active-expire no") == "+OK\r\n");
  CHECK(w.node("kiwi.seed active-expire yes raft.auto-upgrade no") == "+OK\r\n");
  CHECK(w.settings().seeded());
  CHECK(w.value("active-expire") == "no");
  CHECK(w.value("raft.auto-upgrade") == "no");
  CHECK(w.node("kiwi.seed raft.auto-upgrade yes") ==
        "-ERR this cluster's settings were seeded before\r\n");
  CHECK(w.value("raft.auto-upgrade") == "no");
  World empty;
  CHECK(empty.node("kiwi.seed") == "+OK\r\n");
  CHECK(empty.settings().seeded());
}

TEST_CASE("settings are there after a restart, and for a view") {
  rocks::MemoryKeyspace keyspace;
  {
    Node node(keyspace);
    node.start();
    CHECK(node("kiwi.setting raft.auto-upgrade no") == "+OK\r\n");
    CHECK(node.run(node.log().raise_to("2")) == "+OK\r\n");
  }
  const auto view = keyspace.view();
  CHECK(Executor(*view, Node::own({})).cluster_version() == 2);
  Node again(keyspace);
  CHECK(again.executor().cluster_version() == 2);
  CHECK(again.executor().settings().values().find("raft.auto-upgrade")->second == "no");
}

// 70: it ended with a sentence. What it says is for people; that it applies nothing more is F46.
template <class Body>
int end_of(Body body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool quiet = std::freopen("/dev/null", "w", stderr) != nullptr &&
                       std::freopen("/dev/null", "w", stdout) != nullptr;
    body();
    ::_exit(quiet ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("a build that does not know the version ends, at the entry and at the state [F46]") {
  ExecutorOptions old;
  old.cluster_version_max = 1;
  CHECK(end_of([&] {
          World w(old);
          w.raise("3");  // refused everywhere, so it means nothing
          w.node("set a 1");
        }) == 0);
  CHECK(end_of([&] {
          World w(old);
          w.raise("2");
        }) == 70);
  CHECK(end_of([&] {
          rocks::MemoryKeyspace keyspace;
          {
            Node newer(keyspace);
            newer.start();
            newer.run(newer.log().raise_to("2"));
          }
          Node(keyspace, old).executor().applied();
        }) == 70);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
