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
    : options(given), prng(given.seed), network(*this), checks(*this), clients(*this) {}
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
  for (uint64_t i = 1; i <= count; ++i) {
    nodes.push_back(std::make_unique<Node>(*this, NodeId{i}, incarnation_of(i, 1)));
    std::string port = std::to_string(i);
    configuration.members.push_back(
        {NodeId{i}, incarnation_of(i, 1), "sim:" + port, "sim:1" + port});
    configuration.voters.push_back(NodeId{i});
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
  switch (prng.below(16)) {
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

void World::restart_later(Node& node, int64_t within_us) {
  timeline.after(10'000 + static_cast<int64_t>(prng.below(static_cast<uint64_t>(within_us))),
                 [this, &node] {
                   if (!node.running()) {
                     node.start();
                     for (auto& other : nodes) {
                       if (other->running() && other->id() != node.id()) {
                         other->link(node.id(), true);
                       }
                     }
                   }
                 });
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

bool World::converged() const {
  LogIndex last;
  size_t leaders = 0;
  for (const auto& node : nodes) {
    if (!node->running() || !node->serves() || node->router_status().pending_batches != 0) {
      return false;
    }
    raft::Status status = node->status();
    leaders += status.role == raft::Role::kLeader && status.ready ? 1 : 0;
    last = std::max(last, status.last_index);
  }
  for (const auto& node : nodes) {
    if (node->applied() != last) {
      return false;
    }
  }
  return leaders == 1;
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
  for (auto& node : nodes) {
    clients.ask_everything(node->id());
    await_convergence();
    FinalState state = clients.take_final_state();
    if (node == nodes.front()) {
      first = state;
    } else if (state != first) {
      auto [a, b] = std::mismatch(first.begin(), first.end(), state.begin(), state.end());
      throw Violation{"heal", "nodes 1 and " + std::to_string(node->id().value) + " differ in " +
                                  (a != first.end() ? a->first + " = " + a->second.at(0) : "?") +
                                  " and " +
                                  (b != state.end() ? b->first + " = " + b->second.at(0) : "?")};
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
    text += node->running() ? "" : ", node " + std::to_string(node->id().value) + " is down";
  }
  return text;
}

}  // namespace kiwi::sim
