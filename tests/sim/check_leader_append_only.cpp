// Leader Append-Only (§3.5): a leader never overwrites or deletes entries in its log.
#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class LeaderAppendOnly final : public Check {
 public:
  void on_append(const Node& node, const std::vector<raft::Entry>& entries) override {
    bool cuts = entries.front().index.value <= node.log_terms().size();
    raft::Status status = cuts ? node.status() : raft::Status{};
    // An entry of its own term at the end means that it led when it wrote this.
    if (cuts && status.role == raft::Role::kLeader && node.log_terms().back() == status.term) {
      throw Violation{"leader append-only", "leader " + std::to_string(node.id().value) +
                                                " overwrites index " +
                                                std::to_string(entries.front().index.value)};
    }
  }
};

}  // namespace

std::unique_ptr<Check> leader_append_only() { return std::make_unique<LeaderAppendOnly>(); }

}  // namespace kiwi::sim
