#include "actors/node/removal.hpp"

#include <algorithm>
#include <utility>

namespace kiwi::actors {

namespace {
constexpr int64_t kAskMs = 2000;
}

std::optional<config::HostPort> Removal::tick(int64_t now_ms) {
  const std::vector<raft::Member>& members = cluster_.latest.members;
  if (!cluster_.core_runs || cluster_.raft.leader || known_ || members.empty()) {
    leaderless_since_ms_ = now_ms;
    return std::nullopt;
  }
  if (now_ms - leaderless_since_ms_ < kAskMs) {
    return std::nullopt;
  }
  leaderless_since_ms_ = now_ms;
  const raft::Member& member = members[asked_++ % members.size()];
  Result<config::HostPort> address = config::parse_host_port(member.peer_address);
  if (!address || member.id == cluster_.self) {
    return std::nullopt;
  }
  return *address;
}

bool Removal::judge(const VisitReply& reply, const raft::Identity& own) const {
  const raft::Configuration& there = reply.configuration;
  return reply.yes() && there.cluster == own.cluster && !there.has(own.node, own.incarnation) &&
         std::ranges::find(there.removed_ids, own.node) != there.removed_ids.end();
}

bool Removal::learned() { return !std::exchange(known_, true); }

}  // namespace kiwi::actors
