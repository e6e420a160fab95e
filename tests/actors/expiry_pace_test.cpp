// ExpiryPace: how the leader removes keys as fast as they come, and leaves time for others.
#include "actors/state/expiry_pace.hpp"

#include <algorithm>

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

constexpr int64_t kTimerUs = 100'000;
constexpr int64_t kAskUs = 1;    // for each key
constexpr int64_t kApplyUs = 3;  // the same

// A leader whose proposals are applied `flight_us` later; keys fall due at a steady rate.
struct Leader {
  int64_t flight_us = 2000;
  int64_t due_per_s = 0;
  size_t due = 0;
  ExpiryPace pace{1024};
  int64_t now_us = 1'000'000;
  int64_t work_us = 0;
  size_t most = 0;

  void pass(int64_t us) {
    due +=
        static_cast<size_t>((now_us + us) * due_per_s / 1'000'000 - now_us * due_per_s / 1'000'000);
    now_us += us;
  }
  void work(int64_t us) {
    pass(us);
    work_us += us;
  }
  // What StateMachine does from one timer to the next.
  void timer() {
    const int64_t next = now_us + kTimerUs;
    while (now_us < next) {
      const size_t keys_max = pace.wanted(now_us);
      const int64_t asked_us = now_us;
      const size_t keys = std::min(keys_max, due);
      int64_t again = -1;
      if (keys_max != 0) {
        due -= keys;
        work(static_cast<int64_t>(keys) * kAskUs);
        pace.proposed(keys, asked_us, now_us);
        if (keys != 0) {
          pass(flight_us);
          const int64_t turn_us = static_cast<int64_t>(keys) * kApplyUs;
          work(turn_us);
          again = pace.applied(turn_us, now_us);
        }
      }
      most = std::max(most, due);
      pass(again >= 0 ? again : std::max<int64_t>(next - now_us, 1));
    }
  }
};

TEST_CASE("expiry pace: what is due at once is gone soon, whatever it is [F56]") {
  Leader leader;
  leader.due = 50'000;
  int timers = 0;
  for (; leader.due != 0; ++timers) {
    REQUIRE(timers < 20);  // at 256 keys a timer these were 196
    leader.timer();
  }
}

TEST_CASE("expiry pace: 100,000 keys a second are removed at the rate they come [F56]") {
  for (const int64_t flight_us : {500, 2000, 4000}) {
    CAPTURE(flight_us);
    Leader leader;
    leader.flight_us = flight_us;
    leader.due_per_s = 100'000;
    for (int timers = 0; timers < 100; ++timers) {
      leader.timer();
    }
    CHECK(leader.most < 20'000);
  }
}

TEST_CASE("expiry pace: it takes half of the time at most [F56]") {
  Leader leader;
  leader.flight_us = 0;
  leader.due = 10'000'000;
  const int64_t began_us = leader.now_us;
  for (int timers = 0; timers < 20; ++timers) {
    leader.timer();
  }
  CHECK(leader.due != 0);
  CHECK(leader.work_us <= (leader.now_us - began_us) / 2 + 10'000);
}

TEST_CASE("expiry pace: one proposal at a time, until it is applied or lost [F56]") {
  ExpiryPace pace(1024);
  CHECK(pace.wanted(0) == 128);
  pace.proposed(128, 0, 10);
  CHECK(pace.wanted(1'000'000) == 0);
  CHECK_FALSE(pace.lost(1'000'000));
  CHECK(pace.lost(3'000'000));
  CHECK(pace.applied(10, 1000) == 0);  // at once: it was full
  CHECK(pace.wanted(1000) == 256);
  pace.proposed(3, 1000, 1001);
  CHECK(pace.applied(1, 2000) < 0);  // nothing more was due
  CHECK(pace.wanted(2000) == 128);
  CHECK(pace.applied(1, 2000) < 0);  // another leader's
  pace.proposed(0, 3000, 3001);
  CHECK(pace.wanted(3001) != 0);  // nothing is under way
  pace.proposed(128, 4000, 4001);
  pace.begin();
  CHECK(pace.wanted(4001) == 128);
}

}  // namespace
}  // namespace kiwi::actors
