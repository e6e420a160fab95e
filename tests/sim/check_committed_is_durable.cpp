// DESIGN §1.1: what is applied anywhere is durable on a majority of voters, so that no loss of
// power can take it back. Looked at when an index is applied for the first time.
#include "raft/codec.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

class CommittedIsDurable final : public Check {
 public:
  explicit CommittedIsDurable(const World& world) : world_(world) {}

  void on_apply(const Node& node, const raft::Entry& entry) override {
    if (entry.index <= checked_) {
      return;
    }
    checked_ = entry.index;
    if (!has(node, entry)) {
      fail(node, entry, "before its own disk has it");
    }
    // A configuration counts from its append (F18), so an entry before it may have been committed
    // by the one before. Either majority will do here; which one is right is checked by the
    // promises that break when it was the wrong one.
    const raft::Configuration now = node.core().configuration();
    if (!majority(now, entry) && !(previous_.voters.size() > 0 && majority(previous_, entry))) {
      fail(node, entry, "before a majority of voters has it on disk");
    }
    if (entry.kind == raft::EntryKind::kConfiguration) {
      previous_ = raft::decode_configuration(entry.payload.view()).value();
    }
  }

 private:
  static bool has(const Node& node, const raft::Entry& entry) {
    const raft::Entry* own = node.disk().find(entry.index);
    return own != nullptr ? own->term == entry.term : entry.index <= node.disk().snapshot_index();
  }
  // A voter whose directory was lost after it acknowledged had it; the world loses one at a time.
  bool half(const raft::Configuration& configuration,
            const std::vector<NodeId>& voters,
            const raft::Entry& entry) const {
    size_t copies = 0;
    for (NodeId voter : voters) {
      for (const auto& node : world_.nodes) {
        bool lost = node->id() == voter && !configuration.has(voter, node->incarnation());
        copies += lost || (node->id() == voter && has(*node, entry)) ? 1 : 0;
      }
    }
    return copies * 2 > voters.size();
  }
  bool majority(const raft::Configuration& configuration, const raft::Entry& entry) const {
    return half(configuration, configuration.voters, entry) &&
           (!configuration.is_joint() || half(configuration, configuration.outgoing_voters, entry));
  }
  [[noreturn]] static void fail(const Node& node, const raft::Entry& entry, const char* what) {
    throw Violation{"committed is durable", "node " + std::to_string(node.id().value) +
                                                " applies index " +
                                                std::to_string(entry.index.value) + " " + what};
  }

  const World& world_;
  LogIndex checked_;
  raft::Configuration previous_;
};

}  // namespace

std::unique_ptr<Check> committed_is_durable(const World& world) {
  return std::make_unique<CommittedIsDurable>(world);
}

}  // namespace kiwi::sim
