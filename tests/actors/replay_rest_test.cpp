// ReplayRest: when a node that comes back rests, and when it must not.
#include "actors/state/replay_rest.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

constexpr LogIndex kEnd{1000};
constexpr int64_t kWork = ReplayRest::kWorkUs;

TEST_CASE("replay rest: as long as the work, once that is worth a rest") {
  ReplayRest rest;
  CHECK(rest.after_turn(kWork + 100) == kWork + 100);
  CHECK(rest.after_turn(kWork - 200) == 0);
  CHECK(rest.after_turn(300) == kWork + 100);  // both turns
  CHECK(rest.after_turn(kWork - 1) == 0);
}

TEST_CASE("replay rest: a long turn is no reason for a long pause") {
  ReplayRest rest;
  CHECK(rest.after_turn(1'000'000) == ReplayRest::kRestMaxUs);
}

TEST_CASE("replay rest: while the own log is applied, and another node leads") {
  ReplayRest rest;
  CHECK(!rest.wanted(LogIndex{10}, true));  // where the log ends is not known
  rest.begin(kEnd);
  CHECK(rest.wanted(LogIndex{10}, true));
  CHECK(!rest.wanted(LogIndex{10}, false));
  CHECK(rest.wanted(LogIndex{999}, true));
  CHECK(!rest.wanted(kEnd, true));
  CHECK(!rest.wanted(kEnd + 1, true));
}

TEST_CASE("replay rest: a log without end is applied in the end: rests have a sum") {
  ReplayRest rest;
  rest.begin(kEnd);
  int64_t rested_us = 0;
  for (int i = 0; i < 100'000 && rest.wanted(LogIndex{10}, true); ++i) {
    rested_us += rest.after_turn(kWork + 7);
  }
  CHECK(rested_us == ReplayRest::kRestsMaxUs);
  CHECK(!rest.wanted(LogIndex{10}, true));
}

}  // namespace
}  // namespace kiwi::actors
