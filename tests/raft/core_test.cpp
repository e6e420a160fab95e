// What traces show badly: determinism, refusals with sentences, what start needs.
#include "raft/core.hpp"

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "tests/raft/trace_env.hpp"
#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

namespace {

// A cluster whose node 1 leads and has applied its no-op.
TraceEnv led_cluster(const std::string& arguments) {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster " + arguments, "auto disk apply", "elect 1"});
  return env;
}

ChangeOutcome answer_to(TraceEnv& env, const MembershipChange& change) {
  env.node(NodeId{1}).core->change_membership({Asker::kOrder, 7}, change);
  for (const Event& event : env.node(NodeId{1}).core->take_effects().events) {
    if (const auto* done = std::get_if<MembershipDone>(&event)) {
      return done->outcome;
    }
  }
  return {};
}

std::string everything_of(uint64_t seed) {
  TraceEnv env;
  env.with_time = true;
  std::string out = env.run({"cluster 3 election=6 election-max=12", "auto disk apply"});
  Prng prng(seed);
  for (int i = 0; i < 300; ++i) {
    std::string n = std::to_string(1 + prng.below(3));
    switch (prng.below(4)) {
      case 0:
        out += env.run({"propose " + n + " \"p\""});
        break;
      case 1:
        out += env.run({"read " + n + " id=" + std::to_string(i)});
        break;
      default:
        out += env.run({"tick " + n, "deliver count=4"});
    }
  }
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE("the same inputs give the same effects, byte for byte") {
  std::string first = everything_of(3);
  CHECK(first.size() > 10000);
  CHECK(first == everything_of(3));
  CHECK(first != everything_of(4));
}

TEST_CASE("a change that makes no sense is refused with a sentence [F18]") {
  TraceEnv env = led_cluster("3");
  MembershipChange change;
  CHECK(answer_to(env, change).refusal == ChangeRefusal::kNothingChanges);
  change.add_learners = {Member{}};
  CHECK(answer_to(env, change).refusal == ChangeRefusal::kIncompleteMember);
  change.add_learners = {};
  change.promote = {NodeId{9}};
  CHECK(answer_to(env, change) == ChangeOutcome{ChangeRefusal::kNotMember, NodeId{9}});
  change.promote = {};
  change.add_learners = {
      member_of(NodeId{2}, 2)};  // wiped, together with a removal: two voters less
  change.remove = {NodeId{3}};
  CHECK(answer_to(env, change).refusal == ChangeRefusal::kReplacesVoter);
}

TEST_CASE("a voter stays while too few of the others are heard to go on without it [F18]") {
  TraceEnv env = led_cluster("3 election=6 election-max=12");
  env.run({"tick 1 count=2", "stabilize", "crash 3"});
  for (int i = 0; i < 6; ++i) {
    env.run({"tick 1", "stabilize"});
  }
  MembershipChange change;
  change.remove = {NodeId{2}};
  CHECK(answer_to(env, change) == ChangeOutcome{ChangeRefusal::kVotersNotHeard, NodeId{3}});
  CHECK(env.node(NodeId{1}).core->configuration().is_voter(NodeId{2}));
  change.remove = {NodeId{3}};
  CHECK(answer_to(env, change).done());
}

TEST_CASE("a leader that did not hear a voter in its term yet does not build on it [F18]") {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster 3", "auto disk apply", "crash 3", "elect 1"});
  MembershipChange change;
  change.remove = {NodeId{2}};
  CHECK(answer_to(env, change) == ChangeOutcome{ChangeRefusal::kVotersNotHeard, NodeId{3}});
  change.remove = {NodeId{3}};
  CHECK(answer_to(env, change).done());
}

TEST_CASE("a member may change its address; it stays what it is") {
  TraceEnv env = led_cluster("3");
  Member moved = member_of(NodeId{2});
  moved.peer_address = "elsewhere:1";
  MembershipChange change;
  change.add_learners = {moved};
  CHECK(answer_to(env, change).done());
  const Configuration& now = env.node(NodeId{1}).core->configuration();
  CHECK(now.find(NodeId{2})->peer_address == "elsewhere:1");
  CHECK(now.is_voter(NodeId{2}));
}

TEST_CASE("a member that only an older configuration knew is not replaced by rumour [F1]") {
  TraceEnv env = led_cluster("3");
  Core& core = *env.node(NodeId{1}).core;
  core.member_returned(member_of(NodeId{8}, 2));  // nobody
  core.member_returned(member_of(NodeId{2}, 1));  // the one we have
  core.member_returned(member_of(NodeId{1}, 2));  // this node itself
  CHECK(core.take_effects().empty());
}

TEST_CASE("a long write is not a hanging disk, nor are the ones that wait behind it [F26, F29]") {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster 1 election=6", "auto disk apply", "elect 1"});
  Core& core = *env.node(NodeId{1}).core;
  const auto write = [&](uint64_t sequence, size_t bytes) {
    core.propose({{NodeId{1}, incarnation_of(NodeId{1}), 1, sequence},
                  EntryKind::kBatch,
                  SharedBytes(std::string(bytes, 'x'))});
    return core.take_effects().persist->token;
  };
  const auto leads_after = [&](int ticks) {
    for (int i = 0; i < ticks; ++i) {
      core.tick();
    }
    core.take_effects();
    return core.status().role == Role::kLeader;
  };
  const PersistToken big = write(1, 8 << 20);
  write(2, 1);
  CHECK(leads_after(3 * 6));  // one timeout, and two for 8 MiB
  core.log_persisted(big);
  core.take_effects();
  CHECK(leads_after(6));  // the small one's own time begins when the big one is done
  CHECK(!leads_after(1));
}

TEST_CASE("proposals that claim another origin are not taken [F4]") {
  TraceEnv env = led_cluster("3");
  Propose body;
  body.proposals.push_back(
      {{NodeId{3}, incarnation_of(NodeId{3}), 1, 1}, EntryKind::kBatch, SharedBytes("forged")});
  body.proposals.push_back(
      {{NodeId{2}, incarnation_of(NodeId{2}), 1, 1}, EntryKind::kNoop, SharedBytes("forged")});
  Core& core = *env.node(NodeId{1}).core;
  core.step({NodeId{2}, NodeId{1}, Term{2}, body, incarnation_of(NodeId{2})});
  core.step({NodeId{2}, NodeId{1}, Term{2}, Propose{}, incarnation_of(NodeId{2})});
  core.step({NodeId{2}, NodeId{9}, Term{2}, body, incarnation_of(NodeId{2})});  // misrouted
  CHECK(core.take_effects().empty());
}

TEST_CASE("what is handed to apply and not applied yet is bounded [F28]") {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster 1", "auto disk", "elect 1"});
  RaftNode& at = env.node(NodeId{1});
  for (int i = 0; i < 100; ++i) {
    env.run({"propose 1 size=200000"});
  }
  uint64_t handed = 0;
  for (const auto& chunk : at.applying) {
    for (const Entry& entry : chunk) {
      handed += entry.payload.size();
    }
  }
  CHECK(handed >= at.options.apply_inflight_bytes_max);
  CHECK(handed <= at.options.apply_inflight_bytes_max + at.options.apply_bytes_max + 200000);
  env.run({"apply 1"});
  CHECK(at.applied() == at.core->status().last_index);
}

TEST_CASE("a restart goes on from the applied index, with old entries read back") {
  TraceEnv env = led_cluster("3 window=500");
  for (const char* payload : {"a", "b", "c", "d", "e", "f"}) {
    env.run({"propose 1 " + std::string(payload), "stabilize", "tick 1 count=2", "stabilize"});
  }
  RaftNode& at = env.node(NodeId{2});
  size_t applied = at.state.size();
  at.flush_state(LogIndex{3});
  env.run({"crash 2", "start 2"});
  CHECK(at.core->status().applied == LogIndex{3});
  CHECK(at.core->status().commit > LogIndex{3});  // the hint [F39]
  env.run({"stabilize", "tick 1 count=2", "stabilize"});
  CHECK(at.state.size() == applied);
  CHECK(at.executed == env.node(NodeId{1}).executed);
}

TEST_CASE("how far a follower is behind, and how it will be brought up, is told [§5]") {
  TraceEnv env = led_cluster("3 window=400");
  env.run({"clock 1 wall=1000000 mono=1000", "link-down 1 3", "propose 1 size=100 count=4",
           "stabilize", "clock 1 wall=1000700 mono=1700"});
  Core& core = *env.node(NodeId{1}).core;
  const auto peer = [&](size_t i) { return core.status().peers.at(i); };
  CHECK(peer(0).lag_entries == 0);
  CHECK(peer(0).lag_bytes == 0);
  CHECK(peer(0).lag_ms == 0);
  CHECK(peer(0).catch_up == CatchUp::kMemory);
  CHECK(peer(1).lag_entries == 4);
  CHECK(peer(1).lag_bytes == 4 * 228);  // one in memory, three estimated
  CHECK(peer(1).lag_ms == 700);
  CHECK(peer(1).catch_up == CatchUp::kLog);
  env.run({"flush 1", "compact 1", "link-up 1 3", "stabilize"});
  CHECK(peer(1).catch_up == CatchUp::kSnapshot);
  CHECK(core.snapshot_pinned(NodeId{3}, LogIndex{6}));
  CHECK(peer(1).snapshot_index == LogIndex{6});
}

TEST_CASE("how far a follower's wall clock is from the leader's is told [F37]") {
  TraceEnv env = led_cluster("3");
  const auto heartbeat = [&](int64_t here, int64_t there, int64_t way_back_ms) {
    const auto clock = [](int node, int64_t wall) {
      return "clock " + std::to_string(node) + " wall=" + std::to_string(wall) + " mono=1";
    };
    env.run({clock(1, here), clock(2, there), "drop", "tick 1 count=4", "deliver to=2",
             clock(1, here + way_back_ms), "deliver to=1"});
    return env.node(NodeId{1}).core->status().peers.at(0).clock_ahead_ms;
  };
  CHECK_FALSE(env.node(NodeId{1}).core->status().peers.at(0).clock_ahead_ms.has_value());
  CHECK(heartbeat(5'000'000, 5'000'020, 40) == 0);
  CHECK(heartbeat(6'000'000, 9'600'010, 20) == 3'600'000);
  CHECK(heartbeat(7'000'000, 6'400'000, 0) == -600'000);
  // One that came late tells nothing: the last one stays.
  CHECK(heartbeat(8'000'000, 8'000'000, 5'000) == -600'000);
  CHECK(heartbeat(9'000'000, 9'000'000, 0) == 0);
}

TEST_CASE("a transfer whose follower got on without it holds no log back [F13]") {
  TraceEnv env = led_cluster("3");
  env.run({"propose 1 a", "stabilize"});
  Core& core = *env.node(NodeId{1}).core;
  CHECK(core.snapshot_pinned(NodeId{3}, LogIndex{2}));
  env.run({"flush 1", "compact 1"});
  CHECK(core.status().first_index == LogIndex{4});
  CHECK(core.status().peers.at(1).snapshot_index == LogIndex{});
}

TEST_CASE("what a failed transfer needs of the log stays for the next attempt, once [F13]") {
  TraceEnv env = led_cluster("3");
  env.run({"link-down 1 3", "propose 1 a", "propose 1 b", "stabilize"});
  Core& core = *env.node(NodeId{1}).core;
  REQUIRE(core.snapshot_pinned(NodeId{3}, LogIndex{3}));
  core.snapshot_done(NodeId{3}, LogIndex{}, false);
  env.run({"flush 1", "compact 1"});
  CHECK(core.status().first_index == LogIndex{3});  // not above it, as without the hold
  CHECK(core.snapshot_pinned(NodeId{3}, LogIndex{3}));
  env.run({"tick 1 count=400", "stabilize"});
  core.snapshot_done(NodeId{3}, LogIndex{}, false);
  env.run({"flush 1", "compact 1"});
  CHECK(core.status().first_index > LogIndex{3});
}

// Each on its own local election timeout: the one that led told its readers more than the next one
// would have started above.
TEST_CASE("members with different election timeouts agree on how far a reader's time may be [F9]") {
  TraceEnv env;
  env.quiet = true;
  env.run({"cluster 3"});
  for (auto& [id, at] : env.nodes) {
    at.options.election_timeout_min_ms = id == NodeId{1} ? 1000 : 200;
    at.start();
  }
  env.run({"auto disk apply", "clock 1 wall=100000 mono=1", "elect 1"});
  env.run({"clock 1 wall=100900 mono=901", "read 1 id=9"});
  Core& old_leader = *env.node(NodeId{1}).core;
  int64_t told_ms = 0;
  while (!env.network.empty()) {
    for (const Message& message : std::exchange(env.network, {})) {
      if (message.to != NodeId{1}) {
        env.deliver(message);
        continue;
      }
      old_leader.step(message);
      for (const ReadReady& ready : old_leader.take_effects().reads) {
        told_ms = ready.now_ms;
      }
    }
  }
  CHECK(told_ms > 100000);
  env.run({"crash 1", "tick 3 count=6", "drop", "clock 2 wall=99000 mono=1", "elect 2"});
  REQUIRE(env.node(NodeId{2}).core->status().role == Role::kLeader);
  const std::vector<Entry> entries = env.node(NodeId{2}).disk_entries();
  CHECK(entries.back().stamp_ms > told_ms);
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
