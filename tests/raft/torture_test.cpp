// Random schedules over a few cores: messages lost, repeated and reordered, nodes crashed with part
// of their writes, disks that lag. Quick to run and to debug; tests/sim is the thorough one.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
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
      at.complete_write();
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

  RaftNode* leader() {
    RaftNode* best = nullptr;
    for (auto& [id, at] : env.nodes) {
      if (at.core && at.core->status().role == Role::kLeader &&
          (best == nullptr || at.core->status().term > best->core->status().term)) {
        best = &at;
      }
    }
    return best;
  }

  // Members come, go, hand over and lose their directories: one wiped node at a time, as a second
  // one could take the last copy of something with it.
  void step_membership() {
    for (NodeId id : wiped) {
      for (auto& [other, at] : env.nodes) {
        if (at.core && other != id) {
          at.core->member_returned(member_of(id, env.lives[id]));
          env.settle(other);
        }
      }
    }
    RaftNode* at = leader();
    // Until its old life is known to be dead (F49) a wiped voter is one: without another one the
    // rest might be no majority.
    if (at == nullptr || std::ranges::any_of(wiped, [&](NodeId id) {
          const Member* known = at->core->configuration().find(id);
          return known != nullptr && known->incarnation != env.nodes.at(id).options.incarnation;
        })) {
      return;
    }
    Status s = at->core->status();
    NodeId self = s.id;
    const Member& any = s.configuration.members[prng.below(s.configuration.members.size())];
    uint64_t dice = prng.below(10);
    if (dice < 2 && s.configuration.members.size() < 6) {
      NodeId fresh{next_id++};
      env.run({"node " + std::to_string(fresh.value) +
               " heartbeat=2 election=8 election-max=16 window=2000 message=700"});
      std::string list = std::to_string(fresh.value);
      std::string change =
          "change " + std::to_string(self.value) + " add=" + list + " promote=" + list;
      if (prng.chance(1, 3) && s.configuration.voters.size() > 2) {
        change += " remove=" + std::to_string(any.id.value);
      }
      env.run({change});
    } else if (dice < 4 && s.configuration.voters.size() > 2) {
      env.run({"change " + std::to_string(self.value) + " remove=" + std::to_string(any.id.value)});
    } else if (dice < 7) {
      env.run({"transfer " + std::to_string(self.value)});
    } else if (may_wipe(s, any.id)) {
      env.run({"crash " + std::to_string(any.id.value), "wipe " + std::to_string(any.id.value)});
      wiped = {any.id};
      ++wipes;
      checked[any.id] = 0;
    }
  }

  bool may_wipe(const Status& s, NodeId id) {
    bool settled = s.configuration.voters.size() > 2 && !s.configuration.is_joint() &&
                   s.configuration.voters.size() == s.configuration.members.size();
    for (auto& [other, at] : env.nodes) {
      const Member* member = s.configuration.find(other);
      if (member == nullptr) {
        continue;
      }
      settled = settled && at.core && member->incarnation == at.options.incarnation &&
                at.core->configuration() == s.configuration;
    }
    return settled && s.commit >= at_configuration(s) && env.nodes.at(id).core.has_value();
  }

  LogIndex at_configuration(const Status& s) {
    LogIndex last;
    for (const Entry& entry : env.nodes.at(s.id).disk_entries()) {
      last = entry.kind == EntryKind::kConfiguration ? entry.index : last;
    }
    return last;
  }

  bool is_member(NodeId id) {
    const RaftNode& at = env.nodes.at(id);
    return leader() != nullptr && leader()->core->configuration().has(id, at.options.incarnation);
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
      for (NodeId id : wiped) {
        if (leader() != nullptr && !is_member(id)) {
          leader()->core->member_returned(member_of(id, env.lives[id]));
        }
      }
      for (auto& [id, at] : env.nodes) {
        at.core->tick();
        env.settle(id);
      }
      env.stabilize();
      check();
    }
    REQUIRE(leader() != nullptr);
    size_t leaders = 0;
    for (auto& [id, at] : env.nodes) {
      leaders += at.core->status().role == Role::kLeader ? 1 : 0;
      CHECK((at.core->status().ready || !is_member(id)));
    }
    REQUIRE(leaders == 1);
    Configuration final_one = leader()->core->configuration();
    CHECK(!final_one.is_joint());
    CHECK(final_one.promoting.empty());
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
      CHECK((at.state.size() == applied.size() || !is_member(id)));
    }
  }

  TraceEnv env;
  Prng prng;
  std::set<std::pair<NodeId, NodeId>> cut;
  std::map<Term, NodeId> leader_of;
  std::vector<Entry> applied;
  std::map<NodeId, size_t> checked;
  std::set<NodeId> wiped;  // the last one; it may be back already
  uint64_t next_id = 10;
  uint64_t wipes = 0;
};

}  // namespace

namespace {

// How many seeds a test runs; RAFT_TORTURE_SEEDS=5000 for a long look, RAFT_TORTURE_FIRST to
// replay.
uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("random faults never break agreement, and the cluster recovers [§3.6.3, F12, F23]") {
  uint64_t entries = 0;
  const uint64_t first = number_from("RAFT_TORTURE_FIRST", 1);
  const uint64_t count = number_from("RAFT_TORTURE_SEEDS", 60);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    Torture torture(seed, seed % 3 == 0 ? 5 : 3);
    for (int i = 0; i < 1500; ++i) {
      torture.step();
    }
    torture.heal();
    entries += torture.applied.size();
  }
  CHECK(entries > 50 * count);  // it did something
}

TEST_CASE("members that come, go and lose their directories lose nothing [F1, F18, §4]") {
  uint64_t wipes = 0;
  uint64_t configurations = 0;
  const uint64_t first = number_from("RAFT_TORTURE_FIRST", 1);
  const uint64_t count = number_from("RAFT_TORTURE_SEEDS", 60);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    Torture torture(seed, 3);
    for (int i = 0; i < 1500; ++i) {
      torture.step();
      if (i % 20 == 0) {
        torture.step_membership();
      }
    }
    torture.heal();
    wipes += torture.wipes;
    configurations += static_cast<uint64_t>(
        std::ranges::count(torture.applied, EntryKind::kConfiguration, &Entry::kind));
  }
  CHECK(wipes > count / 2);
  CHECK(configurations > 5 * count);
}

}  // namespace kiwi::raft::testing
