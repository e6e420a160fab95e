#include "resp/router.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/command_keys.hpp"
#include "resp/router_state.hpp"
#include "resp/words.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using router::Answer;
using router::Connection;
using router::Deferred;
using router::Item;

namespace {

// wants_commit goes off only after this much silence: a message for every batch would cost more
// than the announcements it saves.
constexpr int64_t kWantsCommitLingerMs = 1000;

std::string_view text_of(Answer answer) {
  switch (answer) {
    case Answer::kNoCluster:
      return texts::kNoCluster;
    case Answer::kRemoved:
      return texts::kRemoved;
    case Answer::kLoading:
      return texts::kLoading;
    case Answer::kNoLeader:
      return texts::kNoLeader;
    case Answer::kDiskFull:
      return texts::kDiskFull;
    case Answer::kLeaderDiskFull:
      return texts::kLeaderDiskFull;
    case Answer::kTooManyWrites:
      return texts::kTooManyWrites;
    case Answer::kTooLarge:
      return texts::kTooLarge;
    case Answer::kReadTimeout:
      return texts::kReadTimeout;
    case Answer::kTimeout:
      return texts::kTimeout;
    case Answer::kMoved:
      break;  // its text depends on the request
  }
  return {};
}

// A block with such a command, too. What a script will call nobody knows here.
bool may_build(std::string_view packed) {
  PackedCommand command;
  if (!unpack_command(packed, command)) {
    return false;
  }
  if (command.kind == PackedKind::kTransaction) {
    return std::ranges::any_of(command.commands, may_build);
  }
  return !command.args.empty() &&
         (same_word(command.args[0], "copy") || same_word(command.args[0], "move"));
}

}  // namespace

// ---------------------------------------------------------------- connections and answers

bool Router::State::waits_for_commit() const {
  return service == Service::kUp && !leads() &&
         (follows_commits || waiting_clients || !pending.empty() || round != nullptr ||
          !executing.empty());
}

Connection& Router::State::connection(ConnectionId id) {
  auto [it, created] = connections.try_emplace(id);
  if (created) {
    it->second.id = id;
  }
  return it->second;
}

void Router::State::forget_if_done(Connection& c) {
  if (c.closed && c.idle() && !c.listed && &c != &internal) {
    // The executor may have heard that it closed before it got its blocking command.
    if (c.may_wait) {
      effects.gone.push_back(c.id);
    }
    connections.erase(c.id);
  }
}

void Router::State::answer(const ReplySlot& to,
                           RequestKind kind,
                           Answer answer,
                           std::string_view packed) {
  auto it = connections.find(to.connection);
  if (it == connections.end() || it->second.closed) {
    return;  // nobody listens (or an internal proposal)
  }
  if (effects.replies.empty() || effects.replies.back().connection != to.connection) {
    effects.replies.emplace_back().connection = to.connection;
  }
  ReplyBatch& batch = effects.replies.back();
  auto offset = static_cast<uint32_t>(batch.bytes.size());
  counters.cluster_down += answer == Answer::kNoLeader || answer == Answer::kRemoved ? 1 : 0;
  RespWriter reply(&batch.bytes);
  if (answer == Answer::kMoved) {
    // Clients of Redis Cluster correct their map by the slot. The keyspace is not sharded, so it
    // means nothing else.
    const auto key = first_key(packed);
    reply.error(texts::moved(key ? rocks::key_slot(*key) : 0, leader_address));
  } else {
    CHECK_INVARIANT(!text_of(answer).empty());
    reply.error(text_of(answer));
  }
  CHECK_INVARIANT(batch.bytes.size() <= UINT32_MAX);
  batch.parts.push_back({to.slot, offset, static_cast<uint32_t>(batch.bytes.size()) - offset});
  batch.failed_watch = batch.failed_watch || kind == RequestKind::kWatch;
}

void Router::State::answer_in_vain(const ReplySlot& to, RequestKind kind) {
  // Both texts are right for a read: nothing happened. TIMEOUT says that a leader was there.
  bool timeout = kind != RequestKind::kWrite && bool(leader);
  counters.timeouts += timeout ? 1 : 0;
  answer(to, kind, timeout ? Answer::kReadTimeout : Answer::kNoLeader);
}

std::optional<Answer> Router::State::refusal(RequestKind kind, int64_t now_ms) const {
  switch (service) {
    case Service::kUninitialized:
      return Answer::kNoCluster;
    case Service::kRemoved:
      return Answer::kRemoved;
    case Service::kLoading:
      return Answer::kLoading;
    case Service::kUp:
      break;
  }
  if (is_local(kind) || leads()) {
    return std::nullopt;
  }
  if (!leader) {
    // With a proxy an election is latency. Half a response timeout without any leader is not an
    // election any more: the quorum is gone, and no client should wait to be told.
    bool gone = now_ms - leaderless_since_ms >= options.response_timeout_ms / 2;
    return !options.follower_proxy || gone ? std::optional(Answer::kNoLeader) : std::nullopt;
  }
  if (options.follower_proxy) {
    return std::nullopt;
  }
  return leader_address.empty() ? Answer::kNoLeader : Answer::kMoved;
}

std::optional<Answer> Router::State::disk_refusal(int64_t now_ms) const {
  if (disk_full) {
    return Answer::kDiskFull;
  }
  return now_ms < leader_full_until_ms ? std::optional(Answer::kLeaderDiskFull) : std::nullopt;
}

// ---------------------------------------------------------------- program order (F6)

// A write waits for the connection's earlier reads to be executed, a linearizable read for its
// writes that were handed over to be settled. Behind writes that were not, it joins their batch: it
// is executed at its place among them, and that entry cannot be committed before the read arrived.
// A read must not join a batch that was handed over already, which might be committed elsewhere.
// Nor does one that may be long: where entries are applied it could not be put aside (F65).
bool Router::State::try_place(Connection& c, const Item& item) {
  if (item.kind == RequestKind::kWrite) {
    if (c.reads_out != 0 && !c.closed && !mutant(Mutant::kWriteOvertakesReads)) {
      return false;
    }
    add_write(c, item);
    return true;
  }
  if (c.closed) {
    return true;  // nobody waits for it
  }
  const bool acts = item.kind == RequestKind::kBlocking || item.kind == RequestKind::kUnblock;
  if (acts && c.reads_out != 0) {
    return false;  // it may change something, as a write
  }
  if (item.kind == RequestKind::kUnblock && comes_too_early(item.packed)) {
    return false;
  }
  c.may_wait = c.may_wait || item.kind == RequestKind::kBlocking;
  const bool waits = !mutant(Mutant::kReadIgnoresWrites);
  if (c.pending_ops != 0 && waits) {
    return false;
  }
  if (c.open_ops != 0 && waits) {
    return !item.may_be_long && attach_read(c, item);
  }
  if (is_local(item.kind) && c.linear_reads_out != 0) {
    return false;  // must not show an older state than the reads before it
  }
  if (c.aside != 0 && !mutant(Mutant::kLongReadOvertaken)) {
    return false;  // F44; those that were on their way already the executor keeps in order
  }
  add_read(c, {item.to, item.kind, item.resp_version, item.keep_packed(), item.wait_until_ms},
           item.arrival_ms);
  return true;
}

// A copy: it may wait for long, and what came with it is done before.
void Router::State::defer(Connection& c, const Item& item) {
  c.queue.push_back({{item.to, item.kind, item.resp_version, PackedBytes::copy_of(item.packed),
                      item.wait_until_ms},
                     item.arrival_ms,
                     item.may_be_long});
  ++deferred_requests;
  waiting_bytes += item.packed.size();
  if (!c.listed) {
    c.listed = true;
    deferred.push_back(&c);
  }
}

void Router::State::pump(Connection& c) {
  while (!c.queue.empty()) {
    Deferred& next = c.queue.front();
    const size_t bytes = next.op.packed.size();
    if (!try_place(c,
                   {next.op.to, next.op.kind, next.op.resp_version, next.op.packed, next.arrival_ms,
                    next.may_be_long, &next.op.packed.shared(), next.op.wait_until_ms})) {
      return;
    }
    c.queue.pop_front();
    no_longer_deferred(bytes);
  }
}

// Of every queue what came before `now - response timeout`: it was not handed over, so it has
// certainly not happened. Also drops connections without a queue from the list.
void Router::State::expire_deferred(int64_t now_ms) {
  for (size_t i = 0; i < deferred.size();) {
    Connection& c = *deferred[i];
    while (!c.queue.empty() && c.queue.front().arrival_ms + options.response_timeout_ms <= now_ms) {
      const ReadOp& op = c.queue.front().op;
      answer_in_vain(op.to, op.kind);
      no_longer_deferred(op.packed.size());
      c.queue.pop_front();
    }
    pump(c);
    if (!c.queue.empty()) {
      ++i;
      continue;
    }
    c.listed = false;
    deferred[i] = deferred.back();
    deferred.pop_back();
    forget_if_done(c);
  }
}

void Router::State::refuse_deferred(Connection& c, Answer why, int64_t now_ms) {
  const bool stale_stay = !refusal(RequestKind::kStaleRead, now_ms);
  c.queue.remove_if([&](const Deferred& waiting) {
    const ReadOp& op = waiting.op;
    if (is_local(op.kind) && stale_stay) {
      return false;
    }
    answer(op.to, op.kind, why, op.packed);
    no_longer_deferred(op.packed.size());
    return true;
  });
}

// Answers what waits here, but for stale reads that can be served. What was handed over to Raft
// stays: it may be in a log.
void Router::State::refuse_waiting(Answer why, int64_t now_ms) {
  for (Connection* c : deferred) {
    refuse_deferred(*c, why, now_ms);
  }
  for (router::OpenBatch& batch : open) {
    kill_open(batch, why, now_ms);
  }
  auto refuse_reads = [&](std::vector<router::WaitingRead>& reads) {
    std::vector<router::WaitingRead> refused = std::exchange(reads, {});
    for (router::WaitingRead& read : refused) {
      answer(read.op.to, read.op.kind, why, read.op.packed);
      read_over(*read.connection, 1, 1);
    }
  };
  refuse_reads(gathering);
  if (round) {
    refuse_reads(round->reads);
    round.reset();
  }
  if (service != Service::kUp) {
    for (const ReadOp& op : std::exchange(stale, {})) {
      answer(op.to, op.kind, why);
    }
    for (const router::Run& run : std::exchange(stale_runs, {})) {
      read_over(*run.connection, run.count, 0);
    }
  }
}

// F25: the leader says that this node is not a member, so nothing that waits here may ever end. It
// need not be final (a removal that was not committed can be taken back), so this does not decide
// whether the node serves: set_service() does. Numbers that were handed over stay, to be sent as
// void.
void Router::State::give_up(int64_t now_ms) {
  for (router::Pending& p : pending) {
    time_out(p);
  }
  refuse_waiting(service == Service::kRemoved ? Answer::kRemoved : Answer::kNoLeader, now_ms);
  for (auto& [id, record] : executing) {
    if (!std::exchange(record.cancelled, true)) {
      effects.cancel_reads.push_back(id);
    }
  }
}

// ---------------------------------------------------------------- inputs

Router::Router(const RouterOptions& options) : state_(std::make_unique<State>(options)) {}
Router::~Router() = default;

void Router::requests(RequestBatch batch, int64_t now_ms) {
  State& s = *state_;
  Connection& c = s.connection(batch.connection);
  const bool keep = router::reads_may_keep(batch);
  const SharedBytes whole = keep ? SharedBytes(std::move(batch.buffer)) : SharedBytes();
  const std::string_view buffer = keep ? whole.view() : std::string_view(batch.buffer);
  for (const Request& r : batch.requests) {
    Item item{{batch.connection, r.slot},      r.kind,         r.resp_version,
              buffer.substr(r.offset, r.size), now_ms,         r.may_be_long,
              keep ? &whole : nullptr,         r.wait_until_ms};
    std::optional<Answer> refusal = s.refusal(r.kind, now_ms);
    if (!refusal && r.kind == RequestKind::kWrite) {
      refusal = s.disk_refusal(now_ms);  // it has no number yet
      if (!refusal && s.builds_refused && may_build(item.packed)) {
        refusal = Answer::kDiskFull;
      }
    }
    if (refusal) {
      s.answer(item.to, item.kind, *refusal, item.packed);
    } else if (!c.queue.empty() || !s.try_place(c, item)) {
      s.defer(c, item);
    }
  }
}

void Router::propose_internal(std::string packed_command, int64_t now_ms, bool of_any_member) {
  State& s = *state_;
  // But for what any member has to say, only a leader that serves has a reason to; others would
  // only add to what waits. While the disk is full it would be refused, and its number would cost a
  // void entry each time.
  if (s.can_send() && (s.leads() || of_any_member) && !s.disk_refusal(now_ms)) {
    s.add_write(s.internal, {{}, RequestKind::kWrite, 2, packed_command, now_ms});
  }
}

void Router::leader_changed(const raft::LeaderChanged& changed,
                            std::string client_address,
                            int64_t now_ms) {
  State& s = *state_;
  if (!changed.leader && s.leader) {
    s.leaderless_since_ms = now_ms;
  }
  s.term = changed.term;
  if (s.leader != changed.leader) {
    s.leader_full_until_ms = 0;
  }
  s.leader = changed.leader;
  s.leader_pressure = 0;
  s.ready = changed.ready && bool(changed.leader);
  s.leader_address = std::move(client_address);
  if (const auto refusal = s.refusal(RequestKind::kWrite, now_ms);
      !s.options.follower_proxy && refusal) {
    s.refuse_waiting(*refusal, now_ms);
  }
  if (s.can_send() && (s.sent_term != s.term || s.sent_leader != s.leader)) {
    s.sent_term = s.term;
    s.sent_leader = s.leader;
    s.resend_from(s.first_unsettled);
    s.moved(now_ms);
    if (s.round) {
      s.round->ask_again_ms = now_ms;
    }
  }
}

void Router::link_up(NodeId peer, int64_t now_ms) {
  State& s = *state_;
  if (peer == s.leader && s.can_send()) {
    s.resend_from(s.first_unsettled);
    if (s.round) {
      s.round->ask_again_ms = now_ms;
    }
  }
}

void Router::set_disk_full(bool full) { state_->disk_full = full; }
void Router::set_builds_refused(bool refused) { state_->builds_refused = refused; }

void Router::set_service(Service service, int64_t now_ms) {
  State& s = *state_;
  if (service == s.service) {
    return;
  }
  s.service = service;
  s.leaderless_since_ms = now_ms;
  if (service == Service::kUp) {
    s.resend_from(s.first_unsettled);
    s.moved(now_ms);
  } else if (service == Service::kRemoved) {
    s.give_up(now_ms);
    s.effects.end_waits = true;
  } else {
    const auto refusal = s.refusal(RequestKind::kWrite, now_ms);
    CHECK_INVARIANT(refusal.has_value());  // every service but kUp has one
    s.refuse_waiting(*refusal, now_ms);
  }
}

std::pair<NodeId, Incarnation> Router::origin() const {
  return {state_->options.node, state_->options.incarnation};
}

void Router::tick(int64_t now_ms) {
  State& s = *state_;
  s.expire_writes(now_ms);
  s.expire_reads(now_ms);
  s.expire_deferred(now_ms);
  s.sweep_writes(now_ms);
  s.end_reads(now_ms, false);
  s.end_writes(now_ms, false);
  if (s.waits_for_commit()) {
    s.wanted_commit_ms = now_ms;
  } else if (s.wants_commit && (s.leads() || now_ms - s.wanted_commit_ms >= kWantsCommitLingerMs)) {
    s.wants_commit = false;
    s.effects.wants_commit_changed = true;
  }
}

void Router::set_follows_commits(bool follows) { state_->follows_commits = follows; }

void Router::end_of_turn(int64_t now_ms) {
  state_->end_reads(now_ms, true);
  state_->end_writes(now_ms, true);
}

Router::Delay Router::delay(Waiting what) const {
  const State& s = *state_;
  if (what == Waiting::kReads) {
    return {s.last_ask, s.read_delay_us, false};
  }
  const bool idle = s.pending.empty();
  const bool soon = idle && s.delay_us != 0 && s.delay_us <= s.options.group_commit_us;
  return {s.hand_overs * 2 + (idle ? 1 : 0), s.delay_us, soon};
}

void Router::end_delay(Waiting what, int64_t now_ms) {
  if (what == Waiting::kReads) {
    state_->end_reads(now_ms, false);
  } else {
    state_->end_writes(now_ms, false);
  }
}

bool Router::needs_end_of_turn() const {
  const State& s = *state_;
  bool reads = !s.stale.empty() || s.may_ask_round();
  bool resends = s.can_send() && s.resend_next < s.next_sequence();
  return reads || resends || s.may_hand_over();
}

void Router::set_looks_at_commits(bool so) { state_->looks_at_commits = so; }

RouterEffects Router::take_effects() {
  State& s = *state_;
  if (!s.wants_commit && s.waits_for_commit()) {
    s.wants_commit = true;
    s.effects.wants_commit_changed = true;
  }
  s.effects.wants_commit = s.wants_commit;
  return std::exchange(s.effects, {});
}

}  // namespace kiwi::resp
