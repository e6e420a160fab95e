// The nemesis: what breaks while a world runs, and how it comes back.
#include <algorithm>
#include <utility>

#include "tests/sim/plays.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

void World::nemesis() {
  if (healing_) {
    return;
  }
  const auto later = [this] {
    timeline.after(50'000 + static_cast<int64_t>(prng.below(700'000)), [this] { nemesis(); });
  };
  if (prng.chance(options.plays_percent, 100)) {
    ++faults_injected_;
    play(*this, [this, later] {
      if (!healing_) {
        network.heal();
        clients.mood = mood_;
        later();
      }
    });
    return;
  }
  break_something();
  later();
}

void World::break_something() {
  ++faults_injected_;
  Node* node = any_running();
  if (prng.chance(options.members_percent, 100)) {
    prng.chance(1, 2) ? change_members() : transfers.unasked();
    return;
  }
  if (options.snapshot_entries != 0 && prng.chance(1, 8)) {
    transfers.unasked();
    return;
  }
  switch (prng.below(19)) {
    case 0:
    case 1:
    case 2:
      partition();
      break;
    case 3:
    case 4:
      network.heal();
      break;
    case 5:
    case 6:
      crash_some();
      break;
    case 7:
    case 8:
      network.faults.loss_per_mille = prng.chance(1, 2) ? 0 : prng.below(200);
      network.faults.duplicate_per_mille = prng.chance(1, 2) ? 0 : prng.below(100);
      network.faults.spike_per_mille = prng.chance(1, 2) ? 0 : prng.below(60);
      network.faults.delay_us_max = 200 + static_cast<int64_t>(prng.below(20'000));
      break;
    case 9:
      if (node != nullptr) {
        slow_disk(*node);
      }
      break;
    case 10:
      if (node != nullptr) {
        pause(*node);
      }
      break;
    case 11:
    case 12:
      if (node != nullptr) {
        node->jump_clock(static_cast<int64_t>(prng.below(7'200'000)) - 3'600'000);
      }
      break;
    case 13:
    case 14:
      if (node != nullptr) {
        node->flush_state();
      }
      break;
    case 15:
    case 16:
      change_members();
      break;
    case 17:
      hold_links();
      break;
    default:
      if (node != nullptr) {
        const NodeId target = prng.chance(1, 2) ? NodeId{} : NodeId{1 + prng.below(nodes.size())};
        prng.chance(1, 2) ? node->transfer(target) : node->order(actors::HandOver{target});
      }
      break;
  }
}

void World::partition() {
  network.heal();
  uint64_t kind = prng.below(4);
  std::vector<bool> side;
  for (size_t i = 0; i < nodes.size(); ++i) {
    side.push_back(prng.chance(1, 2));
  }
  NodeId lonely{1 + prng.below(nodes.size())};
  for (auto& a : nodes) {
    for (auto& b : nodes) {
      if (a == b) {
        continue;
      }
      bool across = side[a->id().value - 1] != side[b->id().value - 1];
      bool cut = kind == 0   ? across                                  // two halves
                 : kind == 1 ? a->id() == lonely || b->id() == lonely  // one alone
                 : kind == 2 ? a->id() == lonely                       // nobody hears it
                             : across && side[a->id().value - 1];      // one way only
      if (cut) {
        network.cut(a->id(), b->id());
      }
    }
  }
}

void World::slow_disk(Node& node) {
  node.restore_disk();
  if (prng.chance(1, 2)) {
    node.set_disk_delay(static_cast<int64_t>(prng.below(400'000)));
  }
}

// Both loops, or one of them.
void World::pause(Node& node) {
  const auto us = static_cast<int64_t>(prng.below(1'200'000));
  switch (prng.below(3)) {
    case 0:
      node.pause(us);
      return;
    case 1:
      node.pause_raft(us);
      break;
    default:
      node.pause_clients(us);
  }
  coverage.hit(Mark::kOneLoopPaused);
}

// Nothing gets lost and nothing gets through, for a while.
void World::hold_links() {
  const NodeId to{1 + prng.below(nodes.size())};
  const bool both = prng.chance(1, 3);
  const auto us = 50'000 + static_cast<int64_t>(prng.below(900'000));
  for (auto& from : nodes) {
    if (from->id() != to && prng.chance(2, 3)) {
      network.hold(from->id(), to, us);
      if (both) {
        network.hold(to, from->id(), us);
      }
    }
  }
}

void World::isolate(NodeId id) {
  for (auto& other : nodes) {
    if (other->id() != id) {
      network.cut(id, other->id(), Network::Notice::kNone);
      network.cut(other->id(), id, Network::Notice::kNone);
    }
  }
}

void World::crash(Node& node) {
  node.crash();
  clients.node_crashed(node.id());
}

void World::crash_some() {
  bool all = prng.chance(1, 6);
  for (auto& node : nodes) {
    if (node->running() && (all || prng.chance(1, 3))) {
      crash(*node);
      restart_later(*node, 1'500'000);
    }
  }
}

// §3.8: a vote that was told and then forgotten can be given twice. The candidates of one term are
// close together, so the voter has to be back within milliseconds.
void World::vote_given(Node& node) {
  if (healing_ || !vote_prng_.chance(1, 3)) {
    return;
  }
  const auto down_us = static_cast<int64_t>(vote_prng_.below(3'000));
  timeline.after(1, [this, &node, down_us] {
    if (node.running()) {
      crash(node);
      timeline.after(down_us, [this, &node] { restart(node); });
    }
  });
}

void World::restart(Node& node) {
  if (node.running()) {
    return;
  }
  node.start();
  for (auto& other : nodes) {
    if (other->running() && other->id() != node.id()) {
      other->link(node.id(), true);
    }
  }
}

void World::crash_in(Node& node, int64_t within_us) {
  timeline.after(static_cast<int64_t>(prng.below(static_cast<uint64_t>(within_us))),
                 [this, &node, life = node.life()] {
                   if (!healing_ && node.running() && node.life() == life) {
                     crash(node);
                     restart_later(node, 300'000);
                   }
                 });
}

void World::restart_later(Node& node, int64_t within_us) {
  timeline.after(10'000 + static_cast<int64_t>(prng.below(static_cast<uint64_t>(within_us))),
                 [this, &node] { restart(node); });
}

// ---------------------------------------------------------------- membership

// §4, F1, F18. Never below voters_min_, so that the cluster can heal.
void World::change_members() {
  Node* leader = ready_leader();
  if (leader == nullptr) {
    return;
  }
  const raft::Configuration& now = leader->core().configuration();
  raft::MembershipChange change;
  uint64_t kind = prng.below(4);
  if (kind == 0) {
    wipe_one(*leader);
    return;
  }
  if (prng.chance(1, 3) && order_a_newcomer(now)) {
    return;
  }
  for (auto& node : nodes) {
    const raft::Member* member = now.find(node->id());
    bool used = std::ranges::binary_search(now.removed_ids, node->id());
    if (member == nullptr && !used && node->running() && prng.chance(1, 2)) {
      change.add_learners.push_back(node->member());
    } else if (member != nullptr && !now.is_voter(node->id()) && kind != 1) {
      change.promote.push_back(node->id());
    }
  }
  // Until its old life is known to be dead (F49) a wiped voter is one, and no other one may go.
  const bool one_is_wiped = std::ranges::any_of(now.members, [&](const raft::Member& member) {
    const Node& node = *find(member.id);
    return node.incarnation() != member.incarnation || node.is_old_copy();
  });
  if (now.voters.size() + change.promote.size() > voters_min_ && prng.chance(1, 2) &&
      !one_is_wiped) {
    change.remove.push_back(now.voters[prng.below(now.voters.size())]);
  }
  if (!change.remove.empty() && change.remove[0] != leader->id() && prng.chance(1, 3)) {
    for (auto& other : nodes) {  // it is away when it is removed, and does not hear of it (F25)
      if (other->id() != change.remove[0]) {
        network.cut(other->id(), change.remove[0]);
        network.cut(change.remove[0], other->id());
      }
    }
    const auto us = 200'000 + static_cast<int64_t>(prng.below(300'000));
    timeline.after(us, [this, away = change.remove[0]] { transfers.tell_removed(away); });
  }
  trace("change", leader->id(), change.add_learners.size() * 10 + change.promote.size(),
        change.remove.size());
  leader->change(std::move(change));
}

// An operator asks some node to add one that is in no cluster; whoever leads has to do it.
bool World::order_a_newcomer(const raft::Configuration& now) {
  Node* asked = any_running();
  for (auto& node : nodes) {
    const bool used = std::ranges::binary_search(now.removed_ids, node->id());
    if (asked != nullptr && now.find(node->id()) == nullptr && !used && node->running()) {
      trace("order", asked->id(), node->id().value, 0);
      asked->order(actors::AddMember{node->member()});
      return true;
    }
  }
  return false;
}

// A directory is lost for good. Only while everybody else's is there: what was acknowledged lives
// on a majority, and a second loss before the first was made good may be one too many.
void World::wipe_one(Node& leader) {
  const raft::Configuration& now = leader.core().configuration();
  if (now.voters.size() < 3 || now.is_joint() || now.members.size() != now.voters.size()) {
    return;
  }
  for (const raft::Member& member : now.members) {
    Node* node = find(member.id);
    if (node->incarnation() != member.incarnation || node->applied_or_zero() != leader.applied()) {
      return;
    }
  }
  Node& victim = *find(now.voters[prng.below(now.voters.size())]);
  wipe(victim);
  restart_later(victim, 500'000);
}

void World::old_copy_found(Node& node) {
  if (!node.is_old_copy()) {
    throw Violation{"old copies", "node " + std::to_string(node.id().value) +
                                      " is taken for an old copy of its directory and is none"};
  }
  coverage.hit(Mark::kOldCopyFound);
  const auto us = 1'000'000 + static_cast<int64_t>(prng.below(400'000));
  timeline.after(us, [this, &node, life = node.life()] {
    if (node.life() == life) {
      wipe(node);
      restart_later(node, 100'000);
    }
  });
}

raft::Member World::stranger(const Node& node) {
  raft::Member member = node.member();
  member.incarnation = incarnation_of(node.id(), ++lives_);
  return member;
}

void World::wipe(Node& victim) {
  if (victim.running()) {
    crash(victim);
  }
  victim.wipe(incarnation_of(victim.id(), ++lives_));
}

}  // namespace kiwi::sim
