// Clients in WAIT and WAITAOF: who waits for how many other nodes to have what log index. Plain
// class, owned by NodeContext; client loop; times are monotonic. A session waits once at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "config/base/ids.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

// How far the logs of the members are, as the leader of that term said: on their disks. An index
// that is applied here is the same entry in the log of whoever leads in this node's own term.
struct KnownMatches {
  Term term;
  std::vector<std::pair<NodeId, LogIndex>> members;
};

class ReplicaWaits {
 public:
  struct Wait {
    LogIndex index;
    int64_t wanted = 0;
    int64_t deadline_ms = 0;
    std::function<void(int64_t replicas)> done;  // once
  };

  void wait(ConnectionId connection, Wait wait);
  // Its connection is gone: nobody is told.
  void forget(ConnectionId connection) { waits_.erase(connection); }
  // Its connection is to end: it is told what there is.
  void end(ConnectionId connection);
  bool any() const { return !waits_.empty(); }
  size_t size() const { return waits_.size(); }

  using Count = std::function<int64_t(LogIndex)>;  // nodes that have it, but this one
  void look(const Count& replicas, int64_t now_ms);

 private:
  std::map<ConnectionId, Wait> waits_;
};

}  // namespace kiwi::resp
