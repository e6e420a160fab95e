// The orderly end, stage by stage.
#include "actors/node/departure.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

using Do = Departure::Do;
using Stage = Departure::Stage;

TEST_CASE("a leader hands over, parts with its clients, answers what it read, and goes") {
  Departure end;
  CHECK(end.step({}, 0) == Do::kNothing);
  CHECK(end.begin(0, 5000));
  CHECK_FALSE(end.begin(1, 5000));
  Departure::Seen seen{true, 5, true};
  CHECK(end.step(seen, 0) == Do::kHandOver);
  CHECK(end.step(seen, 20) == Do::kNothing);  // asked once
  seen.must_hand_over = false;
  CHECK(end.step(seen, 40) == Do::kMove);
  CHECK(end.step(seen, 50) == Do::kPart);  // none was sent anywhere
  CHECK(end.step(seen, 60) == Do::kNothing);
  seen.clients = 0;
  CHECK(end.step(seen, 80) == Do::kFinish);
  CHECK(end.step(seen, 100) == Do::kNothing);  // answers are owed
  seen.answers_owed = false;
  CHECK(end.step(seen, 120) == Do::kEnd);
  CHECK(end.stage() == Stage::kGone);
  CHECK(end.step(seen, 140) == Do::kNothing);
}

TEST_CASE("leadership goes to a voter that stays; nobody is named where all do [P7]") {
  const OtherVoter drains{NodeId{2}, false, LogIndex{9}, LogIndex{9}};
  const OtherVoter behind{NodeId{3}, true, LogIndex{5}, LogIndex{8}};
  const OtherVoter ahead{NodeId{4}, true, LogIndex{6}, LogIndex{7}};
  CHECK_FALSE(choose_successor({}).has_value());
  CHECK_FALSE(choose_successor({drains}).has_value());
  CHECK(choose_successor({drains, behind, ahead}) == NodeId{4});
  CHECK(choose_successor({behind, ahead}) == NodeId{});  // the core knows best
}

TEST_CASE("no stage holds up the end") {
  Departure end;
  end.begin(0, 5000);
  const Departure::Seen stuck{true, 5, true};
  CHECK(end.step(stuck, 0) == Do::kHandOver);
  CHECK(end.step(stuck, 1499) == Do::kNothing);
  CHECK(end.step(stuck, 1500) == Do::kMove);
  CHECK(end.step(stuck, 1500) == Do::kPart);
  CHECK(end.step(stuck, 1799) == Do::kNothing);
  CHECK(end.step(stuck, 1800) == Do::kFinish);
  CHECK(end.step(stuck, 3799) == Do::kNothing);
  CHECK(end.step(stuck, 3800) == Do::kNothing);
  CHECK(end.stage() == Stage::kLingering);  // for clients to see that their connection ends
  CHECK(end.step(stuck, 3949) == Do::kNothing);
  CHECK(end.step(stuck, 3950) == Do::kEnd);
}

TEST_CASE("clients that were sent elsewhere are served until they went, or time is over [P7]") {
  Departure end;
  end.begin(0, 5000);
  Departure::Seen seen{false, 5, false, 2};
  CHECK(end.step(seen, 0) == Do::kMove);
  CHECK(end.step(seen, 4000) == Do::kNothing);
  seen.moving = 0;
  CHECK(end.step(seen, 4020) == Do::kPart);
  Departure late;
  late.begin(0, 5000);
  seen.moving = 1;
  CHECK(late.step(seen, 0) == Do::kMove);
  CHECK(late.step(seen, 4999) == Do::kNothing);
  CHECK(late.step(seen, 5000) == Do::kPart);
}

TEST_CASE("a follower without clients is gone at once") {
  Departure end;
  end.begin(0, 5000);
  CHECK(end.step({}, 0) == Do::kMove);
  CHECK(end.step({}, 0) == Do::kPart);
  CHECK(end.step({}, 0) == Do::kFinish);
  CHECK(end.step({}, 0) == Do::kEnd);
}

}  // namespace kiwi::actors
