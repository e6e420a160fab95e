#include "tests/actors/cluster.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "tests/actors/cluster_state.hpp"

namespace kiwi::actors::test {

namespace {
constexpr int64_t kTickMs = 25;
constexpr int64_t kTimerMs = 100;
constexpr int64_t kStepMs = 5;
constexpr size_t kJobsMax = 2'000'000;  // of one moment: more is a livelock
}  // namespace

// ---------------------------------------------------------------- sockets and links

void FakeStream::deliver() {
  if (!events_.received || closed_) {
    return;  // not started, or over
  }
  if (!paused_ && !input_.empty()) {
    const std::string bytes = std::exchange(input_, {});
    const auto received = events_.received;
    received(bytes);
  }
  if (hung_up_ && !closed_) {
    closed_ = true;
    const auto closed = std::exchange(events_, {}).closed;
    closed();
  }
}

void LinkActor::enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) {
  if (mail->content().match_elements<PeerFrame>()) {
    accept(*this, mail->content().get_as<PeerFrame>(0));
  }
}

void Cluster::State::accept_frame(size_t from, size_t to, LinkActor& link, PeerFrame frame) {
  ++sent[{from, to}];
  const auto kind = static_cast<FrameKind>(frame.kind);
  // Parts, acks and hellos keep TCP's promises.
  const bool whole = kind == FrameKind::kWhole || kind == FrameKind::kSnapshot;
  if (deaf.contains({from, to}) || (whole && prng.chance(faults.dropped, 1000))) {
    return;
  }
  const bool twice = whole && prng.chance(faults.repeated, 1000);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    int64_t due_ms = now_ms;
    if (whole && prng.chance(faults.delayed, 1000)) {
      due_ms += 1 + static_cast<int64_t>(prng.below(static_cast<uint64_t>(faults.delay_max_ms)));
    }
    link.frames.push_back({frame, due_ms});
  }
}

void Cluster::State::join(size_t a, size_t b) {
  const auto make = [this](size_t from, size_t to) {
    caf::actor_config cfg;
    auto link = caf::make_actor<LinkActor, caf::strong_actor_ptr>(
        system->next_actor_id(), system->node(), system.get(), cfg);
    static_cast<LinkActor*>(link->get())->accept = [this, from, to](LinkActor& l, PeerFrame frame) {
      accept_frame(from, to, l, std::move(frame));
    };
    links[{from, to}] = link;
    return caf::actor_cast<PeerPort>(link);
  };
  const PeerPort there = make(a, b);
  make(b, a);
  const LinkToken token = "link" + std::to_string(++link_generation);
  tokens[std::minmax(a, b)] = token;
  const auto incarnation = [this](size_t i) { return logs[i][0]->identity()->incarnation; };
  caf::anon_send(nodes[b]->replica, LinkExpected{NodeId{a + 1}, incarnation(a), token});
  caf::anon_send(nodes[a]->replica, LinkDialled{NodeId{b + 1}, incarnation(b), token, there});
}

void Cluster::State::unjoin(size_t a, size_t b) {
  for (const auto& direction : {std::pair{a, b}, std::pair{b, a}}) {
    const auto found = links.find(direction);
    if (found != links.end()) {
      auto* link = static_cast<LinkActor*>(found->second->get());
      link->frames.clear();
      link->cleanup(caf::exit_reason::remote_link_unreachable, nullptr);
      links.erase(found);
    }
  }
}

// ---------------------------------------------------------------- running

Cluster::State::State(size_t node_count, uint64_t seed, const ClusterOptions& options_in)
    : options(options_in), prng(seed), logs(node_count), nodes(node_count), failures(node_count) {
  log_set_level(std::getenv("KIWI_TEST_LOG") != nullptr ? LogLevel::kNotice : LogLevel::kWarning);
  if (options.snapshots) {
    root = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/kiwi-actors-XXXXXX"
                                                     : "/tmp/kiwi-actors-XXXXXX";
    CHECK_INVARIANT(::mkdtemp(root.data()) != nullptr);
  }
  config.add_message_types<caf::id_block::kiwi>();
  config.set("scheduler.policy", caf::atom("testing"));
  config.set("logger.console", caf::atom("none"));
  system = std::make_unique<caf::actor_system>(config);
  scheduler = dynamic_cast<caf::scheduler::test_coordinator*>(&system->scheduler());
  CHECK_INVARIANT(scheduler != nullptr);
  prepare_logs();
  for (size_t i = 0; i < node_count; ++i) {
    start_node(i);
  }
}

Cluster::State::~State() {
  stalled.clear();
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i]) {
      end_node(i);
    }
  }
  while (scheduler->try_run_once()) {
  }
  if (!root.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }
}

bool Cluster::State::is_stalled(const caf::resumable* job) const { return stalled.contains(job); }

caf::abstract_actor* Cluster::State::part(size_t i, Part p) const {
  const Group& first = group(i);
  switch (p) {
    case Part::kRouter:
      return caf::actor_cast<caf::abstract_actor*>(first.router_actor);
    case Part::kStateMachine:
      return caf::actor_cast<caf::abstract_actor*>(first.state_machine);
    case Part::kReplica:
      return caf::actor_cast<caf::abstract_actor*>(nodes[i]->replica);
    case Part::kLogStore:
      return caf::actor_cast<caf::abstract_actor*>(first.log_store);
    case Part::kSnapshots:
      return first.snapshots ? caf::actor_cast<caf::abstract_actor*>(first.snapshots) : nullptr;
  }
  return nullptr;
}

// One message of one actor that has mail, drawn at random.
bool Cluster::State::run_one_job() {
  auto& jobs = scheduler->jobs;
  std::vector<size_t> ready;
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (!is_stalled(jobs[i])) {
      ready.push_back(i);
    }
  }
  if (ready.empty()) {
    return false;
  }
  const auto chosen = static_cast<std::ptrdiff_t>(ready[prng.below(ready.size())]);
  std::rotate(jobs.begin(), jobs.begin() + chosen, jobs.begin() + chosen + 1);
  scheduler->run_once();
  return true;
}

bool Cluster::State::deliver_one() {
  std::vector<std::pair<std::pair<size_t, size_t>, size_t>> due;
  for (const auto& [direction, link] : links) {
    const auto& frames = static_cast<LinkActor*>(link->get())->frames;
    for (size_t i = 0; i < frames.size(); ++i) {
      if (frames[i].due_ms <= now_ms) {
        due.emplace_back(direction, i);
        break;  // in order, but for those that were delayed
      }
    }
  }
  if (due.empty()) {
    return false;
  }
  const auto [direction, index] = due[prng.below(due.size())];
  auto& frames = static_cast<LinkActor*>(links.at(direction)->get())->frames;
  PeerFrame frame = std::move(frames[index].frame);
  frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(index));
  // The receiver knows its peer by the handle it answers to.
  const auto& back = links.at({direction.second, direction.first});
  caf::actor_cast<caf::abstract_actor*>(nodes[direction.second]->replica)
      ->enqueue(caf::make_mailbox_element(back, caf::make_message_id(), {}, std::move(frame)),
                nullptr);
  return true;
}

bool Cluster::State::do_elsewhere() {
  if (elsewhere.empty()) {
    return false;
  }
  const std::function<void()> job = std::move(elsewhere.front().job);
  elsewhere.pop_front();
  job();
  return true;
}

bool Cluster::State::pump() {
  bool any = false;
  for (size_t count = 0;; ++count) {
    CHECK_INVARIANT(count < kJobsMax);
    bool moved = false;
    for (Client& client : clients) {
      client.stream->deliver();
    }
    const bool job_first = prng.chance(2, 3);
    moved = job_first ? run_one_job() || deliver_one() : deliver_one() || run_one_job();
    moved = moved || do_elsewhere();
    if (!moved) {
      return any;
    }
    any = true;
    end_failed_nodes();
  }
}

void Cluster::State::end_failed_nodes() {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] && !nodes[i]->failure.empty()) {
      end_node(i);
    }
  }
}

void Cluster::State::timers() {
  for (const auto& [a, b] : std::exchange(given_up, {})) {
    unjoin(a, b);
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i]) {
      continue;
    }
    if (now_ms % kTickMs == 0) {
      caf::anon_send(nodes[i]->replica, timer_atom_v);
      nodes[i]->fanout->tick();
    }
    if (now_ms % kTimerMs == 0) {
      look_after_caches(*nodes[i]);
      for (const auto& group : nodes[i]->groups) {
        caf::anon_send(group->router_actor, timer_atom_v);
        caf::anon_send(group->state_machine, timer_atom_v);
        if (options.snapshots && !group->snapshots) {
          start_snapshots(i, *group);
        }
        if (options.snapshots) {
          group->gate.set_receiving(group->board.get().receiving);
          caf::anon_send(group->snapshots, timer_atom_v);
        }
      }
      for (size_t j = i + 1; j < nodes.size(); ++j) {
        if (nodes[j] && !links.contains({i, j})) {
          join(i, j);
        }
      }
    }
  }
}

Cluster::Cluster(size_t nodes, uint64_t seed, const ClusterOptions& options)
    : state_(std::make_unique<State>(nodes, seed, options)) {}
Cluster::~Cluster() = default;

void Cluster::run_ms(int64_t milliseconds) {
  State& s = *state_;
  const int64_t until_ms = s.now_ms + milliseconds;
  s.pump();
  while (s.now_ms < until_ms) {
    s.now_ms += kStepMs;
    s.timers();
    s.pump();
  }
}

void Cluster::ring() {
  state_->now_ms += kStepMs;
  state_->timers();
}

bool Cluster::step() {
  for (State::Client& client : state_->clients) {
    client.stream->deliver();
  }
  const bool moved = state_->run_one_job() || state_->deliver_one() || state_->do_elsewhere();
  state_->end_failed_nodes();
  return moved;
}

// ---------------------------------------------------------------- clients

int Cluster::connect(size_t node, size_t group) {
  State& s = *state_;
  Node& n = *s.nodes[node];
  auto stream = std::make_shared<FakeStream>();
  RespConnectionOptions options;
  options.node = n.context.get();
  options.info = {s.next_connection++, "client", "server", -1};
  options.stream = stream;
  options.router = n.groups[group]->router_actor;
  options.state_machine = n.groups[group]->state_machine;
  options.now_ms = [&s] { return s.now_ms; };
  options.ended = [&n](resp::ConnectionId id) { n.connections.erase(id); };
  const resp::ConnectionId id = options.info.id;
  n.connections.emplace(id, spawn_resp_connection(*s.system, Hosting{}, std::move(options)));
  s.clients.push_back({node, stream});
  return static_cast<int>(s.clients.size() - 1);
}

void Cluster::send(int client, const std::string& bytes) {
  state_->clients[static_cast<size_t>(client)].stream->client_sends(bytes);
}
std::string Cluster::take(int client) {
  return state_->clients[static_cast<size_t>(client)].stream->take();
}
bool Cluster::closed(int client) const {
  return state_->clients[static_cast<size_t>(client)].stream->closed();
}
void Cluster::hang_up(int client) {
  state_->clients[static_cast<size_t>(client)].stream->client_hangs_up();
}

std::string Cluster::command(int client, const std::string& text, int64_t patience_ms) {
  send(client, text + "\r\n");
  std::string reply;
  for (int64_t waited = 0; waited < patience_ms && reply.empty() && !closed(client);
       waited += kStepMs) {
    run_ms(kStepMs);
    reply = take(client);
  }
  return reply;
}

// ---------------------------------------------------------------- faults

void Cluster::set_faults(const LinkFaults& faults) { state_->faults = faults; }

void Cluster::deafen(size_t from, size_t to, bool deaf) {
  if (deaf) {
    state_->deaf.insert({from, to});
  } else {
    state_->deaf.erase({from, to});
  }
}

void Cluster::cut(size_t node, bool is_cut) {
  for (size_t other = 0; other < state_->nodes.size(); ++other) {
    if (other != node) {
      deafen(node, other, is_cut);
      deafen(other, node, is_cut);
    }
  }
}

void Cluster::break_link(size_t a, size_t b) { state_->unjoin(std::min(a, b), std::max(a, b)); }

void Cluster::kill(size_t node, Part part) {
  auto* actor = state_->part(node, part);
  if (actor == nullptr) {
    return;  // a worker that died and was not replaced yet
  }
  actor->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                           caf::exit_msg{actor->address(), caf::exit_reason::kill}),
                 nullptr);
}

void Cluster::crash(size_t node) { state_->end_node(node); }

void Cluster::restart(size_t node) {
  state_->failures[node].clear();
  state_->start_node(node);
}

void Cluster::stall(size_t node, Part part, bool stalled) {
  const auto* job = dynamic_cast<caf::resumable*>(state_->part(node, part));
  if (stalled) {
    state_->stalled.insert(job);
  } else {
    state_->stalled.erase(job);
  }
}

kiwi::test::MemoryLog& Cluster::log(size_t node) { return *state_->logs[node][0]; }

void Cluster::hand_over(size_t node, size_t group) {
  caf::anon_send(state_->nodes[node]->replica,
                 TransferLeadership{{}, NodeId{0}, state_->group(node, group).id});
}

void Cluster::back_up(size_t node,
                      const std::string& directory,
                      std::function<void(std::string)> done) {
  caf::anon_send(state_->group(node, 0).snapshots, BackUp{directory, std::move(done)});
}

// ---------------------------------------------------------------- what is seen

bool Cluster::alive(size_t node) const { return state_->nodes[node] != nullptr; }
std::string Cluster::failure(size_t node) const { return state_->failures[node]; }

std::optional<size_t> Cluster::leader(size_t group) const {
  std::optional<size_t> found;
  for (size_t i = 0; i < state_->nodes.size(); ++i) {
    if (!state_->nodes[i]) {
      continue;
    }
    const raft::Status& status = state_->group(i, group).status;
    if (status.role == raft::Role::kLeader && status.ready &&
        (!found || status.term > state_->group(*found, group).status.term)) {
      found = i;
    }
  }
  return found;
}

bool Cluster::sees_up(size_t node, size_t peer) const {
  const auto& peers = state_->group(node).status.peers;
  return std::ranges::any_of(
      peers, [peer](const raft::PeerStatus& p) { return p.member.id == NodeId{peer + 1} && p.up; });
}

uint64_t Cluster::window_bytes(size_t node) const {
  return state_->group(node).status.window_bytes;
}

uint64_t Cluster::backlog_bytes(size_t leader, size_t follower) const {
  for (const raft::PeerStatus& peer : state_->group(leader).status.peers) {
    if (peer.member.id == NodeId{follower + 1}) {
      return peer.backlog_bytes;
    }
  }
  return 0;
}

uint64_t Cluster::applied(size_t node, size_t group) const {
  return state_->group(node, group).state->executor->applied().value;
}
uint64_t Cluster::checksum(size_t node, size_t group) const {
  return state_->group(node, group).state->executor->state_checksum();
}

SnapshotCounts Cluster::snapshots(size_t node, size_t group) const {
  const Group& n = state_->group(node, group);
  const SnapshotReport report = n.board.get();
  SnapshotCounts counts;
  counts.made = report.created;
  counts.sent = report.sent;
  counts.received = report.received;
  counts.bytes_sent = report.counters().bytes_sent;
  counts.bytes_received = report.bytes_received;
  counts.sending = report.sending.size();
  for (const auto& [follower, sending] : report.sending) {
    counts.bytes_acknowledged += sending.progress.bytes_acknowledged;
  }
  counts.receiving = report.receiving;
  counts.deaths = n.snapshot_deaths;
  counts.mode = report.last_mode;
  return counts;
}

uint64_t Cluster::state_bytes(size_t node) const {
  return state_->group(node).state->keyspace->usage().disk_bytes;
}

std::vector<std::string> Cluster::files(size_t node) const {
  std::vector<std::string> names;
  for (const auto& item : std::filesystem::directory_iterator(state_->directory(node))) {
    names.push_back(item.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

uint64_t Cluster::log_begins_at(size_t node, size_t group) const {
  return state_->group(node, group).status.first_index.value;
}
size_t Cluster::open_connections(size_t node) const {
  return state_->nodes[node]->connections.size();
}
uint64_t Cluster::sent(size_t from, size_t to) const {
  const auto found = state_->sent.find({from, to});
  return found == state_->sent.end() ? 0 : found->second;
}

}  // namespace kiwi::actors::test
