#include "tests/sim/world.hpp"

#include <algorithm>
#include <utility>

#include "base/checksum.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kHealUs = 20 * kSecondUs;

Incarnation incarnation_of(uint64_t node, uint64_t life) {
  Incarnation incarnation;
  incarnation.bytes[0] = static_cast<uint8_t>(node);
  incarnation.bytes[1] = static_cast<uint8_t>(life);
  incarnation.bytes[15] = 1;
  return incarnation;
}

}  // namespace

World::World(const WorldOptions& given)
    : options(given),
      prng(given.seed),
      network(*this),
      checks(*this),
      clients(*this),
      transfers(*this),
      vote_prng_(given.seed + (uint64_t{1} << 63)) {}
World::~World() = default;

Node* World::find(NodeId id) {
  for (auto& node : nodes) {
    if (node->id() == id) {
      return node.get();
    }
  }
  return nullptr;
}

void World::trace(std::string_view what, NodeId node, uint64_t a, uint64_t b) {
  uint64_t fields[] = {fingerprint_, static_cast<uint64_t>(timeline.now_us()), node.value, a, b};
  fingerprint_ =
      checksum64(what, checksum64({reinterpret_cast<const char*>(fields), sizeof(fields)}));
  if (options.keep_trace) {
    trace_text_ += std::to_string(timeline.now_us());
    trace_text_.append(" n").append(std::to_string(node.value)).append(" ").append(what);
    trace_text_.append(" ").append(std::to_string(a)).append(" ").append(std::to_string(b));
    trace_text_ += '\n';
  }
}

// ---------------------------------------------------------------- the cluster

void World::found_cluster(size_t count) {
  raft::Configuration configuration;
  configuration.cluster.bytes[0] = 1;
  voters_min_ = std::min<size_t>(count, 3);
  size_t spares = prng.chance(1, 2) ? 0 : 1 + prng.below(2);
  for (uint64_t i = 1; i <= count + spares; ++i) {
    nodes.push_back(std::make_unique<Node>(*this, NodeId{i}, incarnation_of(i, 1)));
    if (i <= count) {
      configuration.members.push_back(nodes.back()->member());
      configuration.voters.push_back(NodeId{i});
    }
  }
  // F2: one node mints the first entry, the others get it like any other.
  raft::PersistRequest first;
  first.entries.push_back(raft::bootstrap_entry(configuration, nodes[0]->wall_ms()));
  first.hard_state = raft::HardState{Term{1}, NodeId{}};
  for (size_t i = 0; i < (prng.chance(1, 2) ? count : 1); ++i) {
    nodes[i]->disk().persist(first).has_value();
  }
  for (auto& node : nodes) {
    node->set_drift(static_cast<int64_t>(prng.below(61)) - 30);
    node->jump_clock(static_cast<int64_t>(prng.below(2000)) - 1000);
    node->start();
  }
  say_hello();
}

Node* World::ready_leader() {
  for (auto& node : nodes) {
    if (node->running()) {
      raft::Status status = node->status();
      if (status.role == raft::Role::kLeader && status.ready) {
        return node.get();
      }
    }
  }
  return nullptr;
}

// Links are made again and again; each hello tells who is at the other end (F1).
void World::say_hello() {
  for (auto& to : nodes) {
    for (auto& from : nodes) {
      if (to != from && to->running() && from->running() && !network.is_cut(from->id(), to->id())) {
        const raft::Member* known = to->core().configuration().find(from->id());
        if (known != nullptr && known->incarnation != from->incarnation()) {
          to->returned(from->member());
        }
      }
    }
  }
  timeline.after(250'000, [this] { say_hello(); });
}

Node* World::any_running() {
  std::vector<Node*> running;
  for (auto& node : nodes) {
    if (node->running()) {
      running.push_back(node.get());
    }
  }
  return running.empty() ? nullptr : running[prng.below(running.size())];
}

// ---------------------------------------------------------------- the nemesis

void World::nemesis() {
  if (healing_) {
    return;
  }
  break_something();
  timeline.after(50'000 + static_cast<int64_t>(prng.below(700'000)), [this] { nemesis(); });
}

void World::break_something() {
  ++faults_injected_;
  Node* node = any_running();
  if (options.snapshot_entries != 0 && prng.chance(1, 8)) {
    transfers.unasked();
    return;
  }
  switch (prng.below(18)) {
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
        node->set_disk_delay(prng.chance(1, 2) ? 300 : static_cast<int64_t>(prng.below(400'000)));
      }
      break;
    case 10:
      if (node != nullptr) {
        node->pause(static_cast<int64_t>(prng.below(1'200'000)));
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
    default:
      if (node != nullptr) {
        node->transfer(prng.chance(1, 2) ? NodeId{} : NodeId{1 + prng.below(nodes.size())});
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

void World::crash_some() {
  bool all = prng.chance(1, 6);
  for (auto& node : nodes) {
    if (node->running() && (all || prng.chance(1, 3))) {
      node->crash();
      clients.node_crashed(node->id());
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
      node.crash();
      clients.node_crashed(node.id());
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
                     node.crash();
                     clients.node_crashed(node.id());
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
    return find(member.id)->incarnation() != member.incarnation;
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
  }
  trace("change", leader->id(), change.add_learners.size() * 10 + change.promote.size(),
        change.remove.size());
  leader->change(std::move(change));
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
  if (victim.running()) {
    victim.crash();
    clients.node_crashed(victim.id());
  }
  victim.wipe(incarnation_of(victim.id().value, ++lives_));
  restart_later(victim, 500'000);
}

// ---------------------------------------------------------------- the end

void World::heal() {
  healing_ = true;
  network.faults = {};
  network.heal();
  for (auto& node : nodes) {
    node->set_disk_delay(300);
    node->pause(0);
    if (!node->running()) {
      restart_later(*node, 100'000);
    }
  }
}

// Who belongs to the cluster in the end: what the one leader says.
const raft::Configuration* World::members() const {
  const raft::Configuration* found = nullptr;
  for (const auto& node : nodes) {
    if (node->running()) {
      raft::Status status = node->status();
      if (status.role == raft::Role::kLeader && status.ready) {
        found = found == nullptr ? &node->core().configuration() : nullptr;
      }
    }
  }
  return found;
}

bool World::converged() const {
  const raft::Configuration* configuration = members();
  if (configuration == nullptr || configuration->is_joint()) {
    return false;
  }
  LogIndex last;
  for (const raft::Member& member : configuration->members) {
    const Node& node = *nodes[member.id.value - 1];
    if (!node.running() || !node.serves() || node.incarnation() != member.incarnation ||
        node.router_status().pending_batches != 0) {
      return false;
    }
    last = std::max(last, node.status().last_index);
  }
  for (const raft::Member& member : configuration->members) {
    if (nodes[member.id.value - 1]->applied() != last) {
      return false;
    }
  }
  return true;
}

void World::await_convergence() {
  int64_t deadline = timeline.now_us() + kHealUs;
  while (!clients.idle() || !clients.everything_answered() || !converged()) {
    if (timeline.now_us() > deadline || !timeline.step()) {
      throw Violation{"heal", "a healed cluster does not come to rest: " + summary()};
    }
  }
}

void World::check_final_state() {
  FinalState first;
  bool is_first = true;
  const std::vector<raft::Member> all = members()->members;
  for (const raft::Member& member : all) {
    Node* node = find(member.id);
    clients.ask_everything(node->id());
    await_convergence();
    FinalState state = clients.take_final_state();
    if (std::exchange(is_first, false)) {
      first = state;
    } else if (state != first) {
      auto [a, b] = std::mismatch(first.begin(), first.end(), state.begin(), state.end());
      throw Violation{"heal", "nodes " + std::to_string(all.front().id.value) + " and " +
                                  std::to_string(node->id().value) + " differ in " +
                                  (a != first.end() ? a->first + " = " + a->second.at(0) + " of " +
                                                          std::to_string(a->second.size())
                                                    : "?") +
                                  " and " +
                                  (b != state.end() ? b->first + " = " + b->second.at(0) + " of " +
                                                          std::to_string(b->second.size())
                                                    : "?")};
    }
  }
  check_exactly_once(clients.history(), first);
  check_linearizable(clients.history());
  check_expiry(clients.history());
}

void World::run() {
  static constexpr size_t kSizes[] = {1, 3, 3, 3, 5, 5};
  if (prng.chance(1, 3)) {
    options.uncommitted_bytes_max = 100 + prng.below(600);
  }
  if (prng.chance(4, 5)) {
    options.snapshot_entries = 5 + prng.below(prng.chance(1, 2) ? 20 : 120);
    options.keep_entries = prng.chance(1, 2) ? 0 : prng.below(30);
    options.keep_laggards = prng.chance(1, 2) ? 0 : prng.below(200);
  }
  found_cluster(kSizes[prng.below(std::size(kSizes))]);
  clients.start(3 + prng.below(4));
  timeline.after(static_cast<int64_t>(prng.below(1'500'000)), [this] { nemesis(); });
  while (timeline.now_us() < options.faults_us && timeline.step()) {
  }
  heal();
  size_t ok = clients.count(Fate::kOk);
  int64_t serving = timeline.now_us() + 5 * kSecondUs;
  while (timeline.now_us() < serving && timeline.step()) {
  }
  if (clients.count(Fate::kOk) < ok + 20) {
    throw Violation{"heal", "a healed cluster does not serve: " + summary()};
  }
  clients.stop();
  await_convergence();
  check_final_state();
}

std::string World::summary() const {
  std::string text = std::to_string(nodes.size()) + " nodes, " + std::to_string(timeline.steps()) +
                     " steps, " + std::to_string(faults_injected_) + " faults, " +
                     std::to_string(checks.committed().entries.size()) + " entries, ok " +
                     std::to_string(clients.count(Fate::kOk)) + ", failed " +
                     std::to_string(clients.count(Fate::kFailed)) + ", unknown " +
                     std::to_string(clients.count(Fate::kUnknown));
  for (const auto& node : nodes) {
    text += "\n    " + node->describe();
  }
  return text;
}

}  // namespace kiwi::sim
