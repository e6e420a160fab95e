// F31: clients wait at all nodes, and what is pushed goes to one of them. What somebody pushed and
// was told so is left in the end, or in the answer of one who popped it; a refusal took nothing.
// Where a client was cut off or told TIMEOUT, nobody knows what it took.
#include <map>
#include <string>

#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

[[noreturn]] void fail(const std::string& key, const std::string& what) {
  throw Violation{"queues", key + ": " + what};
}

// One element: its push, and what became of it.
struct Element {
  const Op* push = nullptr;
  const Op* pop = nullptr;  // nullptr: nobody was told that he has it
  bool left = false;
  size_t place = 0;  // in what is left
};
using Elements = std::map<std::string, Element>;

Elements elements_of(const History& history,
                     const std::string& key,
                     const std::vector<size_t>& of_key,
                     const std::vector<std::string>& left) {
  Elements elements;
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind == OpKind::kEnqueue) {
      elements[op.value].push = &op;
    }
  }
  const auto find = [&](const std::string& value) -> Element& {
    const auto it = elements.find(value);
    if (it == elements.end() || it->second.push->fate == Fate::kFailed) {
      fail(key, "element " + value + " comes from nowhere");
    }
    if (it->second.pop != nullptr || it->second.left) {
      fail(key, "element " + value + " was given away twice, or is still there");
    }
    return it->second;
  };
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind == OpKind::kDequeue && op.fate == Fate::kOk && !op.value.empty()) {
      find(op.value).pop = &op;
    }
  }
  for (size_t i = 0; i < left.size(); ++i) {
    Element& element = find(left[i]);
    element.left = true;
    element.place = i;
  }
  return elements;
}

// Pushed one after the other, they leave in that order.
void check_order(const std::string& key, const Element& first, const Element& second) {
  if (first.push->fate != Fate::kOk || first.push->returned_us >= second.push->invoked_us) {
    return;
  }
  const bool overtaken_in_queue = first.left && second.left && first.place > second.place;
  const bool left_behind = first.left && second.pop != nullptr;
  const bool popped_late = first.pop != nullptr && second.pop != nullptr &&
                           second.pop->returned_us < first.pop->invoked_us;
  if (overtaken_in_queue || left_behind || popped_late) {
    fail(key, "element " + second.push->value + " overtook " + first.push->value);
  }
}

// A node's clock may run fast, but not twice as fast.
void check_time(const std::string& key, const Op& nil) {
  if (nil.returned_us - nil.invoked_us < nil.number * 500) {
    fail(key, "a client was told nil before its time was over");
  }
}

// It was there during all of that wait, and nobody else had it.
void check_nil(const std::string& key, const Op& nil, const Element& element) {
  const bool there_before =
      element.push->fate == Fate::kOk && element.push->returned_us < nil.invoked_us;
  const bool there_behind =
      element.left || (element.pop != nullptr && element.pop->invoked_us > nil.returned_us);
  if (there_before && there_behind) {
    fail(key, "a client was told nil beside element " + element.push->value);
  }
}

void check_queue(const History& history,
                 const std::string& key,
                 const std::vector<size_t>& of_key,
                 const std::vector<std::string>& left) {
  const Elements elements = elements_of(history, key, of_key, left);
  size_t unknown = 0;  // pops that may have taken one each
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind != OpKind::kDequeue) {
      continue;
    }
    unknown += op.fate == Fate::kUnknown || op.fate == Fate::kPending ? 1 : 0;
    if (op.fate == Fate::kOk && op.value.empty()) {
      check_time(key, op);
      for (const auto& [value, element] : elements) {
        check_nil(key, op, element);
      }
    }
  }
  size_t gone = 0;
  for (const auto& [value, element] : elements) {
    gone += element.push->fate == Fate::kOk && element.pop == nullptr && !element.left ? 1 : 0;
    for (const auto& [other, behind] : elements) {
      check_order(key, element, behind);
    }
  }
  if (gone > unknown) {
    fail(key, std::to_string(gone) + " elements are gone, and only " + std::to_string(unknown) +
                  " clients do not know whether they took one");
  }
}

}  // namespace

void check_queues(const History& history, const FinalState& final_state) {
  for (const auto& [key, of_key] : history.by_key()) {
    if (key[0] == 'q') {
      const auto found = final_state.find(key);
      check_queue(history, key, of_key,
                  found == final_state.end() ? std::vector<std::string>{} : found->second);
    }
  }
}

}  // namespace kiwi::sim
