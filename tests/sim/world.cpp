#include "tests/sim/world.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/checksum.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kHealUs = 20 * kSecondUs;

std::string temporary_directory() {
  const char* memory = "/dev/shm";
  std::string path = std::filesystem::is_directory(memory)
                         ? memory
                         : std::filesystem::temp_directory_path().string();
  path += "/kiwi-sim-XXXXXX";
  CHECK_INVARIANT(mkdtemp(path.data()) != nullptr);
  return path;
}

}  // namespace

Incarnation incarnation_of(NodeId node, uint64_t life) {
  Incarnation incarnation;
  incarnation.bytes[0] = static_cast<uint8_t>(node.value);
  incarnation.bytes[1] = static_cast<uint8_t>(life);
  incarnation.bytes[15] = 1;
  return incarnation;
}

World::World(const WorldOptions& given)
    : options(given),
      prng(given.seed),
      network(*this),
      checks(*this),
      clients(*this),
      transfers(*this),
      vote_prng_(given.seed + (uint64_t{1} << 63)) {}
World::~World() {
  nodes.clear();
  if (!directory_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
}

const std::string& World::directory() {
  if (directory_.empty()) {
    directory_ = temporary_directory();
  }
  return directory_;
}

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
  const bool none = !options.spares_always && (!options.spares || prng.chance(1, 2));
  size_t spares = none ? 0 : 1 + prng.below(2);
  for (uint64_t i = 1; i <= count + spares; ++i) {
    nodes.push_back(std::make_unique<Node>(*this, NodeId{i}, incarnation_of(NodeId{i}, 1),
                                           draw_node(options, prng)));
    if (i <= count) {
      configuration.members.push_back(nodes.back()->member());
      configuration.voters.push_back(NodeId{i});
    }
  }
  // F2: one node mints the first entry, the others get it like any other.
  raft::PersistRequest first;
  first.entries.push_back(raft::bootstrap_entry(configuration, nodes[0]->wall_ms()));
  checks.on_bootstrap(first.entries.front());
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

int64_t World::highest_clock_ms() {
  const int64_t now_ms = timeline.now_us() / 1000;
  for (const auto& node : nodes) {
    most_ahead_ms_ = std::max(most_ahead_ms_, node->wall_ms() - now_ms);
  }
  return now_ms + most_ahead_ms_;
}

int64_t World::lowest_stamp_ms() {
  for (const auto& node : nodes) {
    lowest_stamp_ms_ = std::max(lowest_stamp_ms_, node->applied_stamp_ms());
  }
  return lowest_stamp_ms_;
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

// Links are made again and again; each hello tells who is at the other end (F1, F52).
void World::hear_hellos() {
  for (auto& to : nodes) {
    for (auto& from : nodes) {
      if (to == from || !to->running() || !from->running() ||
          network.is_cut(from->id(), to->id())) {
        continue;
      }
      if (!to->hear(*from)) {
        old_copy_found(*from);
      }
      const raft::Member* known = to->core().configuration().find(from->id());
      if (known != nullptr && known->incarnation != from->incarnation()) {
        to->returned(from->member());
      }
    }
  }
}

void World::say_hello() {
  hear_hellos();
  for (auto& node : nodes) {
    if (node->running() && prng.chance(1, 8)) {
      node->draw_mark();
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

// ---------------------------------------------------------------- the end

void World::heal() {
  healing_ = true;
  if (script) {
    script->cancel();
  }
  expiry_paused = false;
  clients.mood = {};
  network.faults = {};
  network.heal();
  for (auto& node : nodes) {
    node->restore_disk();
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

// However many questions there are: each has to be answered in its time, or the client says so.
void World::await_answers() {
  while (!clients.everything_answered()) {
    if (!timeline.step()) {
      throw Violation{"heal", "a healed cluster does not answer: " + summary()};
    }
  }
}

void World::await_convergence() {
  int64_t deadline = timeline.now_us() + kHealUs;
  while (!clients.idle() || !converged()) {
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
    await_answers();
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
  check_heaps(clients.history(), first);
  check_queues(clients.history(), first);
  check_once(clients.history(), first);
  check_linearizable(clients.history());
  check_expiry(clients.history());
}

void World::run() {
  draw_world(options, mood_, prng);
  clients.mood = mood_;
  found_cluster(options.sizes[prng.below(options.sizes.size())]);
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
  std::string text = std::string(name_of(options.profile)) + ": " + std::to_string(nodes.size()) +
                     " nodes, " + std::to_string(timeline.steps()) + " steps, " +
                     std::to_string(faults_injected_) + " faults, " +
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
