// A node that is drained leads no more.
#include "actors/node/drain.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

using Outcome = Drain::Outcome;

TEST_CASE("a drained leader hands over, and again when it is elected") {
  Drain drain;
  const Drain::Seen leads{true, true};
  const Drain::Seen follows{false, true};
  CHECK_FALSE(drain.step(leads, 0));
  drain.begin(1000);
  CHECK(drain.active());
  CHECK(drain.step(leads, 1000));
  CHECK_FALSE(drain.step(leads, 1000 + Drain::kBetweenMs - 1));  // asked already
  CHECK(drain.outcome(leads, 1100) == Outcome::kUnderWay);
  CHECK_FALSE(drain.step(follows, 1200));
  CHECK(drain.outcome(follows, 1200) == Outcome::kDone);
  CHECK(drain.step(leads, 9000));
  drain.begin(9500);  // once more changes nothing
  CHECK(drain.outcome(leads, 9500) == Outcome::kLate);
  drain.end();
  CHECK_FALSE(drain.step(leads, 20'000));
}

TEST_CASE("who votes alone has nobody to hand over to, and nobody waits for it") {
  Drain drain;
  drain.begin(0);
  CHECK_FALSE(drain.step({true, false}, 0));
  CHECK(drain.outcome({true, false}, 0) == Outcome::kAlone);
  CHECK(drain.outcome({true, true}, Drain::kPatienceMs - 1) == Outcome::kUnderWay);
  CHECK(drain.outcome({true, true}, Drain::kPatienceMs) == Outcome::kLate);
}

}  // namespace kiwi::actors
