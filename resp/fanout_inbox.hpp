// FanoutInbox: batches of peers that this node's subscribers have not got yet. Whoever is published
// to pays for it (patterns to compare, copies to make), so a peer can publish faster than this node
// delivers: what is kept of a peer is bounded, and what does not fit is dropped. Nobody answers for
// that, so its publishers wait for kFanoutWaitMs each.
//
// A plain class, client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "config/base/ids.hpp"
#include "resp/fanout.hpp"

namespace kiwi::resp {

class FanoutInbox {
 public:
  // Of each peer, in memory: about two of the largest batches.
  static constexpr size_t kPeerBytes = size_t{8} << 20;

  struct Outlet {
    std::function<uint64_t(const Publication&)> publish;  // returns the receivers
    std::function<void(NodeId, uint64_t batch, const std::vector<uint64_t>&)> delivered;
    std::function<bool()> rests;  // asked behind each publication
  };

  // False: dropped. The only batch of a peer is always taken.
  bool push(NodeId peer, FanoutBatch batch);
  // Its batches are still delivered, but another link has no use for their answers.
  void link_changed(NodeId peer);
  // At least one publication, in the order in which they came, until outlet.rests().
  void deliver(const Outlet& outlet);

  bool empty() const { return batches_.empty(); }
  size_t bytes(NodeId peer) const;

 private:
  struct Waiting {
    NodeId peer;
    FanoutBatch batch;
    size_t bytes = 0;
    bool answers = true;
    std::vector<uint64_t> receivers;  // of its publications that were delivered
  };

  std::deque<Waiting> batches_;
  std::map<NodeId, size_t> bytes_;  // none is 0
};

}  // namespace kiwi::resp
