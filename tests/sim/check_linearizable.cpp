// Linearizability of registers, each by itself (it is a local property). Wing & Gong, "Testing and
// verifying concurrent objects" (1993), with the memory of seen configurations of Lowe, "Testing
// for linearizability" (2017).
#include <algorithm>
#include <set>

#include "tests/sim/history.hpp"
#include "tests/sim/register_model.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

constexpr size_t kOpsMax = 64;

class RegisterSearch {
 public:
  RegisterSearch(const History& history, const std::vector<size_t>& of_key) {
    std::map<size_t, size_t> place;
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      bool matters = op.fate == Fate::kOk || (op.fate == Fate::kUnknown && !is_read(op.kind));
      if (matters) {
        place[i] = ops_.size();
        ops_.push_back(&op);
      }
    }
    before_.assign(ops_.size(), 0);
    for (auto [i, at] : place) {
      // Program order within a pipeline (F6): the nearest earlier one of this key that is certain.
      for (size_t j = history.ops[i].before; j != SIZE_MAX; j = history.ops[j].before) {
        auto found = place.find(j);
        if (found != place.end() && history.ops[j].fate == Fate::kOk) {
          before_[at] |= uint64_t{1} << found->second;
        }
      }
      for (size_t other = 0; other < ops_.size(); ++other) {
        if (ops_[other]->fate == Fate::kOk && ops_[other]->returned_us < ops_[at]->invoked_us) {
          before_[at] |= uint64_t{1} << other;
        }
      }
      if (ops_[at]->fate == Fate::kOk) {
        must_ |= uint64_t{1} << at;
      }
    }
  }

  size_t size() const { return ops_.size(); }
  bool search() { return from(0, {}); }

 private:
  bool from(uint64_t done, const RegisterState& state) {
    if ((must_ & ~done) == 0) {
      return true;
    }
    if (!seen_.insert({done, state}).second) {
      return false;
    }
    for (size_t i = 0; i < ops_.size(); ++i) {
      const uint64_t bit = uint64_t{1} << i;
      if ((done & bit) != 0 || (before_[i] & ~done) != 0) {
        continue;
      }
      if (next(i, done | bit, state) || (state.deadline && next(i, done | bit, {}))) {
        return true;
      }
    }
    return false;
  }
  bool next(size_t i, uint64_t done, const RegisterState& state) {
    const std::optional<RegisterState> then = after(*ops_[i], state);
    return then && from(done, *then);
  }

  std::vector<const Op*> ops_;
  std::vector<uint64_t> before_;  // what has to stand before it
  uint64_t must_ = 0;
  std::set<std::pair<uint64_t, RegisterState>> seen_;
};

std::string describe(const History& history, const std::vector<size_t>& of_key) {
  static constexpr const char* kFates[] = {"pending", "ok", "failed", "unknown"};
  std::string text;
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    text += "\n  client " + std::to_string(op.client) + " " + describe(op) + " [" +
            std::to_string(op.invoked_us) + ", " +
            (op.returned_us == kNever ? "..." : std::to_string(op.returned_us)) + "] " +
            kFates[static_cast<size_t>(op.fate)];
  }
  return text;
}

}  // namespace

void check_linearizable(const History& history) {
  for (const auto& [key, of_key] : history.by_key()) {
    OpKind kind = history.ops[of_key.front()].kind;
    if (kind != OpKind::kSet && kind != OpKind::kGet && kind != OpKind::kSwap &&
        !has_deadlines(kind)) {
      continue;
    }
    RegisterSearch search(history, of_key);
    if (search.size() > kOpsMax) {
      throw Violation{"harness", "too many operations on " + key};
    }
    if (!search.search()) {
      throw Violation{"linearizable",
                      "no order explains register " + key + describe(history, of_key)};
    }
  }
}

}  // namespace kiwi::sim
