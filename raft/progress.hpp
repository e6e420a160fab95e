// What a leader knows of one follower, and the window of what is on its way there. Lives inside the
// leader's role state, so it dies with the term. Plain data; replication.cpp drives it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "config/base/check.hpp"
#include "raft/status.hpp"
#include "raft/types.hpp"

namespace kiwi::raft {

struct Inflight {
  LogIndex last;
  uint64_t bytes = 0;
};

struct Progress {
  Incarnation incarnation;  // of the member this is about; a replacement starts anew (F1)
  PeerState state = PeerState::kProbe;
  LogIndex match;                 // durable there, as it said in this term
  LogIndex next;                  // the next entry to send
  std::optional<Term> prev_term;  // term at next - 1, when only the disk knew it

  std::deque<Inflight> inflights;
  uint64_t inflight_bytes = 0;
  uint32_t stalled_ticks =
      0;  // since the last of them was sent to nothing in flight, or acknowledged
  bool probe_sent = false;

  // Messages are numbered. Answers to numbers below probe_from are about an older `next`: their
  // rejections are ignored and their successes prove nothing about it.
  uint64_t sequence = 0;
  uint64_t probe_from = 0;  // 0: the present `next` was not asked about yet

  bool up = true;
  bool heartbeat_due = false;
  bool recently_active = false;  // since the last check-quorum
  uint32_t ticks_since_heard = 0;
  bool answered = false;  // in this term
  bool wants_commit = false;
  LogIndex commit_sent;
  std::optional<int64_t> clock_ahead_ms;  // its wall clock, against ours (F37)
  uint64_t round_sent = 0;
  uint64_t round_acked = 0;
  std::optional<LogIndex> reading_from;  // a LogRead is out
  LogIndex applied;                      // as it said last in this term
  uint64_t backlog_bytes = 0;

  uint32_t snapshot_wait_ticks = 0;  // until SnapshotWanted is said (again)

  // Removed from the latest configuration by the entry at leaving_at: no longer counts, but still
  // gets that entry and its commit, so that it knows (F25). 0: a member.
  LogIndex leaving_at;
  uint32_t leaving_ticks = 0;

  void enter_probe(LogIndex new_next) {
    CHECK_INVARIANT(new_next > match);
    state = PeerState::kProbe;
    set_next(new_next);
    inflights.clear();
    inflight_bytes = 0;
    probe_sent = false;
    probe_from = 0;
  }
  void enter_snapshot() {
    CHECK_INVARIANT(state != PeerState::kSnapshot);
    enter_probe(next);
    state = PeerState::kSnapshot;
    snapshot_wait_ticks = 0;
  }
  void enter_replicate() {
    CHECK_INVARIANT(state == PeerState::kProbe && inflights.empty());
    state = PeerState::kReplicate;
    probe_sent = false;
  }
  void set_next(LogIndex index) {
    if (index != next) {
      next = index;
      prev_term.reset();
    }
  }
  void add_inflight(LogIndex last, uint64_t bytes) {
    CHECK_INVARIANT(state == PeerState::kReplicate && last >= next);
    CHECK_INVARIANT(inflights.empty() || inflights.back().last < last);
    stalled_ticks = inflights.empty() ? 0 : stalled_ticks;
    inflights.push_back({last, bytes});
    inflight_bytes += bytes;
  }
  void acknowledge(LogIndex index) {
    while (!inflights.empty() && inflights.front().last <= index) {
      CHECK_INVARIANT(inflight_bytes >= inflights.front().bytes);
      inflight_bytes -= inflights.front().bytes;
      inflights.pop_front();
      stalled_ticks = 0;
    }
    CHECK_INVARIANT(!inflights.empty() || inflight_bytes == 0);
  }
};

}  // namespace kiwi::raft
