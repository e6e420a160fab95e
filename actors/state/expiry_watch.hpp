// When a leader looks whether something is over: with the timer, and right behind its last proposal
// (expiry_pace.hpp). Nobody else looks (F8).
//
// Plain class; owned by StateMachine, on the client loop.
#pragma once

#include <cstdint>
#include <optional>

#include "actors/state/expiry_pace.hpp"

namespace kiwi::actors {

class ExpiryWatch {
 public:
  // As the replica said last. now_ms: monotonic, when that was cluster time.
  void leads(bool leads, int64_t cluster_time_ms, int64_t now_ms) {
    leads_ = leads;
    cluster_time_ms_ = cluster_time_ms;
    told_ms_ = now_ms;
  }
  void state_swapped() { looks_ = false; }

  // The cluster time by which something may be over; nullopt: not now. Too late a clock only
  // delays, too early a one is caught by the entry's stamp (F8).
  std::optional<int64_t> look(int64_t now_us, int64_t now_ms);
  // Something was over for `behind_ms`; it was asked for at asked_us.
  void proposed(int64_t behind_ms, int64_t asked_us, int64_t now_us) {
    pace_.proposed(behind_ms, asked_us, now_us);
  }
  // A turn applied what was proposed, and took so long. How long to wait until the next look();
  // nullopt: it was proposed by another.
  std::optional<int64_t> applied(int64_t turn_us, int64_t now_us);
  // A wait is under way; it is over when due() says so. Asked first: a clock costs each turn.
  bool waits() const { return look_at_us_ != 0; }
  bool due(int64_t now_us) const { return waits() && now_us >= look_at_us_; }
  // Turns are timed for it.
  bool looks() const { return looks_; }

 private:
  ExpiryPace pace_;
  bool leads_ = false;
  bool looks_ = false;      // leads, and did so when it looked last
  int64_t look_at_us_ = 0;  // before the timer; 0: not
  int64_t cluster_time_ms_ = 0;
  int64_t told_ms_ = 0;
};

}  // namespace kiwi::actors
