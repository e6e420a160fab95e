#include "resp/replica_waits.hpp"

#include "config/base/check.hpp"

namespace kiwi::resp {

void ReplicaWaits::wait(ConnectionId connection, Wait wait) {
  CHECK_INVARIANT(connection != 0 && wait.done != nullptr);
  const bool is_new = waits_.emplace(connection, std::move(wait)).second;
  CHECK_INVARIANT(is_new);
}

void ReplicaWaits::end(ConnectionId connection) {
  if (const auto found = waits_.find(connection); found != waits_.end()) {
    found->second.deadline_ms = 0;
  }
}

// Taken out first: whoever is told may ask again.
void ReplicaWaits::look(const Count& replicas, int64_t now_ms) {
  std::vector<std::pair<Wait, int64_t>> over;
  for (auto at = waits_.begin(); at != waits_.end();) {
    const int64_t have = replicas(at->second.index);
    if (have >= at->second.wanted || now_ms >= at->second.deadline_ms) {
      over.emplace_back(std::move(at->second), have);
      at = waits_.erase(at);
    } else {
      ++at;
    }
  }
  for (const auto& [wait, have] : over) {
    wait.done(have);
  }
}

}  // namespace kiwi::resp
