// How long batches of this node take until they are applied.
#include "actors/clients/commit_clock.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

TEST_CASE("a batch takes from its first hand-over to its place in the state") {
  CommitClock clock;
  CHECK_FALSE(clock.settled(1, 5));
  clock.handed_over(1, 100);
  clock.handed_over(2, 110);
  clock.handed_over(1, 150);  // again, to the next leader
  CHECK(clock.settled(1, 400) == 300);
  CHECK_FALSE(clock.settled(1, 500));
  CHECK(clock.settled(2, 109) == 0);  // no clock goes back for long
}

TEST_CASE("batches that were given up are forgotten with the next one") {
  CommitClock clock;
  for (uint64_t sequence = 1; sequence <= CommitClock::kBatches + 10; ++sequence) {
    clock.handed_over(sequence, static_cast<int64_t>(sequence));
  }
  CHECK_FALSE(clock.settled(3, 1000));
  CHECK(clock.settled(20, 1020) == 1000);
  CHECK(clock.settled(25, 1025) == 1000);
}

}  // namespace kiwi::actors
