// Writes: from open batch to settled. See router_state.hpp.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/router_state.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

using router::Answer;
using router::Connection;
using router::Item;
using router::OpenBatch;
using router::Pending;
using router::Run;

namespace {

// Reads that may join one batch: more would make an entry's apply long.
constexpr size_t kAttachedReadsFactor = 4;
// Requests of one batch are answered TIMEOUT together (its number ends void or not), so they should
// be about equally old: at most this part of the response timeout apart.
constexpr int64_t kAgeSpreadPart = 16;
// Sent again in one turn; the rest follows in the next ones.
constexpr size_t kResendBytesPerTurn = 1 << 20;
constexpr size_t kResendBatchesPerTurn = 64;
constexpr int64_t kResendWaitFactorMax = 8;
// Behind others for at most so long: where a round trip takes longer than this, cohorts overlap.
constexpr int64_t kBehindOthersUs = 1000;
// Clients that write again do so at once; milliseconds, since only those are told here.
constexpr int64_t kWritesAgainMs = 1;
// A group that came while another one was under way goes by itself from this part of it on.
constexpr size_t kTurnsPart = 2;
// While a state lags behind: a batch of so many bytes is followed by a pause of so many
// milliseconds at full pressure, which is 3 MB/s a node; at low pressure by one.
// Larger ones by more, but not much longer than a client should wait.
constexpr size_t kPauseBytes = 64 << 10;
constexpr uint64_t kPauseMs = 20;
constexpr uint64_t kPauseMaxMs = 500;
constexpr uint64_t kFullPressure = 1000;
static_assert(kFullPressure == rocks::StateStore::kPressureFull && kPauseMs <= kPauseMaxMs);
// What may be under way at full pressure, as a part of inflight_bytes_max.
constexpr uint64_t kInflightPart = 64;
// What the leader said is good for so long: it says it again while it lasts.
constexpr int64_t kLeaderPressureMs = 500;
// How long a leader whose disk is nearly full is left alone.
constexpr int64_t kLeaderFullMs = 500;

}  // namespace

// ---------------------------------------------------------------- packing

void Router::State::add_write(Connection& c, const Item& item) {
  bool fits = !open.empty() && !open.back().dead && open.back().builder.count() != 0;
  if (fits) {
    const OpenBatch& last = open.back();
    int64_t age = item.arrival_ms - last.arrival_ms;
    fits = last.builder.count() < options.batch_commands_max &&
           last.builder.bytes() + item.packed.size() <= options.batch_bytes_max &&
           std::max(age, -age) <= options.response_timeout_ms / kAgeSpreadPart;
  }
  if (!fits) {
    open.emplace_back().arrival_ms = item.arrival_ms;
  }
  OpenBatch& batch = open.back();
  batch.builder.set_acl_version(item.acl_version);
  batch.arrival_ms = std::min(batch.arrival_ms, item.arrival_ms);
  batch.builder.add(item.packed);
  batch.bytes += item.packed.size();
  waiting_bytes += item.packed.size();
  batch.ops.push_back({item.to, item.kind, item.resp_version, {}, 0, item.waiter});
  open_serves += item.waiter != 0 ? 1 : 0;
  router::add_to_runs(batch.runs, c, false);
  ++c.open_ops;
  c.last_open = open_first + open.size() - 1;
}

bool Router::State::attach_read(Connection& c, const Item& item) {
  CHECK_INVARIANT(c.last_open >= open_first && c.last_open - open_first < open.size());
  OpenBatch& batch = open[c.last_open - open_first];
  if (batch.dead || batch.ops.size() >= options.batch_commands_max * kAttachedReadsFactor) {
    return false;
  }
  batch.bytes += item.packed.size();
  waiting_bytes += item.packed.size();
  batch.ops.push_back(
      {item.to, item.kind, item.resp_version, item.keep_packed(), item.wait_until_ms});
  router::add_to_runs(batch.runs, c, false);
  ++c.open_ops;
  return true;
}

// Answers all of it; no number was allotted, so nothing of it can ever be applied. The connections'
// queues are pumped by the next tick.
void Router::State::kill_open(OpenBatch& batch, std::optional<Answer> why, int64_t now_ms) {
  if (std::exchange(batch.dead, true)) {
    return;
  }
  router::take_off(waiting_bytes, batch.bytes);
  for (PendingOp& op : batch.ops) {
    if (op.waiter != 0) {  // its client waits on
      effects.serves_returned.push_back(op.waiter);
      router::take_off(open_serves, 1);
    } else if (is_local(op.kind) && !service_refusal()) {
      add_read(connection(op.to.connection),
               {op.to, op.kind, op.resp_version, std::move(op.packed), op.wait_until_ms}, now_ms);
    } else if (!why) {
      answer_in_vain(op.to, op.kind);
    } else {
      answer(op.to, op.kind, *why, op.packed);
    }
  }
  std::vector<Run> runs = std::move(batch.runs);
  batch = OpenBatch{};
  batch.dead = true;
  // A closed connection goes with the last of its runs: others stand between them.
  for (const Run& run : runs) {
    router::take_off(run.connection->open_ops, run.count);
    forget_if_done(*run.connection);
  }
}

// ---------------------------------------------------------------- handing over

bool Router::State::may_hand_over() const {
  if (open.empty() || !can_send() || resend_next < next_sequence()) {
    return false;  // what is sent again goes first: the leader takes numbers in order only
  }
  // One batch always fits, whatever its size.
  return pending.empty() ||
         (pending.size() < options.inflight_batches_max &&
          pending_bytes + open.front().builder.bytes() <= options.inflight_bytes_max);
}

uint32_t Router::State::pressure(int64_t now_ms) const {
  return std::max(own_pressure, now_ms < leader_pressure_until_ms ? leader_pressure : 0);
}

// Only the pressure keeps the first open batch from going.
bool Router::State::throttled(int64_t now_ms) const {
  if (now_ms < pause_until_ms) {
    return true;
  }
  const uint64_t now = std::min<uint64_t>(pressure(now_ms), kFullPressure);
  const uint64_t least = options.inflight_bytes_max / kInflightPart;
  const uint64_t most =
      least + (options.inflight_bytes_max - least) * (kFullPressure - now) / kFullPressure;
  return now != 0 && !pending.empty() && pending_bytes + open.front().builder.bytes() > most;
}

void Router::set_pressure(uint32_t pressure) {
  CHECK_INVARIANT(pressure <= kFullPressure);
  state_->own_pressure = pressure;
}

void Router::set_leader_pressure(uint32_t pressure, int64_t now_ms) {
  state_->leader_pressure = pressure;
  state_->leader_pressure_until_ms = now_ms + kLeaderPressureMs;
}

void Router::State::hand_over(OpenBatch&& from, int64_t now_ms) {
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = next_sequence();
  Pending* reused = nullptr;
  if (mutant(Mutant::kNumberReused)) {
    auto found = std::ranges::find_if(pending, &Pending::reusable);
    reused = found == pending.end() ? nullptr : &*found;
    batch->sequence = reused == nullptr ? next_sequence() : reused->batch->sequence;
  }
  batch->arrival_ms = from.arrival_ms;
  batch->payload = from.builder.take();
  batch->ops = std::move(from.ops);
  CHECK_INVARIANT(!batch->ops.empty());
  router::take_off(waiting_bytes, from.bytes);
  for (const PendingOp& op : batch->ops) {
    open_serves -= op.waiter != 0 ? 1 : 0;
  }
  for (const Run& run : from.runs) {
    router::take_off(run.connection->open_ops, run.count);
    run.connection->pending_ops += run.count;
  }
  pending_bytes += batch->payload.size();
  if (pending.empty()) {
    moved(now_ms);
  }
  counters.throttled_writes += from.throttled ? batch->ops.size() : 0;
  if (const uint64_t now = std::min<uint64_t>(pressure(now_ms), kFullPressure); now != 0) {
    const uint64_t sizes = 1 + batch->payload.size() / kPauseBytes;
    const uint64_t pause = 1 + kPauseMs * sizes * now * now / (kFullPressure * kFullPressure);
    pause_until_ms = now_ms + static_cast<int64_t>(std::min(pause, kPauseMaxMs));
  }
  counters.proxied += leads() ? 0 : 1;
  ++counters.proposals;
  counters.proposed_commands += batch->ops.size();
  effects.expect.push_back(batch);
  Pending& added = reused == nullptr ? pending.emplace_back() : (*reused = Pending{});
  added.batch = std::move(batch);
  added.runs = std::move(from.runs);
  added.arrival_ms = from.arrival_ms;
  send(added);
  resend_next = reused == nullptr ? next_sequence() : added.batch->sequence;
}

void Router::State::send(Pending& p) {
  raft::Proposal& proposal = effects.propose.emplace_back();
  proposal.number = {options.node, options.incarnation, options.epoch, p.batch->sequence,
                     options.group};
  // F3: bound to its bytes for ever; the only other content is void.
  proposal.kind = p.void_only ? raft::EntryKind::kVoid : raft::EntryKind::kBatch;
  if (!p.void_only) {
    proposal.payload = p.batch->payload;
    proposal.deadline_ms =  // F5: also when it lies in a socket on its way
        mutant(Mutant::kZombieAfterTimeout) ? 0 : p.arrival_ms + options.response_timeout_ms;
  }
  ++p.sends;
}

void Router::State::resend_from(uint64_t sequence) {
  if (mutant(Mutant::kNeverSentAgain)) {
    return;
  }
  resend_next = std::min(resend_next, std::max(sequence, first_unsettled));
}

void Router::State::resend_some() {
  size_t bytes = 0;
  size_t batches = 0;
  while (resend_next < next_sequence() && bytes < kResendBytesPerTurn &&
         batches < kResendBatchesPerTurn) {
    Pending& p = at(resend_next);
    bytes += p.void_only ? 0 : p.batch->payload.size();
    ++batches;
    ++counters.resends;
    send(p);
    ++resend_next;
  }
}

// How long the writes that are packed should wait for others; 0 = go. A full batch never waits, and
// takes what is behind it along.
int64_t Router::State::group_commit_wait_us(int64_t now_ms) const {
  if (options.group_commit_us == 0 || open.size() != 1 || open.front().dead || !may_hand_over()) {
    return 0;
  }
  const OpenBatch& batch = open.front();
  if (batch.ops.size() >= options.batch_commands_max / 2 ||
      batch.builder.bytes() >= options.batch_bytes_max / 2) {
    return 0;
  }
  if (!pending.empty()) {
    return kBehindOthersUs;
  }
  // Two groups that take turns: to wait for the one that is being answered would make them one, for
  // the price of a wake-up a client. A few stragglers are no group.
  const bool alternate = looks_at_commits && batch.ops.size() >= last_flight_ops / kTurnsPart;
  const bool expected =
      now_ms - last_batch_ms <= kWritesAgainMs && batch.ops.size() < last_batch_ops;
  return expected && !alternate ? options.group_commit_us : 0;
}

void Router::State::end_writes(int64_t now_ms, bool may_delay) {
  if (retry_at_ms != 0 && now_ms >= retry_at_ms) {
    retry_at_ms = 0;
    resend_from(first_unsettled);
  }
  if (can_send()) {
    resend_some();
  }
  delay_us = may_delay ? group_commit_wait_us(now_ms) : 0;
  if (delay_us != 0) {
    return;
  }
  bool handed = false;
  while (!open.empty()) {
    if (!open.front().dead) {
      if (!may_hand_over()) {
        break;
      }
      if (throttled(now_ms)) {
        open.front().throttled = true;
        delay_us = std::max<int64_t>(1, pause_until_ms - now_ms) * 1000;
        break;
      }
      handed = true;
      in_flight_ops += open.front().ops.size();
      hand_over(std::move(open.front()), now_ms);
    }
    open.pop_front();
    ++open_first;
  }
  hand_overs += handed ? 1 : 0;
}

// ---------------------------------------------------------------- what became of them

void Router::State::moved(int64_t now_ms) {
  resend_wait_ms = options.election_timeout_ms;
  resend_at_ms = now_ms + resend_wait_ms;
  wanted_commit_ms = now_ms;
}

// Its clients are answered: their connections go on.
void Router::State::release(Pending& p) {
  if (std::exchange(p.answered, true)) {
    return;
  }
  std::vector<Run> runs = std::move(p.runs);
  for (const Run& run : runs) {
    router::take_off(run.connection->pending_ops, run.count);
    pump(*run.connection);
    forget_if_done(*run.connection);
  }
}

// F5: from now on its number is only sent as void; a copy in some log may still be applied.
void Router::State::time_out(Pending& p) {
  if (p.answered) {
    return;
  }
  p.void_only = !mutant(Mutant::kZombieAfterTimeout);
  effects.forget.push_back(p.batch->sequence);
  for (const PendingOp& op : p.batch->ops) {
    if (op.kind == RequestKind::kBlocking || op.waiter != 0) {
      wait_answered(op.to);
    }
    if (op.kind != RequestKind::kWrite) {
      answer(op.to, op.kind, Answer::kReadTimeout);
    } else if (!p.writes_answered || op.waiter != 0) {
      ++counters.timeouts;
      answer(op.to, op.kind,
             mutant(Mutant::kTimeoutSaysFailed) ? Answer::kNoLeader : Answer::kTimeout);
    }
  }
  release(p);
}

void Router::State::expire_writes(int64_t now_ms) {
  for (Pending& p : pending) {
    if (p.arrival_ms + options.response_timeout_ms <= now_ms) {
      time_out(p);
    }
  }
  for (OpenBatch& batch : open) {
    if (!batch.dead && batch.arrival_ms + options.response_timeout_ms <= now_ms) {
      kill_open(batch, std::nullopt, now_ms);
    }
  }
}

// F23: nothing was settled for a while, so a message may be lost without anybody knowing.
void Router::State::sweep_writes(int64_t now_ms) {
  if (pending.empty() || !can_send() || now_ms < resend_at_ms) {
    return;
  }
  resend_from(first_unsettled);
  resend_wait_ms = std::min(resend_wait_ms * 2, options.election_timeout_ms * kResendWaitFactorMax);
  resend_at_ms = now_ms + resend_wait_ms;
}

void Router::settled(const Settled& settled, int64_t now_ms) {
  State& s = *state_;
  if (settled.sequence < s.first_unsettled) {
    return;  // given up before: the node was removed, or a snapshot covered it
  }
  CHECK_INVARIANT(!s.pending.empty() && settled.sequence == s.first_unsettled);
  Pending p = std::move(s.pending.front());
  CHECK_INVARIANT(p.batch->sequence == settled.sequence);
  // Refused at once is a promise that no log has it and that only void was sent since (F3).
  CHECK_INVARIANT(!(settled.applied && p.writes_answered));
  s.pending.pop_front();
  ++s.first_unsettled;
  s.resend_next = std::max(s.resend_next, s.first_unsettled);
  router::take_off(s.pending_bytes, p.batch->payload.size());
  s.moved(now_ms);
  if (settled.applied) {
    s.slowest.commit_ms = std::max(s.slowest.commit_ms, now_ms - p.arrival_ms);
  }
  s.end_new_waits();
  if (s.pending.empty()) {
    s.last_batch_ops = s.in_flight_ops + (s.open.empty() ? 0 : s.open.front().ops.size());
    s.last_flight_ops = s.in_flight_ops;
    s.in_flight_ops = 0;
    s.last_batch_ms = now_ms;
  }
  if (p.answered) {
    return;
  }
  if (!settled.applied && !p.writes_answered) {
    for (const PendingOp& op : p.batch->ops) {
      if (op.kind == RequestKind::kWrite && op.waiter == 0) {
        s.answer(op.to, op.kind, p.refused.value_or(Answer::kTimeout));
      }
    }
  }
  for (const ReadOp& read : settled.reads) {
    auto it = s.connections.find(read.to.connection);
    if (it != s.connections.end() && !it->second.closed) {
      s.add_read(it->second, ReadOp(read), now_ms);
    }
  }
  s.release(p);
}

void Router::refused(const raft::ProposeRefused& refused, int64_t now_ms) {
  State& s = *state_;
  const raft::ProposalNumber& n = refused.number;
  bool ours = n.node == s.options.node && n.incarnation == s.options.incarnation &&
              n.epoch == s.options.epoch && n.group == s.options.group;
  if (!ours || n.sequence < s.first_unsettled || n.sequence >= s.next_sequence()) {
    return;  // settled meanwhile, or of an earlier boot
  }
  switch (refused.reason) {
    case raft::RefusalReason::kNotMember:
      s.give_up(now_ms);
      break;
    case raft::RefusalReason::kOldEpoch:  // the composition root ends this node (F52)
    case raft::RefusalReason::kNotLeader:
      break;  // leader_changed() will say who is, the sweep asks again anyway
    case raft::RefusalReason::kGap:
      if (refused.expect == 0) {
        s.retry_at_ms = now_ms + std::max<int64_t>(1, s.options.election_timeout_ms / 10);
      } else if (s.gap_term != s.term || s.gap_expect != refused.expect) {
        // Each batch behind the gap is refused; once is enough to fill it.
        s.gap_term = s.term;
        s.gap_expect = refused.expect;
        s.resend_from(refused.expect);
      }
      break;
    case raft::RefusalReason::kTooLarge:
    case raft::RefusalReason::kDiskFull:
    case raft::RefusalReason::kOverloaded: {
      Pending& p = s.at(n.sequence);
      if (p.void_only) {
        s.retry_at_ms = now_ms + s.options.election_timeout_ms / 2;
        break;
      }
      p.void_only = !mutant(Mutant::kVoidNotSent);
      p.refused = refused.reason == raft::RefusalReason::kTooLarge ? Answer::kTooLarge
                                                                   : Answer::kTooManyWrites;
      if (refused.reason == raft::RefusalReason::kDiskFull) {
        // Each refusal costs the full log a void entry, so there should be few of them.
        p.refused = Answer::kLeaderDiskFull;
        s.leader_full_until_ms = now_ms + kLeaderFullMs;
      }
      if (mutant(Mutant::kNumberReused)) {
        p.reusable = true;
        for (const PendingOp& op : p.batch->ops) {
          s.answer(op.to, op.kind, *p.refused);
        }
        s.effects.forget.push_back(n.sequence);
        s.release(p);
        break;
      }
      if (p.sends == 1 || mutant(Mutant::kRefusalAnsweredAtOnce)) {
        // No log has it and no copy is on its way: certainly not applied (F3). Its reads are
        // executed where the void is.
        p.writes_answered = true;
        for (const PendingOp& op : p.batch->ops) {
          if (op.kind == RequestKind::kWrite && op.waiter == 0) {
            s.answer(op.to, op.kind, *p.refused);
          }
        }
      }
      s.resend_from(n.sequence);
      break;
    }
  }
}

void Router::session_row(uint64_t epoch, uint64_t last, int64_t now_ms) {
  State& s = *state_;
  // Nothing of this boot is in the snapshot. Or what is there was given by another start with the
  // same number, and this directory is an old copy: the core has seen that (F52) and the node ends.
  if (epoch != s.options.epoch || last >= s.next_sequence()) {
    return;
  }
  while (!s.pending.empty() && s.first_unsettled <= last) {
    Pending p = std::move(s.pending.front());
    s.pending.pop_front();
    ++s.first_unsettled;
    router::take_off(s.pending_bytes, p.batch->payload.size());
    s.time_out(p);  // its effect is in, its replies are lost
  }
  CHECK_INVARIANT(s.first_unsettled > last);  // numbers above were never allotted
  s.resend_next = s.first_unsettled;
  s.moved(now_ms);
}

}  // namespace kiwi::resp
