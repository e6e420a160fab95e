// Room on the disk. A node that runs out of it in the middle of a write can only wait, so it takes
// no new writes while there is still room for all that is owed, beside disk-free-min (F60): not
// from its clients, and as leader from nobody; nor does a leader when so many others have none that
// no majority could follow. Leadership goes to a node that has room. Entries that others replicate
// are still written and applied, as long as they fit. The log and the state are below the same
// directory.
//
// Plain class: inputs in, effects out. Owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "actors/node/cluster_facts.hpp"
#include "actors/node/node_note.hpp"
#include "actors/replica_requests.hpp"

namespace kiwi::actors {

struct DiskEffects {
  ReplicaRequests requests;
  std::optional<DiskNote> tell_members;
  std::optional<bool> refuse;  // the core takes no batches, or takes them again; it is news
  bool turned = false;         // full or not full any more
};

class DiskWatch {
 public:
  struct Room {
    uint64_t free_bytes = 0;
    uint64_t owed_bytes = 0;      // to be written of what was taken already
    uint64_t free_bytes_min = 0;  // disk-free-min; 0: any room will do
  };

  explicit DiskWatch(const ClusterFacts& cluster) : cluster_(cluster) {}  // outlives it

  // ---- inputs
  void look(const Room& room, int64_t now_ms);  // ten times a second
  void take(NodeId peer, const DiskNote& note, int64_t now_ms);

  DiskEffects take_effects() { return std::exchange(effects_, {}); }

  bool full() const { return full_; }
  bool refuses() const { return refuses_; }
  // What entries of the log may take: small records, and what RocksDB writes about its files, have
  // to fit beside them.
  static int64_t room_for_entries(uint64_t free_bytes);

 private:
  bool is_full(NodeId peer, int64_t now_ms) const;
  bool majority_has_room(int64_t now_ms) const;
  void hand_over(int64_t now_ms);

  const ClusterFacts& cluster_;
  bool full_ = false;
  bool refuses_ = false;
  std::optional<bool> core_told_;
  int64_t told_ms_ = 0;
  int64_t next_transfer_ms_ = 0;
  std::map<NodeId, int64_t> full_peers_;  // that said so, and when
  DiskEffects effects_;
};

}  // namespace kiwi::actors
