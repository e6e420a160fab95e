// Says when a peer's wall clock is far from the leader's (F37). Nothing depends on equal clocks,
// but deadlines that clients give as a time of day are off by as much.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/base/ids.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {

class ClockWatch {
 public:
  // A sentence for each peer of this leader that is more than half a second off; about the same
  // one once a minute.
  std::vector<std::string> look(const raft::Status& status, int64_t now_ms);

 private:
  std::map<NodeId, int64_t> warned_ms_;
};

}  // namespace kiwi::actors
