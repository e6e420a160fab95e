// Node: back-pressure of the leader's state. Each node's router slows down by what its own state
// says; while the leader lags behind, everybody has to. It says so to the others ten times a
// second, as long as there is something to say; the word of another node than the leader, or an old
// one, counts for nothing.
#include <algorithm>
#include <charconv>

#include "actors/node_state.hpp"

namespace kiwi::actors {

namespace {

// Entries that are committed and not applied. What comes in one turn is far less; at the second
// number a leader is so far behind that its reads wait for seconds.
constexpr uint64_t kApplyLagSlow = 2'000;
constexpr uint64_t kApplyLagMost = 20'000;
constexpr uint32_t kLagPressureMax = 900;

uint32_t lag_pressure(LogIndex commit, LogIndex applied) {
  const uint64_t lag = commit.value - std::min(commit.value, applied.value);
  const uint64_t above = std::min(lag, kApplyLagMost) - std::min(lag, kApplyLagSlow);
  return static_cast<uint32_t>(kLagPressureMax * above / (kApplyLagMost - kApplyLagSlow));
}

}  // namespace

void Node::State::pressure_timer() {
  if (!replica_actor || raft_status.role != raft::Role::kLeader) {
    pressure_told = 0;
    return;
  }
  const uint32_t now = std::max(storage->keyspace().pressure(),
                                lag_pressure(raft_status.commit, storage->executor().applied()));
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
