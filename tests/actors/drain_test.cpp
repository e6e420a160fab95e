// What those who drain a node are told.
#include "actors/node/drain.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

using Outcome = Drain::Outcome;

TEST_CASE("a drained leader is waited for, but not for long") {
  Drain drain;
  const Drain::Seen leads{true, true};
  const Drain::Seen follows{false, true};
  CHECK_FALSE(drain.active());
  drain.begin(1000);
  CHECK(drain.active());
  CHECK(drain.outcome(leads, 1100) == Outcome::kUnderWay);
  CHECK(drain.outcome(follows, 1200) == Outcome::kDone);
  drain.begin(9500);  // once more changes nothing
  CHECK(drain.outcome(leads, 9500) == Outcome::kLate);
  drain.ask(9600);  // who asks again waits as long as the first one did
  CHECK(drain.outcome(leads, 9700) == Outcome::kUnderWay);
  CHECK(drain.outcome(leads, 9600 + Drain::kPatienceMs) == Outcome::kLate);
  drain.end();
  CHECK_FALSE(drain.active());
  drain.begin(20'000);
  CHECK(drain.outcome(leads, 20'000) == Outcome::kUnderWay);
}

TEST_CASE("who votes alone has nobody to hand over to, and nobody waits for it") {
  Drain drain;
  drain.begin(0);
  CHECK(drain.outcome({true, false}, 0) == Outcome::kAlone);
  CHECK(drain.outcome({true, true}, Drain::kPatienceMs - 1) == Outcome::kUnderWay);
  CHECK(drain.outcome({true, true}, Drain::kPatienceMs) == Outcome::kLate);
}

}  // namespace kiwi::actors
