// What the clients of a node hold together, against maxmemory-clients: unparsed input, commands
// that were parsed and not answered, replies, MULTI blocks, WATCH tokens. A session counts itself
// anew after each batch that comes or goes, so no command pays for it. Client loop only.
//
// Two steps: above three quarters of the bound a client that holds more than its fair share waits
// for answers before more of its commands are parsed, which harms nobody who asks little; above the
// bound the one that holds most is closed. What such a client had under way ends as with any
// connection that ends: handed-over writes stay, their client does not hear of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/base/check.hpp"

namespace kiwi::resp {

struct NodeContext;

class ClientMemory {
 public:
  // A client may hold so much whatever the others hold, until the bound itself is reached.
  static constexpr size_t kFairBytes = 64 << 10;

  uint64_t used() const { return used_; }
  void changed(size_t from, size_t to) {
    CHECK_INVARIANT(used_ >= from);
    used_ += to - from;
  }

  static uint64_t limit(const NodeContext& node);  // UINT64_MAX = none
  // Clients that hold more than their fair share should wait.
  bool scarce(const NodeContext& node) const;
  // Kills the sessions that hold most until the others fit.
  void enforce(NodeContext& node);

 private:
  uint64_t used_ = 0;
  int64_t nobody_left_ms_ = -1;  // when there was nobody to close; looked at again a little later
};

}  // namespace kiwi::resp
