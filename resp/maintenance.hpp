// What clients that said CLIENT MAINT_NOTIFICATIONS ON are told: that leadership is moving, so that
// they wait longer for an answer, and that this node is about to go, so that they connect elsewhere
// before it does. Messages and when they are due; who gets them is session_maintenance.cpp's.
// Plain; client loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.hpp"
#include "resp/push.hpp"

namespace kiwi::resp {

// moving-endpoint-type: how the client wants to be told where to go. This server knows its members
// by one address each; only whoever wants none gets none.
enum class Endpoint : uint8_t { kInternalIp, kExternalIp, kInternalFqdn, kExternalFqdn, kNone };
std::optional<Endpoint> parse_endpoint(std::string_view word);

// Four words, and three: one client drops shorter ones. The last word stands for the one shard.
Push failing_over_message(uint64_t sequence, int64_t seconds);
Push failed_over_message(uint64_t sequence);
// Without an address: only for clients that asked for none, another one's process would end.
Push moving_message(uint64_t sequence, int64_t seconds, const std::optional<std::string>& address);

// From what this node knows of its leader: when a failover begins and ends.
class FailoverNews {
 public:
  struct Sight {
    Term term;  // the messages' number: the same on all nodes
    bool ready_leader = false;
    bool hands_over = false;  // this node leads, and is about to lead no more
  };
  // What is to be told. Nothing before a leader was known once.
  std::optional<Push> look(const Sight& now, int64_t response_timeout_ms);

 private:
  bool knew_leader_ = false;
  bool failing_ = false;
};

// Whom a client may be sent to, while this node drains.
struct MovingTarget {
  std::string host;
  uint16_t port = 0;
};
// Of the targets that of the client with this number, in turn. nullptr: none fits. Whoever keeps
// the port that it has, whatever it is told, needs one with that port.
const MovingTarget* target_for(const std::vector<MovingTarget>& targets,
                               uint64_t number,
                               std::optional<uint16_t> port);

}  // namespace kiwi::resp
