// Determinism: the same log gives the same database, on any node, at any time, also by replay
// from an older flush. Compared by the rolling checksum over logical effects (F34).
#include <map>

#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class SameLogSameState final : public Check {
 public:
  void on_state(const Node& node, LogIndex applied, uint64_t checksum) override {
    auto [it, fresh] = checksums_.try_emplace(applied, checksum);
    if (it->second != checksum) {
      throw Violation{"same log, same state", "node " + std::to_string(node.id().value) +
                                                  " has another state at index " +
                                                  std::to_string(applied.value)};
    }
  }

 private:
  std::map<LogIndex, uint64_t> checksums_;
};

}  // namespace

std::unique_ptr<Check> same_log_same_state() { return std::make_unique<SameLogSameState>(); }

}  // namespace kiwi::sim
