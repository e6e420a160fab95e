// Operators who wait until this node serves: RAFT.CLUSTER INIT and JOIN. Plain class, owned by
// NodeContext; client loop; times are monotonic. A node is founded or joins once, so there are few.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "resp/router_status.hpp"

namespace kiwi::resp {

class ServingWaits {
 public:
  // Called once: whether it serves. False: time was over.
  using Done = std::function<void(bool serves)>;

  void wait(int64_t deadline_ms, Done done) { waits_.emplace_back(deadline_ms, std::move(done)); }

  // As often as either may have changed.
  void look(Service service, int64_t now_ms) {
    std::vector<std::pair<int64_t, Done>> waits = std::exchange(waits_, {});
    for (auto& [deadline_ms, done] : waits) {
      const bool serves = service == Service::kUp;
      if (serves || now_ms >= deadline_ms) {
        done(serves);
      } else {
        waits_.emplace_back(deadline_ms, std::move(done));
      }
    }
  }

 private:
  std::vector<std::pair<int64_t, Done>> waits_;
};

}  // namespace kiwi::resp
