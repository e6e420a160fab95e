#include "resp/router.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/command_keys.hpp"
#include "resp/router_state.hpp"
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
  const bool indexed_matter = c.indexed_out != 0 || item.kind == RequestKind::kAtLeast;
  if (indexed_matter && must_wait_for_indexed(c, item)) {
    return false;
  }
  if (is_local(item.kind) && c.linear_reads_out != c.indexed_out) {
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
                     item.may_be_long,
                     item.acl_version});
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
    if (!try_place(c, {next.op.to, next.op.kind, next.op.resp_version, next.op.packed,
                       next.arrival_ms, next.may_be_long, &next.op.packed.shared(),
                       next.op.wait_until_ms, 0, next.acl_version})) {
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

// ---------------------------------------------------------------- inputs

Router::Router(const RouterOptions& options) : state_(std::make_unique<State>(options)) {}
Router::~Router() = default;

void Router::requests(RequestBatch batch, int64_t now_ms) {
  State& s = *state_;
  Connection& c = s.connection(batch.connection);
  c.tls = batch.tls;
  c.face = batch.face;
  const bool keep = router::reads_may_keep(batch);
  const SharedBytes whole = keep ? SharedBytes(std::move(batch.buffer)) : SharedBytes();
  const std::string_view buffer = keep ? whole.view() : std::string_view(batch.buffer);
  for (const Request& r : batch.requests) {
    Item item{{batch.connection, r.slot},      r.kind,         r.resp_version,
              buffer.substr(r.offset, r.size), now_ms,         r.may_be_long,
              keep ? &whole : nullptr,         r.wait_until_ms};
    item.acl_version = batch.acl_version;
    std::optional<Answer> refusal = s.refusal(c, r.kind, item.packed, now_ms);
    if (!refusal && r.kind == RequestKind::kWrite) {
      refusal = s.disk_refusal(now_ms);  // it has no number yet
      if (!refusal && s.builds_refused && router::may_build(item.packed)) {
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
    s.add_write(s.internal, {.to = {},
                             .kind = RequestKind::kWrite,
                             .packed = packed_command,
                             .arrival_ms = now_ms,
                             .acl_version = kNeedsNoCheck});
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
  if (s.service == Service::kUp) {  // else nothing waits
    s.refuse_not_forwarded(now_ms);
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

void Router::set_leader_address(std::string client_address) {
  state_->leader_address = std::move(client_address);
}

void Router::set_leader_cluster_address(std::string address) {
  state_->leader_cluster_address = std::move(address);
}

void Router::set_follower_proxy(bool forwards, int64_t now_ms) {
  State& s = *state_;
  if (std::exchange(s.options.follower_proxy, forwards) && s.service == Service::kUp) {
    s.refuse_not_forwarded(now_ms);
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
    const auto refusal = s.service_refusal();
    CHECK_INVARIANT(refusal.has_value());  // every service but kUp has one
    s.refuse_waiting(*refusal, now_ms, State::Whom::kAll);
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
  bool reads = !s.stale.empty() || !s.indexed.empty() || s.may_ask_round();
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
