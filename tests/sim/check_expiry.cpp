// F9: clocks may be wrong by hours and leaders may change, but a key that was there and that a
// reader saw expired is not seen by anyone who asks later. F8: a key that was then set without a
// deadline stays, also if the entry that removes the expired one comes late.
#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

void check_for_good(const History& history,
                    const std::string& key,
                    const std::vector<size_t>& of_key,
                    int64_t last_expiring_us) {
  int64_t stays_us = kNever;
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind == OpKind::kSetForGood && op.fate == Fate::kOk &&
        op.invoked_us > last_expiring_us) {
      stays_us = std::min(stays_us, op.returned_us);
    }
  }
  for (size_t i : of_key) {
    const Op& op = history.ops[i];
    if (op.kind == OpKind::kGetExpiring && op.fate == Fate::kOk && op.value.empty() &&
        op.invoked_us > stays_us) {
      throw Violation{"expiry", "key " + key + " is gone although it was set without a deadline"};
    }
  }
}

// Readers go by clocks that they reckon on from others', which run three hundredths too fast at
// most.
constexpr int64_t kReckoningMs = 1000;

void check_not_early(const std::string& key, const Op& set, const Op& gone) {
  if (gone.clock_ms + kReckoningMs < set.clock_ms) {
    throw Violation{"expiry", "key " + key + " ended before its deadline by every clock: " +
                                  std::to_string(set.clock_ms - gone.clock_ms) +
                                  " ms before; set at " + std::to_string(set.invoked_us) +
                                  " us, gone at " + std::to_string(gone.returned_us) + " us"};
  }
}

}  // namespace

void check_expiry(const History& history) {
  for (const auto& [key, of_key] : history.by_key()) {
    if (key[0] != 't') {
      continue;
    }
    int64_t for_good_us = kNever;  // the first attempt to make it permanent
    int64_t last_expiring_us = 0;  // until then it may have been given a deadline
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      if (op.kind == OpKind::kSetForGood && op.fate != Fate::kFailed) {
        for_good_us = std::min(for_good_us, op.invoked_us);
      }
      if (op.kind == OpKind::kSetExpiring && op.fate != Fate::kFailed) {
        last_expiring_us = std::max(last_expiring_us, op.returned_us);
      }
    }
    check_for_good(history, key, of_key, last_expiring_us);
    int64_t present_us = kNever;  // from then on it is known to have been there
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      bool shows = op.fate == Fate::kOk && (op.kind == OpKind::kSetExpiring || !op.value.empty());
      if (shows) {
        present_us = std::min(present_us, op.returned_us);
      }
    }
    const Op* set = nullptr;  // an expiring key is set once
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      set = op.kind == OpKind::kSetExpiring && op.fate != Fate::kFailed ? &op : set;
    }
    int64_t gone_us = kNever;
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      if (op.kind == OpKind::kGetExpiring && op.fate == Fate::kOk && op.value.empty() &&
          op.invoked_us > present_us) {
        gone_us = std::min(gone_us, op.returned_us);
        if (set != nullptr) {
          check_not_early(key, *set, op);
        }
      }
    }
    for (size_t i : of_key) {
      const Op& op = history.ops[i];
      if (op.kind == OpKind::kGetExpiring && op.fate == Fate::kOk && !op.value.empty() &&
          op.invoked_us > gone_us && op.returned_us < for_good_us) {
        throw Violation{"expiry", "key " + key + " came back after it was seen expired"};
      }
    }
  }
}

}  // namespace kiwi::sim
