#include "actors/node/backpressure.hpp"

#include <algorithm>

#include "rocks/keyspace.hpp"

namespace kiwi::actors {

namespace {

// Entries that are committed and not applied. What comes in one turn is far less; at the second
// number a leader is so far behind that its reads wait for seconds.
constexpr uint64_t kApplyLagSlow = 2'000;
constexpr uint64_t kApplyLagMost = 20'000;
constexpr uint32_t kLagPressureMax = 900;
// A follower's, whose reads alone wait: later.
constexpr uint64_t kPeerLagSlow = 20'000;
constexpr uint64_t kPeerLagMost = 200'000;
// Bytes that are committed and not applied, of the leader or a follower.
constexpr uint64_t kBacklogSlow = 32 << 20;
constexpr uint64_t kBacklogMost = 512 << 20;
static_assert(kApplyLagSlow < kApplyLagMost && kPeerLagSlow < kPeerLagMost);
static_assert(kBacklogSlow < kBacklogMost && kApplyLagMost <= kPeerLagMost);
static_assert(kLagPressureMax < rocks::StateStore::kPressureFull, "a lag alone stops nobody");

uint32_t between(uint64_t lag, uint64_t slow, uint64_t most) {
  const uint64_t above = std::min(lag, most) - std::min(lag, slow);
  return static_cast<uint32_t>(kLagPressureMax * above / (most - slow));
}

uint64_t lag(LogIndex commit, LogIndex applied) {
  return commit.value - std::min(commit.value, applied.value);
}

// One that does not keep up with the log either catches up, and is not waited for.
uint32_t peer_pressure(const raft::Status& status) {
  uint32_t most = 0;
  for (const raft::PeerStatus& peer : status.peers) {
    if (peer.voter && peer.up && peer.state == raft::PeerState::kReplicate &&
        peer.catch_up == raft::CatchUp::kMemory) {
      most = std::max({most, between(peer.backlog_bytes, kBacklogSlow, kBacklogMost),
                       between(lag(status.commit, peer.applied), kPeerLagSlow, kPeerLagMost)});
    }
  }
  return most;
}

}  // namespace

std::optional<uint32_t> Backpressure::look(uint32_t keyspace_pressure, LogIndex applied) {
  if (!cluster_.core_runs || !cluster_.leads()) {
    told_ = 0;
    return std::nullopt;
  }
  const raft::Status& raft = cluster_.raft;
  const uint32_t now = std::max({keyspace_pressure, peer_pressure(raft),
                                 between(raft.backlog_bytes, kBacklogSlow, kBacklogMost),
                                 between(lag(raft.commit, applied), kApplyLagSlow, kApplyLagMost)});
  if (now == 0 && told_ == 0) {
    return std::nullopt;
  }
  told_ = now;
  return now;
}

}  // namespace kiwi::actors
