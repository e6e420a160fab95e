// A promise (README.md#what-it-promises): a write is applied at most once, and exactly once unless
// its client was told TIMEOUT or was cut off. On counters (every value is given out once) and on
// lists (every element is its own), which also show stale reads and reads of the future.
#include <algorithm>
#include <set>

#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

[[noreturn]] void fail(const std::string& key, const std::string& what) {
  throw Violation{"exactly once", key + ": " + what};
}

// `a` certainly stands before `b`.
bool precedes(const History& history, size_t a, size_t b) {
  if (history.ops[a].returned_us < history.ops[b].invoked_us) {
    return true;
  }
  for (size_t j = history.ops[b].before; j != SIZE_MAX; j = history.ops[j].before) {
    if (j == a) {
      return history.ops[a].fate == Fate::kOk;
    }
  }
  return false;
}

void check_counter(const History& history,
                   const std::string& key,
                   const std::vector<size_t>& of_key,
                   int64_t final_value) {
  int64_t acknowledged = 0;
  int64_t unknown = 0;
  std::map<int64_t, size_t> results;
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    acknowledged += op.fate == Fate::kOk ? 1 : 0;
    unknown += op.fate == Fate::kUnknown ? 1 : 0;
    if (op.fate == Fate::kOk && !results.try_emplace(op.number, i).second) {
      fail(key, "the value " + std::to_string(op.number) + " was given out twice");
    }
  }
  if (final_value < acknowledged || final_value > acknowledged + unknown) {
    fail(key, std::to_string(acknowledged) + " acknowledged and " + std::to_string(unknown) +
                  " unknown increments make " + std::to_string(final_value));
  }
  for (auto a = results.begin(); a != results.end(); ++a) {
    for (auto b = std::next(a); b != results.end(); ++b) {
      if (precedes(history, b->second, a->second)) {
        fail(key, std::to_string(a->first) + " was given out after " + std::to_string(b->first));
      }
    }
  }
}

void check_range(const History& history,
                 const std::string& key,
                 size_t read,
                 const std::vector<size_t>& of_key,
                 const std::vector<std::string>& final_list) {
  const Op& op = history.ops[read];
  if (op.list.size() > final_list.size() ||
      !std::equal(op.list.begin(), op.list.end(), final_list.begin())) {
    fail(key, "a read is no beginning of what the list became");
  }
  std::set<std::string> seen(op.list.begin(), op.list.end());
  for (size_t i : of_key) {
    const Op& other = history.ops[i];
    if (other.kind == OpKind::kPush) {
      bool sees = seen.count(other.value) != 0;
      if (other.fate == Fate::kOk && precedes(history, i, read) && !sees) {
        fail(key, "a stale read: it does not see " + other.value);
      }
      if (sees && (op.returned_us < other.invoked_us || precedes(history, read, i))) {
        fail(key, "a read of the future: it sees " + other.value);
      }
    } else if (other.fate == Fate::kOk && precedes(history, i, read) &&
               other.list.size() > op.list.size()) {
      fail(key, "a read sees less than a read before it");
    }
  }
}

void check_list(const History& history,
                const std::string& key,
                const std::vector<size_t>& of_key,
                const std::vector<std::string>& final_list) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < final_list.size(); ++i) {
    if (!place.try_emplace(final_list[i], i).second) {
      fail(key, "element " + final_list[i] + " is in the list twice");
    }
  }
  std::set<std::string> pushed;
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind != OpKind::kPush) {
      continue;
    }
    pushed.insert(op.value);
    auto found = place.find(op.value);
    bool is_in = found != place.end();
    if (op.fate == Fate::kOk && (!is_in || found->second + 1 != static_cast<size_t>(op.number))) {
      fail(key, "acknowledged element " + op.value + " is not where its client was told");
    }
    if (op.fate == Fate::kFailed && is_in) {
      fail(key, "element " + op.value + " was refused and is in the list");
    }
  }
  for (const std::string& element : final_list) {
    if (pushed.count(element) == 0) {
      fail(key, "element " + element + " comes from nowhere");
    }
  }
  for (size_t i : of_key) {
    if (history.ops[i].kind == OpKind::kRange && history.ops[i].fate == Fate::kOk) {
      check_range(history, key, i, of_key, final_list);
    }
  }
}

}  // namespace

std::map<std::string, std::vector<size_t>> History::by_key() const {
  std::map<std::string, std::vector<size_t>> keys;
  for (size_t i = 0; i < ops.size(); ++i) {
    keys[ops[i].key].push_back(i);
  }
  return keys;
}

void check_exactly_once(const History& history, const FinalState& final_state) {
  for (const auto& [key, of_key] : history.by_key()) {
    OpKind kind = history.ops[of_key.front()].kind;
    auto found = final_state.find(key);
    std::vector<std::string> value =
        found == final_state.end() ? std::vector<std::string>{} : found->second;
    if (kind == OpKind::kIncrement) {
      check_counter(history, key, of_key, value.empty() ? 0 : std::stoll(value[0]));
    } else if (kind == OpKind::kPush || kind == OpKind::kRange) {
      check_list(history, key, of_key, value);
    }
  }
}

}  // namespace kiwi::sim
