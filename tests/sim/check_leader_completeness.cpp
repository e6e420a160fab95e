// Leader Completeness (§3.6.3): an entry committed in a term is in the logs of the leaders of all
// higher terms. Together with Log Matching it is enough to look at the last one.
#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class LeaderCompleteness final : public Check {
 public:
  explicit LeaderCompleteness(const Committed& committed) : committed_(committed) {}

  void on_leader(const Node& node, Term term) override {
    // A late winner of an old term may be elected after a newer leader has committed more (also
    // entries of terms before its own): only what was committed in lower terms is promised.
    size_t last = committed_.entries.size();
    while (last > 0 && committed_.entries[last - 1].committed_in >= term) {
      --last;
    }
    if (last > 0 && (node.log_terms().size() < last ||
                     node.log_terms()[last - 1] != committed_.entries[last - 1].term)) {
      throw Violation{"leader completeness", "leader " + std::to_string(node.id().value) +
                                                 " of term " + std::to_string(term.value) +
                                                 " lacks committed index " + std::to_string(last)};
    }
  }

 private:
  const Committed& committed_;
};

}  // namespace

std::unique_ptr<Check> leader_completeness(const Committed& committed) {
  return std::make_unique<LeaderCompleteness>(committed);
}

}  // namespace kiwi::sim
