// State Machine Safety (§3.6.3): if a node has applied an entry at an index, no other node ever
// applies a different one there. Also over restarts, and in order.
#include "raft/codec.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class StateMachineSafety final : public Check {
 public:
  explicit StateMachineSafety(Committed& committed) : committed_(committed) {}

  void on_apply(const Node& node, const raft::Entry& entry) override {
    uint64_t index = entry.index.value;
    Committed::Known known{entry.term, fingerprint_of(entry), node.status().term};
    if (index == committed_.entries.size() + 1) {
      committed_.entries.push_back(known);
      if (entry.kind == raft::EntryKind::kConfiguration) {
        committed_.configurations[entry.index] =
            raft::decode_configuration(entry.payload.view()).value();
      }
      return;
    }
    if (index == 0 || index > committed_.entries.size()) {
      throw Violation{"state machine safety", "node " + std::to_string(node.id().value) +
                                                  " skips to index " + std::to_string(index)};
    }
    const Committed::Known& before = committed_.entries[index - 1];
    if (before.term != known.term || before.fingerprint != known.fingerprint) {
      throw Violation{"state machine safety", "node " + std::to_string(node.id().value) +
                                                  " applies another entry at index " +
                                                  std::to_string(index)};
    }
  }

 private:
  Committed& committed_;
};

}  // namespace

std::unique_ptr<Check> state_machine_safety(Committed& committed) {
  return std::make_unique<StateMachineSafety>(committed);
}

}  // namespace kiwi::sim
