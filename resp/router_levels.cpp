// Router: reads that say how old what they show may be (KIWI.READ) and need no round of their own:
// at an index that is known, or not older than so many milliseconds. See router_state.hpp.
//
// How old: what a round answers has everything that was committed before it was asked. So a state
// at its index misses nothing older than that moment, by this node's own clock. No heartbeat
// counts, nor when the answer came: a leader that was deposed sends heartbeats, too.
#include <algorithm>
#include <map>
#include <utility>

#include "config/base/check.hpp"
#include "resp/router_state.hpp"

namespace kiwi::resp {

using router::Answer;
using router::Connection;
using router::Executing;
using router::IndexedRead;
using router::Item;

// Others are evaluated behind those of their connection that wait for an index; such ones are given
// no lower index than those before them. And of what waits for indexes that may never come there
// must not be too much, wherever its connections are by then (F47); nor may that keep others from
// their rounds, so it has a bound of its own.
bool Router::State::must_wait_for_indexed(const Connection& c, const Item& item) const {
  if (item.kind == RequestKind::kAtLeast) {
    return indexed_bytes > options.inflight_bytes_max;
  }
  const bool may_join = item.kind == RequestKind::kMaxLag && c.indexed_at <= last_round.index;
  return c.indexed_out != 0 && !may_join;
}

// A round each half of the age, as long as such reads come: one of them asks for it.
bool Router::State::add_indexed(Connection& c, ReadOp& op, int64_t arrival_ms) {
  IndexedRead read;
  if (op.kind == RequestKind::kAtLeast) {
    read.index.value = static_cast<uint64_t>(op.wait_until_ms);
  } else {
    const int64_t age_ms = arrival_ms - last_round.asked_ms;
    const bool due = age_ms >= op.wait_until_ms / 2 && !round && gathering.empty();
    if (!last_round.usable || age_ms >= op.wait_until_ms || due ||
        c.linear_reads_out != c.indexed_out || indexed_bytes > options.inflight_bytes_max) {
      return false;
    }
    read.index = last_round.index;
  }
  if (c.indexed_out == 0) {
    c.indexed_at = {};  // those before were evaluated, or given up: one may have named any index
    c.indexed_clock_ms = 0;
  }
  c.indexed_at = std::max(c.indexed_at, read.index);
  read.index = c.indexed_at;
  // F43: a round's clock may be that of a state which is not applied here yet. Before its index it
  // would take keys for expired whose deadline an entry in between moves.
  const bool may_see = read.index >= last_round.index;
  const int64_t clock_ms = std::max(reader_clock_ms, may_see ? last_round.clock_ms : 0);
  c.indexed_clock_ms = std::max(c.indexed_clock_ms, clock_ms);
  read.clock_ms = c.indexed_clock_ms;
  ++c.reads_out;
  ++c.linear_reads_out;
  ++c.indexed_out;
  CHECK_INVARIANT(c.indexed_out <= c.linear_reads_out);
  read.op = std::move(op);
  read.connection = &c;
  read.arrival_ms = arrival_ms;
  indexed.push_back(std::move(read));
  return true;
}

// Those at one index together.
void Router::State::run_indexed() {
  struct Group {
    std::vector<ReadOp> ops;
    Executing record;
  };
  std::map<std::pair<LogIndex, int64_t>, Group> groups;
  for (IndexedRead& read : std::exchange(indexed, {})) {
    Group& group = groups[{read.index, read.clock_ms}];
    group.record.arrival_ms =
        group.ops.empty() ? read.arrival_ms : std::min(group.record.arrival_ms, read.arrival_ms);
    group.record.indexed = true;
    router::add_to_runs(group.record.runs, *read.connection, true);
    group.ops.push_back(std::move(read.op));
  }
  for (auto& [at, group] : groups) {
    raft::ReadReady known;
    known.ok = true;
    known.index = at.first;
    known.now_ms = at.second;
    run(std::move(group.ops), std::move(group.record), &known);
  }
}

void Router::State::refuse_indexed(Answer why) {
  for (IndexedRead& read : std::exchange(indexed, {})) {
    answer(read.op.to, read.op.kind, why, read.op.packed);
    router::take_off(read.connection->indexed_out, 1);
    read_over(*read.connection, 1, 1);
  }
}

// The first time that it was asked counts, for any of its asks may have been the one that was
// answered. One whose clock was held back serves nobody else (F9). Once its reads are executed its
// clock is good for all later ones of this node (reads_done): what had expired for one is not there
// for the next.
void Router::State::note_round(const router::Round& answered, const raft::ReadReady& answer_at) {
  CHECK_INVARIANT(answer_at.ok);
  const bool newer =
      answer_at.index >= last_round.index && answered.asked_ms >= last_round.asked_ms;
  if (!answer_at.clamped && (newer || !last_round.usable)) {
    last_round = {true, answered.asked_ms, answer_at.index, answer_at.now_ms};
  }
}

}  // namespace kiwi::resp
