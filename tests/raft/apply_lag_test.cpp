// A state machine that is slower than its log: what that costs in memory, and what it costs in an
// election (F48, F53).
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/raft/trace_env.hpp"

namespace kiwi::raft::testing {

namespace {

// A cluster whose node 1 leads; from now on nobody applies unless told to.
TraceEnv led_cluster(const std::string& arguments) {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster " + arguments, "auto disk apply", "elect 1", "auto disk"});
  return env;
}

// Everything goes on but for the state machines of `slow`.
void go_on(TraceEnv& env, const std::vector<uint64_t>& slow) {
  for (bool busy = true; busy;) {
    busy = !env.network.empty();
    for (const Message& message : std::exchange(env.network, {})) {
      env.deliver(message);
    }
    for (auto& [id, at] : env.nodes) {
      const bool applies = at.core && std::ranges::find(slow, id.value) == slow.end();
      while (at.core && !at.reads_wanted.empty() && (applies || at.reads_wanted.front().follower)) {
        at.answer_log_read();
        env.settle(id);
        busy = true;
      }
      if (applies && !at.applying.empty()) {
        env.complete_applies(id);
        busy = true;
      }
    }
  }
}

void tick(TraceEnv& env, const std::string& node, int count, const std::vector<uint64_t>& slow) {
  for (int i = 0; i < count; ++i) {
    env.run({"tick " + node});
    go_on(env, slow);
  }
}

Role role(TraceEnv& env, uint64_t id) { return env.node(NodeId{id}).core->status().role; }

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE(
    "a node that applies nothing keeps a bound of its log in memory, and reads it back [F48]") {
  TraceEnv env = led_cluster("3 window=1000000 unapplied=3000000");
  RaftNode& follower = env.node(NodeId{2});
  uint64_t most = 0;
  for (int i = 0; i < 640; ++i) {  // 64 MB
    env.run({"propose 1 size=100000"});
    go_on(env, {2});
    most = std::max(most, follower.core->status().window_bytes);
  }
  const Status behind = follower.core->status();
  CHECK(behind.commit.value >= 640);
  CHECK(behind.applied.value < 100);
  CHECK(behind.backlog_bytes > 59'000'000);
  CHECK(most < 4'300'000);

  const PeerStatus seen = env.node(NodeId{1}).core->status().peers.at(0);  // with the next answer
  CHECK(seen.applied == behind.applied);
  CHECK(seen.backlog_bytes > 59'000'000);

  uint64_t held = 0;
  while (follower.applied() < behind.commit) {
    go_on(env, {});
    held = std::max(held, follower.core->status().window_bytes);
  }
  CHECK(held < 4'300'000);
  tick(env, "1", 2, {});
  CHECK(follower.executed == env.node(NodeId{1}).executed);
  CHECK(follower.core->status().backlog_bytes == 0);
}

TEST_CASE("who has much to apply lets others campaign first [F53]") {
  TraceEnv env = led_cluster("3 election=6 ready-bytes=10000");
  env.run({"propose 1 size=20000"});
  go_on(env, {2});
  tick(env, "1", 2, {2});
  env.run({"crash 1"});
  CHECK(env.node(NodeId{2}).core->status().backlog_bytes > 20000);
  env.run({"tick 2 count=6"});
  CHECK(role(env, 2) == Role::kFollower);
  CHECK(env.network.empty());
  SUBCASE("another one is ready: it leads") {
    tick(env, "3", 6, {2});
    CHECK(role(env, 3) == Role::kLeader);
  }
  SUBCASE("nobody does it: then it campaigns all the same") {
    env.run({"tick 2 count=6"});
    CHECK(role(env, 2) == Role::kPreCandidate);
  }
}

TEST_CASE("who was behind after a start, and has caught up, campaigns with the others [F53]") {
  TraceEnv env = led_cluster("3 election=6 ready-bytes=10000");
  env.run({"propose 1 size=20000"});
  go_on(env, {2});
  tick(env, "1", 2, {2});
  env.run({"crash 1", "apply 2"});
  env.run({"tick 2 count=6"});
  CHECK(role(env, 2) == Role::kPreCandidate);
}

TEST_CASE(
    "after a start what is to be applied has no known size: their number and mean count [F53]") {
  TraceEnv env = led_cluster("3 election=6 ready-bytes=100000");
  for (int i = 0; i < 10; ++i) {
    env.run({"propose 1 size=20000"});
    go_on(env, {});
  }
  tick(env, "1", 2, {});
  env.node(NodeId{2}).flush_state(LogIndex{2});
  env.run({"crash 1", "crash 2", "start 2", "tick 2 count=6"});
  CHECK(role(env, 2) == Role::kFollower);
  env.run({"tick 2 count=6"});
  CHECK(role(env, 2) == Role::kPreCandidate);
}

TEST_CASE(
    "leadership is handed to who has little to apply, also if others have as long a log [F53]") {
  TraceEnv env = led_cluster("3 election=6 ready-bytes=10000");
  env.run({"propose 1 size=20000"});
  go_on(env, {2});
  tick(env, "1", 6, {2});  // twice: an answer is from before what it commits is applied
  env.run({"transfer 1 id=5"});
  go_on(env, {2});
  CHECK(role(env, 3) == Role::kLeader);
}

TEST_CASE("a leader that cannot serve for an election timeout hands over to one that can [F53]") {
  TraceEnv env = led_cluster("3 election=6 ready-bytes=10000");
  env.run({"propose 1 size=20000"});
  go_on(env, {2});
  tick(env, "1", 2, {2});
  env.run({"transfer 1 id=5 to=2"});  // an operator may ask for what he likes
  go_on(env, {2});
  REQUIRE(role(env, 2) == Role::kLeader);
  CHECK_FALSE(env.node(NodeId{2}).core->status().ready);
  tick(env, "2", 5, {2});
  CHECK(role(env, 2) == Role::kLeader);
  tick(env, "2", 3, {2});
  CHECK(role(env, 2) == Role::kFollower);
  const bool one_leads = role(env, 1) == Role::kLeader || role(env, 3) == Role::kLeader;
  CHECK(one_leads);
  SUBCASE("and who got it is ready") {
    const uint64_t now = role(env, 1) == Role::kLeader ? 1 : 3;
    CHECK(env.node(NodeId{now}).core->status().ready);
  }
}

TEST_CASE(
    "all of them have much to apply: one leads, and stays, as nobody could serve sooner [F53]") {
  TraceEnv env = led_cluster("3 election=6 election-max=12 ready-bytes=10000");
  env.run({"propose 1 size=20000"});
  go_on(env, {2, 3});
  tick(env, "1", 2, {2, 3});
  env.run({"crash 1"});
  uint64_t leads = 0;
  for (int i = 0; i < 200 && leads == 0; ++i) {
    env.run({"tick 2", "tick 3"});
    go_on(env, {2, 3});
    leads = role(env, 2) == Role::kLeader ? 2 : role(env, 3) == Role::kLeader ? 3 : 0;
  }
  REQUIRE(leads != 0);
  tick(env, std::to_string(leads), 40, {2, 3});
  CHECK(role(env, leads) == Role::kLeader);
  CHECK_FALSE(env.node(NodeId{leads}).core->status().ready);
  go_on(env, {});
  tick(env, std::to_string(leads), 2, {});
  CHECK(env.node(NodeId{leads}).core->status().ready);
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
