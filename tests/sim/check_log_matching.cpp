// Log Matching (§3.5): if two logs contain an entry with the same index and term, then the logs are
// identical in all entries up through the given index. By induction it is enough that an index and
// term always stand for the same content and the same predecessor.
#include <map>

#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class LogMatching final : public Check {
 public:
  void on_append(const Node& node, const std::vector<raft::Entry>& entries) override {
    uint64_t first = entries.front().index.value;
    if (first < 1 || first > node.log_terms().size() + 1) {
      throw Violation{"log matching",
                      "a gap in the log of node " + std::to_string(node.id().value)};
    }
    Term previous = first > 1 ? node.log_terms()[first - 2] : Term{};
    for (const raft::Entry& entry : entries) {
      Seen seen{fingerprint_of(entry), previous};
      auto [it, fresh] = seen_.try_emplace({entry.index, entry.term}, seen);
      if (it->second.fingerprint != seen.fingerprint || it->second.previous != seen.previous) {
        throw Violation{"log matching", "two different entries at index " +
                                            std::to_string(entry.index.value) + " of term " +
                                            std::to_string(entry.term.value)};
      }
      previous = entry.term;
    }
  }

 private:
  struct Seen {
    uint64_t fingerprint = 0;
    Term previous;
  };
  std::map<std::pair<LogIndex, Term>, Seen> seen_;
};

}  // namespace

std::unique_ptr<Check> log_matching() { return std::make_unique<LogMatching>(); }

}  // namespace kiwi::sim
