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
    LogIndex last{committed_.entries.size()};
    // A leader of an old term may be elected by its own clock after a newer one has committed more:
    // only what was committed in lower terms is promised.
    while (last && committed_.term_at(last) >= term) {
      last = last - 1;
    }
    if (last && (node.log_terms().size() < last.value ||
                 node.log_terms()[last.value - 1] != committed_.term_at(last))) {
      throw Violation{"leader completeness", "leader " + std::to_string(node.id().value) +
                                                 " of term " + std::to_string(term.value) +
                                                 " lacks committed index " +
                                                 std::to_string(last.value)};
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
