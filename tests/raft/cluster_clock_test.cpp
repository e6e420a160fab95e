#include "raft/cluster_clock.hpp"

#include <doctest/doctest.h>

#include "config/base/prng.hpp"

namespace kiwi::raft::testing {

TEST_SUITE_BEGIN("raft");

TEST_CASE("cluster time starts at the wall clock and runs with the monotonic one [F37]") {
  ClusterClock clock(300);
  clock.set_time(5000, 100);
  CHECK(clock.now_ms() == 5000);
  clock.set_time(5250, 350);
  CHECK(clock.now_ms() == 5250);
}

TEST_CASE("a jump of the wall clock is followed by a tenth of the time that passes [F37]") {
  ClusterClock clock(300);
  clock.set_time(10000, 0);
  clock.set_time(3600000, 1000);  // an hour ahead
  CHECK(clock.now_ms() == 11100);
  clock.set_time(0, 2000);  // and back: it goes slower, never backwards
  CHECK(clock.now_ms() == 12000);
  for (int64_t i = 1; i <= 100; ++i) {  // in steps of a millisecond too
    clock.set_time(0, 2000 + i);
  }
  CHECK(clock.now_ms() == 12090);
}

TEST_CASE("a new leader starts above every time that a reader was told, whatever its clock [F9]") {
  ClusterClock old_leader(300);
  old_leader.set_time(3600000, 0);
  int64_t stamp = old_leader.now_ms();
  ClusterClock clock(300);
  clock.set_time(5000, 0);
  clock.start_leading(stamp);
  CHECK(clock.now_ms() > old_leader.read_bound_of(stamp));
  clock.set_time(6000, 1000);
  CHECK(clock.now_ms() > old_leader.read_bound_of(stamp) + 800);  // not frozen: F37
}

TEST_CASE("whatever the clocks do, cluster time never decreases") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Prng prng(seed);
    ClusterClock clock(300);
    int64_t monotonic = 0;
    int64_t last = 0;
    for (int i = 0; i < 200; ++i) {
      monotonic += static_cast<int64_t>(prng.below(50)) - 5;  // a shell that errs, too
      clock.set_time(static_cast<int64_t>(prng.below(10000000)), monotonic);
      if (i % 20 == 10) {
        clock.start_leading(last);
      }
      CAPTURE(seed);
      if (i > 0) {
        REQUIRE(clock.now_ms() >= last);
      }
      last = clock.now_ms();
    }
  }
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
