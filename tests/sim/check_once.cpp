// Commands that name a token (KIWI.ONCE): however often one was sent, to whichever nodes, it counts
// once. On lists, whose elements are each one command's own.
#include <algorithm>
#include <set>

#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

[[noreturn]] void fail(const std::string& key, const std::string& what) {
  throw Violation{"once", key + ": " + what};
}

void check_list(const History& history,
                const std::string& key,
                const std::vector<size_t>& of_key,
                const std::vector<std::string>& final_list) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < final_list.size(); ++i) {
    if (!place.try_emplace(final_list[i], i).second) {
      fail(key, final_list[i] + " counted twice");
    }
  }
  std::set<std::string> pushed;
  for (const size_t i : of_key) {
    const Op& op = history.ops[i];
    pushed.insert(op.value);
    const auto found = place.find(op.value);
    const bool is_in = found != place.end();
    if (op.fate == Fate::kOk &&
        (!is_in || (op.number != 0 && found->second + 1 != static_cast<size_t>(op.number)))) {
      fail(key, op.value + " is not where its client was told");
    }
    if (op.fate == Fate::kFailed && is_in) {
      fail(key, op.value + " was refused and counted");
    }
  }
  for (const std::string& element : final_list) {
    if (!pushed.contains(element)) {
      fail(key, element + " comes from nowhere");
    }
  }
}

}  // namespace

void check_once(const History& history, const FinalState& final_state) {
  for (const auto& [key, of_key] : history.by_key()) {
    if (key[0] == 'o') {
      const auto found = final_state.find(key);
      check_list(history, key, of_key,
                 found == final_state.end() ? std::vector<std::string>{} : found->second);
    }
  }
}

}  // namespace kiwi::sim
