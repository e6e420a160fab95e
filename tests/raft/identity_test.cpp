// Who is believed to be which member (F49, F52).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/raft/trace_env.hpp"
#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

namespace {

TraceEnv led_cluster(const std::string& arguments) {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster " + arguments, "auto disk apply", "elect 1"});
  return env;
}

// A copy of a node's directory.
struct Directory {
  explicit Directory(RaftNode& of)
      : options(of.options), disk(of.disk), states{{kFirstLiveState, of.state}} {}
  CoreOptions options;
  kiwi::test::MemoryLog disk;
  std::map<std::string, std::vector<Entry>> states;
};

// It is put back and started.
void put_back(TraceEnv& env, const Directory& copy) {
  env.nodes.erase(copy.options.id);
  RaftNode& back =
      env.nodes.emplace(copy.options.id, RaftNode(copy.options, std::nullopt)).first->second;
  back.disk = copy.disk;
  back.states = copy.states;
  back.start();
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE("a member that answers is not replaced by one that says it is the same id [F49]") {
  TraceEnv env = led_cluster("3 election=6");
  env.run({"tick 1 count=2", "stabilize"});
  Core& core = *env.node(NodeId{1}).core;
  const Member double_of_2 = member_of(NodeId{2}, 9);
  core.member_returned(double_of_2);
  const Effects effects = core.take_effects();
  REQUIRE(effects.events.size() == 1);
  const auto* lives = std::get_if<MemberLives>(&effects.events[0]);
  REQUIRE(lives != nullptr);
  CHECK(lives->member == member_of(NodeId{2}));
  CHECK(lives->newcomer == double_of_2);
  CHECK_FALSE(effects.persist.has_value());
  CHECK(core.configuration().has(NodeId{2}, incarnation_of(NodeId{2})));
  CHECK(core.configuration().is_voter(NodeId{2}));
}

TEST_CASE("a member that was not heard for the longest election timeout is replaced [F49, F1]") {
  TraceEnv env = led_cluster("3 election=6 election-max=12");
  Core& core = *env.node(NodeId{1}).core;
  env.run({"tick 1 count=2", "stabilize", "crash 2"});
  const Member next = member_of(NodeId{2}, 9);
  for (int i = 0; i < 11; ++i) {
    env.run({"tick 1", "stabilize"});
    core.member_returned(next);
    env.settle(NodeId{1});
    REQUIRE(core.configuration().has(NodeId{2}, incarnation_of(NodeId{2})));
  }
  env.run({"tick 1", "stabilize"});
  core.member_returned(next);
  env.settle(NodeId{1});
  CHECK(core.configuration().has(NodeId{2}, incarnation_of(NodeId{2}, 9)));
}

TEST_CASE(
    "one that was believed dead and answers before its replacement could be proposed stays [F49]") {
  TraceEnv env = led_cluster("3 election=6 election-max=6");
  Core& core = *env.node(NodeId{1}).core;
  env.run({"tick 1 count=2", "stabilize", "link-down 1 2", "tick 1 count=4", "deliver to=3",
           "deliver to=1", "tick 1 count=3", "link-down 1 3"});
  MembershipChange change;  // another change is under way meanwhile
  change.add_learners = {member_of(NodeId{4})};
  core.change_membership({Asker::kOrder, 7}, change);
  core.member_returned(member_of(NodeId{2}, 9));
  env.settle(NodeId{1});
  env.run({"link-up 1 2", "stabilize", "tick 1 count=2", "stabilize"});
  CHECK(core.configuration().find(NodeId{4}) != nullptr);
  CHECK(core.configuration().has(NodeId{2}, incarnation_of(NodeId{2})));
}

TEST_CASE("numbers of a later start in the log prove to a node that it is an old copy [F52]") {
  TraceEnv env = led_cluster("3 election=6");
  env.node(NodeId{2}).options.boot_epoch = 1;
  env.run({"propose 2 \"a\" epoch=1", "stabilize", "tick 1 count=2", "stabilize"});
  Directory copy(env.node(NodeId{2}));
  copy.options.boot_epoch = 2;
  env.run({"propose 2 \"b\" epoch=3", "stabilize", "tick 1 count=2", "stabilize"});
  env.run({"crash 2", "drop"});
  put_back(env, copy);
  // A leader of a later term does not remember what node 2 had acknowledged, and sends it all.
  env.quiet = false;
  const std::string out = env.run({"crash 1", "start 1", "tick 3 count=6", "drop", "campaign 1",
                                   "stabilize", "tick 1 count=2", "stabilize"});
  CHECK(env.node(NodeId{1}).core->status().role == Role::kLeader);
  CHECK(out.find("2: event old-copy epoch=3") != std::string::npos);
  // It confirms nobody's leadership: it may have forgotten that it followed a later one.
  const std::string asked = env.run({"link-down 1 3", "read 1 id=7", "stabilize"});
  CHECK(asked.find("2: send 1 t") != std::string::npos);
  CHECK(asked.find("read id=7 index") == std::string::npos);
  // It has the entries and acknowledges nothing, and never campaigns.
  const PeerStatus seen = env.node(NodeId{1}).core->status().peers.at(0);
  CHECK(seen.match < env.node(NodeId{2}).core->status().last_index);
  env.run({"tick 2 count=40"});
  CHECK(env.node(NodeId{2}).core->status().role == Role::kFollower);
}

// The leader has cut what the copy lacks: no entry passes by that could tell.
TEST_CASE("numbers of a later start in a snapshot prove it before the copy answers [F52]") {
  TraceEnv env = led_cluster("3 election=6");
  env.node(NodeId{2}).options.boot_epoch = 1;
  env.run({"propose 2 \"a\" epoch=1", "stabilize", "tick 1 count=2", "stabilize"});
  Directory copy(env.node(NodeId{2}));
  copy.options.boot_epoch = 2;
  env.run({"propose 2 \"b\" epoch=3", "stabilize", "tick 1 count=2", "stabilize", "flush 1",
           "copy 1 s", "crash 2", "drop"});
  put_back(env, copy);
  env.quiet = false;
  const std::string out =
      env.run({"receive 2 s term=2", "install 2", "persisted 2", "installed 2"});
  CHECK(out.find("2: verdict install") != std::string::npos);
  CHECK(out.find("2: event old-copy epoch=3") != std::string::npos);
  const std::string after = env.run({"stabilize", "tick 2 count=40"});
  CHECK(after.find("2: send 1 t2 AppendEntriesResponse match=") == std::string::npos);
  CHECK(env.node(NodeId{2}).core->status().role == Role::kFollower);
}

// Its process was killed between the write of the log and the note that it is an old copy.
TEST_CASE("what an old copy took from a leader or a snapshot is found when it starts again [F52]") {
  for (const bool by_snapshot : {false, true}) {
    CAPTURE(by_snapshot);
    TraceEnv env = led_cluster("3 election=6");
    env.node(NodeId{2}).options.boot_epoch = 1;
    env.run({"propose 2 \"a\" epoch=1", "stabilize", "tick 1 count=2", "stabilize"});
    Directory copy(env.node(NodeId{2}));
    copy.options.boot_epoch = 2;
    env.run({"propose 2 \"b\" epoch=3", "stabilize", "tick 1 count=2", "stabilize", "flush 1",
             "copy 1 s", "crash 2", "drop"});
    put_back(env, copy);
    if (by_snapshot) {
      env.run({"receive 2 s term=2", "install 2", "persisted 2"});  // the core hears no more of it
    } else {
      env.run({"crash 1", "start 1", "tick 3 count=6", "drop", "campaign 1", "stabilize",
               "tick 1 count=2", "stabilize"});
    }
    env.run({"crash 2", "drop"});
    env.nodes.at(NodeId{2}).options.boot_epoch = 2;
    env.quiet = false;
    const std::string out = env.run({"start 2"});
    CHECK(out.find("2: event old-copy epoch=3") != std::string::npos);
    env.run({"tick 2 count=40"});  // it never campaigns
    CHECK(env.node(NodeId{2}).core->status().role == Role::kFollower);
  }
}

// The directory and a copy of it were started once each: both starts have the same number.
TEST_CASE("numbers of this very start that a node did not give prove the same [F52]") {
  TraceEnv env = led_cluster("3 election=6");
  const Directory before(env.node(NodeId{2}));
  Directory copy = before;
  copy.options.boot_epoch = 1;
  env.run({"crash 2", "drop"});
  put_back(env, copy);
  env.quiet = false;
  const std::string own =
      env.run({"tick 1 count=2", "stabilize", "propose 2 \"a\" epoch=1", "propose 2 \"b\" epoch=1",
               "stabilize", "tick 1 count=2", "stabilize"});
  CHECK(own.find("\"b\"") != std::string::npos);
  CHECK(own.find("old-copy") == std::string::npos);  // its own ones come back to it
  env.run({"crash 2", "drop"});
  put_back(env, copy);
  const std::string out = env.run({"crash 1", "start 1", "tick 3 count=6", "drop", "campaign 1",
                                   "stabilize", "tick 1 count=2", "stabilize"});
  CHECK(env.node(NodeId{1}).core->status().role == Role::kLeader);
  CHECK(out.find("2: event old-copy epoch=1") != std::string::npos);
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
