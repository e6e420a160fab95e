#include "actors/replica/clock_watch.hpp"

#include <cstdlib>

namespace kiwi::actors {

namespace {

constexpr int64_t kApartMs = 500;
constexpr int64_t kAgainMs = 60'000;

}  // namespace

std::vector<std::string> ClockWatch::look(const raft::Status& status, int64_t now_ms) {
  std::vector<std::string> warnings;
  for (const raft::PeerStatus& peer : status.peers) {
    const int64_t ahead_ms = peer.clock_ahead_ms.value_or(0);
    if (std::abs(ahead_ms) <= kApartMs) {
      continue;
    }
    const auto [warned, is_new] = warned_ms_.try_emplace(peer.member.id, now_ms);
    if (!is_new && now_ms - warned->second < kAgainMs) {
      continue;
    }
    warned->second = now_ms;
    warnings.push_back("the clock of node " + std::to_string(peer.member.id.value) + " is " +
                       std::to_string(std::abs(ahead_ms)) + " ms " +
                       (ahead_ms > 0 ? "ahead of" : "behind") +
                       " this node's, which leads: after a change of leader keys with a deadline "
                       "may live longer or shorter by that; synchronise the clocks of all nodes");
  }
  return warnings;
}

}  // namespace kiwi::actors
