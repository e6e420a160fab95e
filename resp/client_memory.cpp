#include "resp/client_memory.hpp"

#include <optional>
#include <string>

#include "config/base/log.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

constexpr int64_t kLookAgainMs = 100;

std::optional<ConnectionId> heaviest(const NodeContext& node) {
  std::optional<ConnectionId> found;
  size_t most = 0;
  node.sessions.each([&](Session& session) {
    const Session::State& s = session.state();
    if (!s.killed && !s.no_evict && s.counted_bytes > most) {
      most = s.counted_bytes;
      found = session.id();
    }
  });
  return found;
}

}  // namespace

uint64_t ClientMemory::limit(const NodeContext& node) {
  const uint64_t bytes = node.options.maxmemory_clients.of(node.machine_bytes);
  return bytes == 0 ? UINT64_MAX : bytes;
}

bool ClientMemory::scarce(const NodeContext& node) const {
  const uint64_t bound = limit(node);
  return used_ > bound - bound / 4;
}

void ClientMemory::enforce(NodeContext& node) {
  const uint64_t bound = limit(node);
  if (used_ <= bound) {
    return;
  }
  const int64_t now_ms = node.monotonic_ms();
  if (nobody_left_ms_ >= 0 && now_ms - nobody_left_ms_ < kLookAgainMs) {
    return;
  }
  nobody_left_ms_ = -1;
  while (used_ > bound) {
    const std::optional<ConnectionId> victim = heaviest(node);
    if (!victim) {
      nobody_left_ms_ = now_ms;
      return;
    }
    node.sessions.with(*victim, [&](Session& session) {
      Session::State& s = session.state();
      ++node.metrics.evicted_clients;
      log_warning("Closing client " + s.info.peer_address + ": the clients of this node hold " +
                  std::to_string(used_) + " bytes, more than maxmemory-clients allows (" +
                  std::to_string(bound) + "), and it holds most of them, " +
                  std::to_string(s.counted_bytes) + ".");
      s.kill();
    });
  }
}

}  // namespace kiwi::resp
