// F45: a reply that is too large loses nothing. What somebody stored and was told so is there in
// the end, or in an answer to somebody who took it; a refusal took nothing. Where a connection
// ended before its answer came, nobody knows what it took.
#include <map>
#include <set>

#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

void check_heap(const History& history,
                const std::string& key,
                const std::vector<size_t>& of_key,
                const std::vector<std::string>& left) {
  std::map<std::string, Fate> stored;
  bool certain = true;  // who took what
  std::multiset<std::string> seen(left.begin(), left.end());
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind == OpKind::kStore) {
      for (int n = 0; n < kStoredAtOnce; ++n) {
        stored[stored_element(op, n)] = op.fate;
      }
    } else if (op.fate == Fate::kOk) {
      seen.insert(op.list.begin(), op.list.end());
    } else if (op.fate != Fate::kFailed) {
      certain = false;
    }
  }
  for (const std::string& element : seen) {
    const auto it = stored.find(element);
    if (it == stored.end() || it->second == Fate::kFailed || seen.count(element) != 1) {
      throw Violation{"heaps", "element " + element + " of " + key +
                                   " comes from nowhere, or was given away twice"};
    }
  }
  for (const auto& [element, fate] : stored) {
    if (certain && fate == Fate::kOk && seen.count(element) == 0) {
      throw Violation{"heaps", "element " + element + " of " + key +
                                   " is gone, and nobody was told that he took it"};
    }
  }
}

}  // namespace

std::string stored_element(const Op& op, int number) {
  return op.value + "." + std::to_string(number);
}

void check_heaps(const History& history, const FinalState& final_state) {
  for (const auto& [key, of_key] : history.by_key()) {
    if (key[0] == 'h') {
      const auto found = final_state.find(key);
      check_heap(history, key, of_key,
                 found == final_state.end() ? std::vector<std::string>{} : found->second);
    }
  }
}

}  // namespace kiwi::sim
