// What a Sentinel publishes when something changed: computed from two views of the cluster. The
// order is that of a Sentinel, for some clients know only some of the events. Plain class, owned by
// NodeContext; client loop.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "resp/pubsub.hpp"
#include "resp/sentinel_view.hpp"

namespace kiwi::resp {

class SentinelEvents {
 public:
  // What changed since the last call, for each of the names. The first one tells nothing, and while
  // no master is known nothing is told.
  std::vector<Publication> look(const SentinelView& now, const std::vector<std::string>& names);

 private:
  std::optional<SentinelView> before_;
  std::set<NodeId> sentinels_;  // that were told
};

}  // namespace kiwi::resp
