// The cluster's settings as records of the state: they last, and go back with their command.
#include "resp/types/settings.hpp"

#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "rocks/keys.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

TEST_SUITE_BEGIN("types/settings");

TEST_CASE_TEMPLATE(
    "settings outlive a restart, with the version and the seed", On, InMemory, OnRocks, OnTable) {
  World<On> w;
  CHECK(w.database().settings().cluster_version() == 1);
  CHECK_FALSE(w.database().settings().seeded());
  w.command(false, [&] {
    w.database().settings().put("active-expire", "no");
    w.database().settings().raise_cluster_version();
    w.database().settings().seed();
  });
  w.reopen();
  const Settings& now = w.database().settings();
  CHECK(now.cluster_version() == 2);
  CHECK(now.seeded());
  CHECK(now.values().find("active-expire")->second == "no");
  CHECK(now.values().find("cluster-version")->second == "2");
  CHECK(now.values().size() == 3);
  CHECK(now.changes() == 0);  // since the start
}

TEST_CASE("what a failed command set is gone: value, version, record and checksum [F30]") {
  World<InMemory> w;
  w.command(false, [&] { w.database().settings().put("a", "1"); });
  w.end_turn();
  const uint64_t checksum = w.database().effects().checksum();
  const uint64_t records = w.records(rocks::Family::kSystem);
  w.command(true, [&] {
    w.database().settings().put("a", "2");
    w.database().settings().put("b", "1");
    w.database().settings().raise_cluster_version();
    CHECK(w.database().settings().cluster_version() == 2);
    w.database().settings().put("a", "3");
  });
  CHECK(w.database().settings().values() == Settings::Values{{"a", "1"}});
  CHECK(w.database().settings().cluster_version() == 1);
  CHECK(w.database().effects().checksum() == checksum);
  CHECK(w.records(rocks::Family::kSystem) == records);
}

TEST_CASE("a setting without a name is damage, and said so") {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool quiet = std::freopen("/dev/null", "w", stderr) != nullptr &&
                       std::freopen("/dev/null", "w", stdout) != nullptr;
    World<InMemory> w;
    std::string key;
    rocks::keys::setting(key, {});
    w.keyspace().put(rocks::Family::kSystem, key, "1");
    w.keyspace().commit(LogIndex{1});
    Database again(w.keyspace());
    ::_exit(quiet ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 70);  // an end with a sentence, no abort
}

TEST_CASE("a setting is part of the rolling checksum [F34]") {
  World<InMemory> w;
  World<InMemory> other;
  w.command(false, [&] { w.database().settings().put("a", "1"); });
  other.command(false, [&] { other.database().settings().put("a", "2"); });
  CHECK(w.database().effects().checksum() != other.database().effects().checksum());
}

TEST_CASE("inside another command undo takes back the inner one's settings only") {
  World<InMemory> w;
  w.command(false, [&] {
    Settings& settings = w.database().settings();
    settings.put("a", "outer");
    w.database().mark();
    settings.put("a", "inner");
    w.database().undo();
    CHECK(settings.values().find("a")->second == "outer");
    w.database().mark();
    settings.put("b", "kept");
    w.database().keep();
  });
  CHECK(w.database().settings().values() == Settings::Values{{"a", "outer"}, {"b", "kept"}});
}

TEST_CASE("a view knows the version") {
  World<InMemory> w;
  w.command(false, [&] { w.database().settings().raise_cluster_version(); });
  w.end_turn();
  const auto view = w.view();
  const Database frozen(*view);
  CHECK(frozen.settings().cluster_version() == 2);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
