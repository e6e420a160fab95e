// The cluster as a Sentinel tells of it: one master, which is the announced node, its replicas, and
// a sentinel for each member that shows that face. Plain values, made of what NodeContext holds;
// client loop.
//
// The announced node is not the leader of the moment: it changes only when it must, because clients
// drop their connections on each change, with commands under way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/base/ids.hpp"

namespace kiwi::resp {

struct NodeContext;

struct AnnouncedMaster {
  NodeId node;           // 0: none that this node heard of
  uint64_t epoch = 0;    // grows with each announcement
  int64_t since_ms = 0;  // monotonic, as heard here
};

struct SentinelMember {
  NodeId id;
  std::string name;  // 40 hex digits
  std::string host;
  uint16_t port = 0;           // for clients of the master and its replicas
  uint16_t sentinel_port = 0;  // 0: it shows none, or was not heard since the start
  bool myself = false;
  bool master = false;
  bool voter = false;
  bool linked = false;
  bool down = false;  // away for a while, or it serves nobody
  uint64_t offset = 0;

  // As events and REPLICAS name it.
  std::string address() const { return host + ":" + std::to_string(port); }
  bool operator==(const SentinelMember&) const = default;
};

struct SentinelView {
  std::vector<SentinelMember> members;  // by id; empty: this node is in no cluster
  uint64_t epoch = 0;
  size_t voters = 0;
  size_t voters_linked = 0;

  const SentinelMember* master() const;
  size_t quorum() const { return voters / 2 + 1; }
};

// Whom Sentinel's clients should take for the master; 0: nobody is known.
NodeId announced_master(const NodeContext& node);

// Of node.status as it is.
SentinelView view_sentinel(const NodeContext& node);

}  // namespace kiwi::resp
