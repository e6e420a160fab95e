// Node: back-pressure of the leader's state. Each node's router slows down by what its own state
// says; while the leader lags behind, everybody has to. It says so to the others ten times a
// second, as long as there is something to say; the word of another node than the leader, or an old
// one, counts for nothing. A voter whose state lags behind its log slows everybody down, too:
// nothing else would, for it acknowledges what it has written (F48).
#include <algorithm>
#include <charconv>
#include <string_view>

#include "actors/node/node_state.hpp"

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
    if (peer.voter && peer.up && peer.state == std::string_view("replicate") &&
        peer.catch_up == std::string_view("memory")) {
      most = std::max({most, between(peer.backlog_bytes, kBacklogSlow, kBacklogMost),
                       between(lag(status.commit, peer.applied), kPeerLagSlow, kPeerLagMost)});
    }
  }
  return most;
}

}  // namespace

void Node::State::pressure_timer() {
  if (!replica_actor || raft_status.role != raft::Role::kLeader) {
    pressure_told = 0;
    return;
  }
  const uint32_t now = std::max({storage->keyspace().pressure(), peer_pressure(raft_status),
                                 between(raft_status.backlog_bytes, kBacklogSlow, kBacklogMost),
                                 between(lag(raft_status.commit, storage->executor().applied()),
                                         kApplyLagSlow, kApplyLagMost)});
  if (now == 0 && pressure_told == 0) {
    return;
  }
  pressure_told = now;
  router->set_leader_pressure(now, ClientLoop::monotonic_ms());
  for (const raft::Member& member : configuration.members) {
    if (member.id != options.node_id()) {
      caf::anon_send(replica_actor,
                     PeerNote{member.id, encode_word({true, kPressureWord, std::to_string(now)})});
    }
  }
}

void Node::State::take_pressure(NodeId peer, const std::string& bytes) {
  uint32_t pressure = 0;
  const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), pressure);
  if (peer == raft_status.leader && error == std::errc() && end == bytes.data() + bytes.size()) {
    router->set_leader_pressure(pressure, ClientLoop::monotonic_ms());
  }
}

}  // namespace kiwi::actors
