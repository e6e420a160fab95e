// Random schedules over a few cores: messages lost, repeated and reordered, nodes crashed with part
// of their writes, disks that lag. Quick to run and to debug; tests/sim is the thorough one.
#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "base/prng.hpp"
#include "tests/raft/trace_env.hpp"
#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

namespace {

struct Torture {
  explicit Torture(uint64_t seed, uint64_t count) : prng(seed) {
    env.quiet = true;
    std::string line = "cluster " + std::to_string(count) +
                       " heartbeat=2 election=8 election-max=16 window=2000 message=700";
    env.run({line});
  }

  // Election safety and log matching, over everything that was ever written or applied.
  void check() {
    for (auto& [id, at] : env.nodes) {
      if (at.core) {
        Status s = at.core->status();
        if (s.role == Role::kLeader) {
          NodeId& leader = leader_of.try_emplace(s.term, id).first->second;
          REQUIRE_MESSAGE(leader == id, "two leaders in term " << s.term.value);
        }
      }
      for (size_t i = checked[id]; i < at.state.size(); ++i) {
        if (i < applied.size()) {
          REQUIRE_MESSAGE(applied[i] == at.state[i], "node " << id.value << " applied "
                                                             << text_of(at.state[i]) << ", others "
                                                             << text_of(applied[i]));
        } else {
          applied.push_back(at.state[i]);
        }
      }
      checked[id] = at.state.size();
    }
  }

  void step_network() {
    if (env.network.empty()) {
      return;
    }
    size_t at = prng.chance(1, 5) ? prng.below(env.network.size()) : 0;
    Message message = env.network[at];
    if (!prng.chance(1, 20)) {
      env.network.erase(env.network.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (!prng.chance(1, 12) && !cut.contains({message.from, message.to})) {
      env.deliver(message);
    }
  }

  void step_node(NodeId id, RaftNode& at) {
    if (!at.core) {
      if (prng.chance(1, 10)) {
        at.start();
        checked[id] = std::min<size_t>(checked[id], at.state.size());
        env.settle(id);
      }
      return;
    }
    uint64_t dice = prng.below(100);
    if (dice < 30) {
      at.core->tick();
    } else if (dice < 60 && !at.writing.empty()) {
      at.core->log_persisted(at.write_one());
    } else if (dice < 75 && !at.applying.empty()) {
      at.apply_chunk();
    } else if (dice < 85 && !at.reads_wanted.empty()) {
      at.answer_log_read();
    } else if (dice < 95) {
      propose(id, at);
    } else if (dice < 96 && prng.chance(1, 4)) {
      at.flush_state();
    } else if (dice == 97 && prng.chance(1, 10)) {
      at.crash(prng.below(3));
      return;
    }
    env.settle(id);
  }

  // As an origin does: from the oldest number that was not applied yet.
  void propose(NodeId id, RaftNode& at) {
    uint64_t done = at.sessions[{id, at.options.incarnation}].sequence;
    uint64_t count = 1 + prng.below(3);
    for (uint64_t i = 1; i <= count; ++i) {
      Proposal proposal;
      proposal.number = {id, at.options.incarnation, 1, done + i};
      proposal.payload = SharedBytes(std::to_string(id.value) + "-" + std::to_string(done + i));
      at.core->propose(std::move(proposal));
    }
  }

  void step() {
    if (prng.chance(1, 400)) {
      cut.clear();
      if (prng.chance(1, 2)) {
        NodeId a{1 + prng.below(env.nodes.size())};
        for (auto& [id, at] : env.nodes) {
          cut.insert({a, id});
          if (prng.chance(1, 2)) {
            cut.insert({id, a});
          }
        }
      }
    }
    for (uint64_t i = prng.below(4); i > 0; --i) {
      step_network();
    }
    for (auto& [id, at] : env.nodes) {
      step_node(id, at);
    }
    check();
  }

  // No more faults: everybody must agree, and a new proposal must get through.
  void heal() {
    cut.clear();
    for (auto& [id, at] : env.nodes) {
      if (!at.core) {
        at.start();
        checked[id] = std::min<size_t>(checked[id], at.state.size());
        env.settle(id);
      }
    }
    for (int round = 0; round < 200; ++round) {
      for (auto& [id, at] : env.nodes) {
        at.core->tick();
        env.settle(id);
      }
      env.stabilize();
      check();
    }
    size_t leaders = 0;
    for (auto& [id, at] : env.nodes) {
      leaders += at.core->status().role == Role::kLeader ? 1 : 0;
      CHECK(at.core->status().ready);
    }
    REQUIRE(leaders == 1);
    size_t before = applied.size();
    for (auto& [id, at] : env.nodes) {
      propose(id, at);
      env.settle(id);
    }
    env.stabilize();
    for (auto& [id, at] : env.nodes) {  // commits ride on heartbeats
      at.core->tick();
      at.core->tick();
      env.settle(id);
    }
    env.stabilize();
    check();
    CHECK(applied.size() > before);
    for (auto& [id, at] : env.nodes) {
      CHECK(at.state.size() == applied.size());
    }
  }

  TraceEnv env;
  Prng prng;
  std::set<std::pair<NodeId, NodeId>> cut;
  std::map<Term, NodeId> leader_of;
  std::vector<Entry> applied;
  std::map<NodeId, size_t> checked;
};

}  // namespace

TEST_CASE("random faults never break agreement, and the cluster recovers [§3.6.3, F12, F23]") {
  uint64_t entries = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Torture torture(seed, seed % 3 == 0 ? 5 : 3);
    for (int i = 0; i < 1500; ++i) {
      torture.step();
    }
    torture.heal();
    entries += torture.applied.size();
  }
  CHECK(entries > 3000);  // it did something
}

}  // namespace kiwi::raft::testing
