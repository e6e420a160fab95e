// F9: clocks may be wrong by hours and leaders may change, but a key that was there and that a
// reader saw expired is not seen by anyone who asks later.
#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

void check_expiry(const History& history) {
  for (const auto& [key, of_key] : history.by_key()) {
    OpKind kind = history.ops[of_key.front()].kind;
    if (kind != OpKind::kSetExpiring && kind != OpKind::kGetExpiring) {
      continue;
    }
    int64_t present_us = kNever;  // from then on it is known to have been there
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      bool shows = op.fate == Fate::kOk && (op.kind == OpKind::kSetExpiring || !op.value.empty());
      if (shows) {
        present_us = std::min(present_us, op.returned_us);
      }
    }
    int64_t gone_us = kNever;
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      if (op.kind == OpKind::kGetExpiring && op.fate == Fate::kOk && op.value.empty() &&
          op.invoked_us > present_us) {
        gone_us = std::min(gone_us, op.returned_us);
      }
    }
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      if (op.kind == OpKind::kGetExpiring && op.fate == Fate::kOk && !op.value.empty() &&
          op.invoked_us > gone_us) {
        throw Violation{"expiry", "key " + key + " came back after it was seen expired"};
      }
    }
  }
}

}  // namespace kiwi::sim
