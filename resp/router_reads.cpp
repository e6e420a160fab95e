// Reads: shared ReadIndex rounds, and what the executor has of them. See router_state.hpp.
#include <algorithm>
#include <iterator>
#include <utility>

#include "config/base/check.hpp"
#include "resp/router_state.hpp"

namespace kiwi::resp {

namespace {

// Who reads again at once does so within this time.
constexpr int64_t kReadsAgainMs = 1;
// So many reads make the cost of a round small for each.
constexpr size_t kReadsEnough = 128;
// Whose room is kept from round to round: fifty clients with sixteen each.
constexpr size_t kSpareReads = 1024;

}  // namespace

using router::Connection;
using router::Executing;
using router::Round;
using router::Run;
using router::WaitingRead;

// Reads keep the buffer that they came in instead of a copy each, if they keep little with it that
// nobody counts (F47): of a connection at most one batch in which writes stand behind its reads is
// kept, for those wait for them. Requests that wait for others have a copy (defer).
bool router::reads_may_keep(const RequestBatch& batch) {
  constexpr size_t kLittle = 4096;
  const auto is_read = [](const Request& r) { return r.kind != RequestKind::kWrite; };
  return batch.buffer.size() <= kLittle ? std::ranges::any_of(batch.requests, is_read)
                                        : std::ranges::all_of(batch.requests, is_read);
}

// A blocking command is tried on this node's state first, as it is: if something is there, a serve
// decides. If not, the executor gives it back, and it becomes a linearizable read.
void Router::State::add_read(Connection& c, ReadOp&& op, int64_t arrival_ms) {
  const bool leveled = op.kind == RequestKind::kAtLeast || op.kind == RequestKind::kMaxLag;
  if (leveled && add_indexed(c, op, arrival_ms)) {
    return;
  }
  const bool linear = !is_local(op.kind) && op.kind != RequestKind::kBlocking;
  ++c.reads_out;
  if (linear) {
    ++c.linear_reads_out;
    gathering.push_back({std::move(op), &c, arrival_ms});
  } else {
    stale.push_back(std::move(op));
    router::add_to_runs(stale_runs, c, false);
  }
}

void Router::State::read_over(Connection& c, size_t count, size_t linear) {
  CHECK_INVARIANT(linear <= count);
  router::take_off(c.reads_out, count);
  router::take_off(c.linear_reads_out, linear);
  CHECK_INVARIANT(c.linear_reads_out <= c.reads_out);
  pump(c);
  forget_if_done(c);
}

void Router::State::run(std::vector<ReadOp>&& ops, Executing&& record, const raft::ReadReady* at) {
  ReadBatch& batch = effects.run_reads.emplace_back();
  batch.id = ++last_read_batch;
  batch.ops = std::move(ops);
  if (at != nullptr) {
    batch.index = at->index;
    batch.now_ms = at->now_ms;
    batch.clamped = at->clamped;
    record.clamped = at->clamped;
    record.clock_ms = at->now_ms;
  }
  for (const ReadOp& op : batch.ops) {
    record.bytes += sizeof(ReadOp) + op.packed.size();
  }
  (record.indexed ? indexed_bytes : executing_bytes) += record.bytes;
  executing_clamped += record.clamped ? 1 : 0;
  CHECK_INVARIANT(!batch.ops.empty());
  const bool is_new = executing.emplace(batch.id, std::move(record)).second;
  CHECK_INVARIANT(is_new);
}

void Router::State::executed(std::unordered_map<uint64_t, Executing>::iterator record) {
  router::take_off(record->second.indexed ? indexed_bytes : executing_bytes, record->second.bytes);
  router::take_off(executing_clamped, record->second.clamped ? 1 : 0);
  executing.erase(record);
}

// What the executor has waits for its index, also for connections that are gone. So it gets no more
// while that is much: here they are forgotten (F47). And no round is asked while reads are executed
// that may come back: a later read of their connection would be answered before them, from an older
// state (F6, F9).
bool Router::State::may_ask_round() const {
  return can_send() && !round && !gathering.empty() &&
         executing_bytes <= options.inflight_bytes_max &&
         (executing_clamped == 0 || mutant(Mutant::kRoundBesideClamped));
}

// One round at a time: reads that come meanwhile share the next one (F36). A round that is asked
// for again keeps its reads, so that whichever answer comes first serves them.
void Router::State::ask_round(int64_t now_ms) {
  if (!round) {
    round = std::make_unique<Round>();
    round->reads = std::exchange(gathering, std::exchange(spare_reads, {}));
    round->with_tick = std::exchange(gathering_tick, false);
    round->first_ask = last_ask + 1;
    round->asked_ms = now_ms;
  }
  round->last_ask = ++last_ask;
  CHECK_INVARIANT(!round->reads.empty() && round->first_ask <= round->last_ask);
  round->ask_again_ms = now_ms + options.election_timeout_ms;
  ++counters.read_rounds;
  effects.read_index.push_back({round->last_ask, round->with_tick});
}

// How long the reads that have gathered should wait for others; 0 = ask. Those that the last round
// answered will read again at once, if their clients do nothing else.
int64_t Router::State::read_gather_wait_us(int64_t now_ms) const {
  bool expected = now_ms - last_round_ms <= kReadsAgainMs && gathering.size() < last_round_reads &&
                  gathering.size() < kReadsEnough;
  return expected ? options.read_gather_us : 0;
}

void Router::State::end_reads(int64_t now_ms, bool may_delay) {
  read_delay_us =
      0;  // also without a leader: nobody may wait, timer after timer, for what cannot go
  if (service == Service::kUp && !stale.empty()) {
    run(std::exchange(stale, {}), {std::exchange(stale_runs, {}), now_ms}, nullptr);
  }
  if (service == Service::kUp && !indexed.empty()) {
    run_indexed();
  }
  if (!can_send()) {
    return;
  }
  if (round) {
    if (now_ms >= round->ask_again_ms) {
      ask_round(now_ms);
    }
    return;
  }
  if (!may_ask_round()) {
    return;
  }
  read_delay_us = may_delay ? read_gather_wait_us(now_ms) : 0;
  if (read_delay_us == 0) {
    ask_round(now_ms);
  }
}

// Answers those that arrived so early, and those of closed connections silently.
void Router::State::fail_reads(std::vector<WaitingRead>& reads, int64_t arrived_before_ms) {
  auto late = [&](const WaitingRead& read) {
    return read.connection->closed || read.arrival_ms < arrived_before_ms;
  };
  auto first = std::stable_partition(reads.begin(), reads.end(),
                                     [&](const WaitingRead& read) { return !late(read); });
  std::vector<WaitingRead> failed(std::make_move_iterator(first),
                                  std::make_move_iterator(reads.end()));
  reads.erase(first, reads.end());
  for (const WaitingRead& read : failed) {
    answer_in_vain(read.op.to, read.op.kind);
    read_over(*read.connection, 1, 1);
  }
}

void Router::State::expire_reads(int64_t now_ms) {
  int64_t arrived_before_ms = now_ms - options.response_timeout_ms + 1;
  fail_reads(gathering, arrived_before_ms);
  if (round) {
    fail_reads(round->reads, arrived_before_ms);
    if (round->reads.empty()) {
      round.reset();
    }
  }
  // The index is known but the entries up to it do not come: the executor has them, it answers.
  for (auto& [id, record] : executing) {
    if (!record.cancelled && record.arrival_ms < arrived_before_ms) {
      record.cancelled = true;
      effects.cancel_reads.push_back(id);
    }
  }
}

RouterDelays Router::take_slowest() { return std::exchange(state_->slowest, {}); }

void Router::read_ready(const raft::ReadReady& ready, int64_t now_ms) {
  State& s = *state_;
  if (ready.not_member) {
    s.give_up(now_ms);
    return;
  }
  if (!s.round || ready.id < s.round->first_ask || ready.id > s.round->last_ask) {
    return;
  }
  if (!ready.ok) {
    // Only the latest ask's failure says anything; not at once, or a leader that is not ready yet
    // would be asked in a tight loop.
    if (ready.id == s.round->last_ask) {
      s.round->ask_again_ms = std::min(
          s.round->ask_again_ms, now_ms + std::max<int64_t>(1, s.options.election_timeout_ms / 10));
    }
    return;
  }
  s.wanted_commit_ms = now_ms;
  std::unique_ptr<Round> round = std::move(s.round);
  s.note_round(*round, ready);
  s.last_round_reads = round->reads.size() + s.gathering.size();
  s.last_round_ms = now_ms;
  std::vector<ReadOp> ops;
  ops.reserve(round->reads.size());
  Executing record;
  record.arrival_ms = INT64_MAX;
  std::vector<Connection*> closed;
  for (WaitingRead& read : round->reads) {
    if (read.connection->closed) {
      closed.push_back(read.connection);
      continue;
    }
    record.arrival_ms = std::min(record.arrival_ms, read.arrival_ms);
    router::add_to_runs(record.runs, *read.connection, true);
    ops.push_back(std::move(read.op));
  }
  if (!ops.empty()) {
    s.slowest.read_round_ms = std::max(s.slowest.read_round_ms, now_ms - record.arrival_ms);
  }
  round->reads.clear();
  if (round->reads.capacity() <= kSpareReads) {
    s.spare_reads = std::move(round->reads);
  }
  if (!ops.empty()) {
    s.run(std::move(ops), std::move(record), &ready);
  }
  for (Connection* c : closed) {
    s.read_over(*c, 1, 1);
  }
}

// The other operations of its batch do not wait for it any more; what its connection asks from now
// on does.
void Router::read_split(const SplitRead& split) {
  State& s = *state_;
  auto it = s.executing.find(split.batch);
  if (it == s.executing.end()) {
    return;
  }
  for (Run& run : it->second.runs) {
    if (run.connection->id == split.connection && run.count != 0) {
      --run.count;
      router::take_off(run.linear, split.linear ? 1 : 0);
      Executing own;
      own.runs.push_back({run.connection, 1, split.linear ? size_t{1} : 0});
      own.arrival_ms = it->second.arrival_ms;
      own.aside = true;
      own.indexed = it->second.indexed;
      ++run.connection->aside;
      const bool is_new = s.executing.emplace(split.id, std::move(own)).second;
      CHECK_INVARIANT(is_new);
      return;
    }
  }
}

// A read that was put aside leaves its batch before that is done. A batch of which one half was
// answered is told as `again` and as `done`: its other half must not be taken for answered.
void Router::take(ReadOutcomes reads, int64_t now_ms) {
  for (const SplitRead& split : reads.split) {
    read_split(split);
  }
  for (ReadBatch& batch : reads.again) {
    reads_again(std::move(batch), now_ms);
  }
  for (const uint64_t id : reads.done) {
    reads_done(id, now_ms);
  }
}

void Router::reads_done(uint64_t id, int64_t /*now_ms*/) {
  State& s = *state_;
  auto it = s.executing.find(id);
  if (it == s.executing.end()) {
    return;
  }
  std::vector<Run> runs = std::move(it->second.runs);
  const bool aside = it->second.aside;
  const bool indexed = it->second.indexed;
  if (!it->second.cancelled) {  // else its index may not be applied here
    s.reader_clock_ms = std::max(s.reader_clock_ms, it->second.clock_ms);
  }
  s.executed(it);
  s.end_new_waits();
  for (const Run& run : runs) {
    router::take_off(run.connection->indexed_out, indexed ? run.count : 0);
    router::take_off(run.connection->aside, aside ? 1 : 0);
    s.read_over(*run.connection, run.count, run.linear);
  }
}

void Router::reads_again(ReadBatch batch, int64_t /*now_ms*/) {
  State& s = *state_;
  auto it = s.executing.find(batch.id);
  if (it == s.executing.end()) {
    return;
  }
  Executing& record = it->second;
  const bool tried = !record.clamped;  // blocking commands, of which nothing else stands behind
  std::unordered_map<ConnectionId, size_t> again;
  for (const ReadOp& op : batch.ops) {
    ++again[op.to.connection];
  }
  size_t left = 0;
  for (Run& run : record.runs) {
    auto found = again.find(run.connection->id);
    size_t back = found == again.end() ? 0 : std::min(found->second, run.count);
    if (back != 0) {
      found->second -= back;
      run.count -= back;
      run.linear -= std::min(run.linear, back);
    }
    left += run.count;
  }
  std::vector<WaitingRead> first;
  for (ReadOp& op : batch.ops) {  // still counted as out
    Connection& c = s.connection(op.to.connection);
    CHECK_INVARIANT(!tried || op.kind == RequestKind::kBlocking);
    c.linear_reads_out += tried ? 1 : 0;
    first.push_back({std::move(op), &c, record.arrival_ms});
  }
  if (left == 0) {
    s.executed(it);
  }
  if (tried) {
    std::move(first.begin(), first.end(), std::back_inserter(s.gathering));
    return;
  }
  // Later reads of these connections are all behind them: no round was asked meanwhile.
  std::move(s.gathering.begin(), s.gathering.end(), std::back_inserter(first));
  s.gathering = std::move(first);
  s.gathering_tick = true;
}

}  // namespace kiwi::resp
