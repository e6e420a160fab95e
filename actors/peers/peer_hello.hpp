// What a node says of itself to an authenticated peer before the link is handed to CAF. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/peers/build.hpp"
#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "raft/lineage.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

struct PeerHello {
  NodeId node;
  Incarnation incarnation;
  ClusterId cluster;         // unset: not a member of any cluster yet
  uint64_t list_digest = 0;  // of raft.peers and of whether this node forms a cluster by itself
  std::string client_address;
  std::string peer_address;
  uint64_t boot_epoch = 0;           // number of this start of the directory (F4)
  std::vector<raft::Mark> marks;     // of the directory, the latest last (F52)
  uint32_t election_timeout_ms = 0;  // raft.election-timeout: members should agree on it
  // What the sender's configuration says of the receiver.
  enum class You : uint8_t {
    kUnknown = 0,           // or the sender has no configuration
    kMember = 1,            // that id with that incarnation is in it
    kOtherIncarnation = 2,  // the id is, but not this life of it: the directory was wiped (F1)
    kRemoved = 3,
    kInUse = 4,    // the id is a living member's, which this receiver is not (F49)
    kOldCopy = 5,  // the receiver's marks do not go on from those known of that life of it (F52)
    kKnown = 6,    // the id is in it; which life the receiver is was not heard yet
  };
  You you = You::kUnknown;
  std::string where;  // kInUse: where that member's link comes from
  // For a receiver without a cluster that is kMember: the entry that founded the cluster, encoded;
  // empty if the sender has cut it away.
  std::string first_entry;

  // ---- tagged: a node that does not know such a field skips it
  std::string build;                 // config::kKiwiVersion
  std::string architecture;          // own_architecture()
  uint32_t cluster_version = 0;      // of its cluster, as it knows; 0: of none yet
  uint32_t cluster_version_max = 0;  // that its build supports
  std::string tls_client_address;    // host:port; empty: none
  uint32_t groups = 0;               // that it hosts
  // With kOldCopy: what the sender knows of the receiver's marks, for it to compare (F52).
  std::vector<raft::Mark> known_marks;
  uint32_t cluster_port = 0;   // where it shows the cluster face; 0: nowhere
  uint32_t sentinel_port = 0;  // and Sentinel's

  bool initialized() const { return cluster.is_set(); }
  Build build_facts() const { return {build, architecture, cluster_version, cluster_version_max}; }
  bool operator==(const PeerHello&) const = default;
};

// ON THE WIRE: version, fixed fields, then any number of: tag:varint size:varint bytes. The tags
// are ordered, each once, and never used again.
std::string encode_hello(const PeerHello& hello);
Result<PeerHello> decode_hello(std::string_view bytes);

}  // namespace kiwi::actors
