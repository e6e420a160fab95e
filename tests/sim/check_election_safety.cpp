// Election Safety (§3.4): at most one leader can be elected in a given term.
#include <map>

#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class ElectionSafety final : public Check {
 public:
  void on_leader(const Node& node, Term term) override {
    auto [it, fresh] = leaders_.try_emplace(term, node.id());
    if (it->second != node.id()) {
      throw Violation{"election safety", "term " + std::to_string(term.value) + " has leaders " +
                                             std::to_string(it->second.value) + " and " +
                                             std::to_string(node.id().value)};
    }
  }

 private:
  std::map<Term, NodeId> leaders_;
};

}  // namespace

std::unique_ptr<Check> election_safety() { return std::make_unique<ElectionSafety>(); }

}  // namespace kiwi::sim
