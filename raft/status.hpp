// What a core shows of itself: plain values, for its owner's decisions, INFO, logs and tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "raft/types.hpp"

namespace kiwi::raft {

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

// How a leader sends to a follower.
enum class PeerState : uint8_t {
  kProbe,      // one message at a time until `next` is known to fit
  kReplicate,  // pipelining; `next` runs ahead of `match`
  kSnapshot,   // what it needs is cut from the log; heartbeats ask whether it got past that
};
std::string_view name_of(PeerState state);  // "probe", "replicate", "snapshot"

// Where what a follower lacks next comes from.
enum class CatchUp : uint8_t {
  kMemory,
  kLog,       // read back from the log storage
  kSnapshot,  // it is cut: only a snapshot helps
};
std::string_view name_of(CatchUp source);  // "memory", "log", "snapshot"

struct PeerStatus {
  Member member;
  bool voter = false;
  bool up = false;
  LogIndex match;
  LogIndex next;
  uint64_t inflight_bytes = 0;
  PeerState state = PeerState::kProbe;
  uint32_t ticks_since_heard = 0;
  // By how much its wall clock is ahead of this leader's, to about 50 ms (F37).
  std::optional<int64_t> clock_ahead_ms;
  CatchUp catch_up = CatchUp::kMemory;  // leader only
  uint64_t lag_entries = 0;             // of this log, above match
  uint64_t lag_bytes = 0;               // of those: exact while in memory, estimated below
  int64_t lag_ms = 0;          // age of the oldest of them that is in memory; 0 = none lacks
  LogIndex snapshot_index;     // of the transfer that runs to it (pinned), 0 = none
  LogIndex applied;            // by its state machine, as it said last
  uint64_t backlog_bytes = 0;  // committed and not applied there
};
struct Status {
  NodeId id;
  Term term;
  NodeId voted_for;
  NodeId leader;
  Role role = Role::kFollower;
  LogIndex first_index, last_index, commit, persisted, applied;
  LogIndex snapshot_index;  // the log was last cut, or a snapshot installed, with this index
  Term snapshot_term;
  uint64_t window_entries = 0;  // of the log, held in memory
  uint64_t window_bytes = 0;
  uint64_t backlog_bytes = 0;   // committed and not applied here
  bool installing = false;      // between kInstall and snapshot_installed()
  bool ready = false;           // as in LeaderChanged
  int64_t cluster_time_ms = 0;  // leader: what it would stamp now; else the leader's, followed
  Configuration configuration;
  std::vector<PeerStatus> peers;  // leader only: match/next; every other node: known members

  bool leads() const { return role == Role::kLeader; }
};

}  // namespace kiwi::raft
