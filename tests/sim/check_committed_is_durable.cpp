// The first promise (README.md#what-it-promises): what is applied anywhere is durable on a majority
// of voters, so that no loss of power can take it back. Looked at when an index is applied for the
// first time.
#include <algorithm>
#include <vector>

#include "raft/codec.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

class CommittedIsDurable final : public Check {
 public:
  CommittedIsDurable(const World& world, const Committed& committed)
      : world_(world), committed_(committed) {}

  void on_append(const Node& /*node*/, const std::vector<raft::Entry>& entries) override {
    for (const raft::Entry& entry : entries) {
      if (entry.kind == raft::EntryKind::kConfiguration) {
        appended_.push_back(
            {entry.index, entry.term, raft::decode_configuration(entry.payload.view()).value()});
      }
    }
  }

  // F15: what a snapshot does not hold and the log does has been acknowledged, maybe counted.
  void on_install(const Node& node, LogIndex snapshot) override {
    const LogIndex last = std::min(node.disk().last_index(), LogIndex{committed_.entries.size()});
    for (LogIndex i = snapshot + 1; i <= last; ++i) {
      const raft::Entry* own = node.disk().find(i);
      if (own != nullptr && own->term == committed_.entries[i.value - 1].term) {
        fail(node, *own, "and loses it by a snapshot");
      }
    }
  }

  void on_apply(const Node& node, const raft::Entry& entry) override {
    if (entry.index <= checked_) {
      return;
    }
    checked_ = entry.index;
    if (!has(node, entry)) {
      fail(node, entry, "and applies it before its own disk has it");
    }
    // A configuration counts from its append (F18): the leader may have committed this entry by one
    // that stands after it in the log, and that the node which applies first has not got yet (seed
    // 2612), or, if the change came later, by the one before. Any of these majorities will do here;
    // which one is right is checked by the promises that break when it was the wrong one.
    bool held = majority(applied_, entry) || majority(node.core().configuration(), entry);
    for (const Appended& newer : appended_) {
      held = held || (newer.term >= entry.term && majority(newer.configuration, entry));
    }
    if (!held) {
      fail(node, entry, "and applies it before a majority of voters has it on disk");
    }
    if (entry.kind == raft::EntryKind::kConfiguration) {
      applied_ = raft::decode_configuration(entry.payload.view()).value();
      std::erase_if(appended_, [&](const Appended& a) { return a.index <= entry.index; });
    }
  }

 private:
  struct Appended {
    LogIndex index;
    Term term;
    raft::Configuration configuration;
  };

  static bool has(const Node& node, const raft::Entry& entry) {
    const raft::Entry* own = node.disk().find(entry.index);
    return own != nullptr ? own->term == entry.term : entry.index <= node.disk().snapshot_index();
  }
  // A voter whose directory was lost, or replaced by an old copy, after it acknowledged had it; the
  // world loses one at a time.
  bool half(const raft::Configuration& configuration,
            const std::vector<NodeId>& voters,
            const raft::Entry& entry) const {
    size_t copies = 0;
    for (NodeId voter : voters) {
      for (const auto& node : world_.nodes) {
        bool lost = node->id() == voter &&
                    (node->is_old_copy() || !configuration.has(voter, node->incarnation()));
        copies += lost || (node->id() == voter && has(*node, entry)) ? 1 : 0;
      }
    }
    return copies * 2 > voters.size();
  }
  bool majority(const raft::Configuration& configuration, const raft::Entry& entry) const {
    return !configuration.voters.empty() && half(configuration, configuration.voters, entry) &&
           (!configuration.is_joint() || half(configuration, configuration.outgoing_voters, entry));
  }
  [[noreturn]] static void fail(const Node& node, const raft::Entry& entry, const char* what) {
    throw Violation{"committed is durable", "node " + std::to_string(node.id().value) +
                                                " holds index " +
                                                std::to_string(entry.index.value) + " " + what};
  }

  const World& world_;
  const Committed& committed_;
  LogIndex checked_;
  raft::Configuration applied_;     // the latest that was applied anywhere
  std::vector<Appended> appended_;  // those after it, by whichever leader
};

}  // namespace

std::unique_ptr<Check> committed_is_durable(const World& world, const Committed& committed) {
  return std::make_unique<CommittedIsDurable>(world, committed);
}

}  // namespace kiwi::sim
