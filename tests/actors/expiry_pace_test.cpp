// ExpiryPace: how the leader removes what is due as fast as it comes, and leaves time for others.
#include "actors/state/expiry_pace.hpp"

#include <algorithm>

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

constexpr int64_t kTimerUs = 100'000;
constexpr int64_t kAskUs = 20;
constexpr int64_t kApplyUs = 3;   // for each key
constexpr int64_t kEntry = 1000;  // keys of an entry

// A leader whose proposals are applied `flight_us` later; keys fall due at a steady rate, and those
// that are there at the beginning at once, `behind_ms` ago.
struct Leader {
  int64_t flight_us = 2000;
  int64_t due_per_s = 0;
  int64_t due = 0;
  int64_t behind_ms = 0;
  ExpiryPace pace{};
  int64_t now_us = 1'000'000;
  int64_t work_us = 0;
  int64_t most = 0;

  void pass(int64_t us) {
    due += (now_us + us) * due_per_s / 1'000'000 - now_us * due_per_s / 1'000'000;
    now_us += us;
  }
  void work(int64_t us) {
    pass(us);
    work_us += us;
  }
  int64_t behind() const { return due_per_s != 0 ? due * 1000 / due_per_s : behind_ms; }
  // What StateMachine does from one timer to the next.
  void timer() {
    const int64_t next = now_us + kTimerUs;
    while (now_us < next) {
      int64_t again = -1;
      if (pace.may_propose(now_us) && due != 0) {
        const int64_t asked_us = now_us;
        work(kAskUs);
        pace.proposed(behind(), asked_us, now_us);
        pass(flight_us);
        const int64_t turn_us = std::min(kEntry, due) * kApplyUs;
        due -= std::min(kEntry, due);
        work(turn_us);
        again = pace.applied(turn_us, now_us);
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
    REQUIRE(timers < 8);  // a quarter of the time: 80,000 a second
    leader.timer();
  }
  CHECK(timers > 4);
}

TEST_CASE("expiry pace: 100,000 keys a second are removed at the rate they come [F56]") {
  for (const int64_t flight_us : {500, 2000, 4000}) {
    CAPTURE(flight_us);
    Leader leader;
    leader.flight_us = flight_us;
    leader.due_per_s = 100'000;
    for (int timers = 0; timers < 300; ++timers) {
      leader.timer();
    }
    CHECK(leader.most < 120'000);  // little more than a second
  }
}

TEST_CASE("expiry pace: it takes a quarter of the time, half of it a second behind [F56]") {
  for (const int64_t behind_ms : {999, 1000}) {
    CAPTURE(behind_ms);
    Leader leader;
    leader.flight_us = 0;
    leader.due = 10'000'000;
    leader.behind_ms = behind_ms;
    const int64_t began_us = leader.now_us;
    for (int timers = 0; timers < 20; ++timers) {
      leader.timer();
    }
    CHECK(leader.due != 0);
    const int64_t share = behind_ms < 1000 ? 4 : 2;
    CHECK(leader.work_us <= (leader.now_us - began_us) / share + 10'000);
    CHECK(leader.work_us >= (leader.now_us - began_us) / share - 10'000);
  }
}

TEST_CASE("expiry pace: one proposal at a time, until it is applied or lost [F56]") {
  ExpiryPace pace;
  CHECK(pace.may_propose(0));
  pace.proposed(5, 0, 10);
  CHECK_FALSE(pace.may_propose(1'000'000));
  CHECK_FALSE(pace.lost(1'000'000));
  CHECK(pace.lost(3'000'000));
  CHECK(pace.applied(10, 1000) == 0);  // its rest was over before
  CHECK(pace.may_propose(1000));
  CHECK(pace.applied(1, 2000) < 0);  // another leader's
  pace.proposed(5, 4000, 4001);
  CHECK(pace.applied(100, 4101) == 303);
  CHECK_FALSE(pace.may_propose(4403));
  CHECK(pace.may_propose(4404));
  pace.proposed(5, 5000, 5001);
  pace.begin();
  CHECK(pace.may_propose(5001));
}

}  // namespace
}  // namespace kiwi::actors
