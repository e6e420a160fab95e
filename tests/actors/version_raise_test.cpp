// When the cluster's version may rise, and why not (F46).
#include "actors/node/version_raise.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

RaiseFacts facts(uint32_t present,
                 uint32_t own,
                 std::optional<uint32_t> second,
                 std::optional<uint32_t> third) {
  return {present, own, {{NodeId{2}, second}, {NodeId{3}, third}}};
}

std::string refusal(const RaiseFacts& about) { return sentence(may_raise(about)); }

}  // namespace

TEST_CASE("the version may rise when every member supports the next, and only then [F46]") {
  CHECK(may_raise(facts(1, 2, 2, 2)).may());
  CHECK(may_raise(facts(1, 3, 2, 5)).may());
  CHECK(may_raise({1, 2, {}}).may());  // a cluster of one
  CHECK(refusal(facts(1, 2, 2, 2)).empty());
  CHECK(refusal(facts(2, 2, 2, 2)) ==
        "ERR the cluster is at version 2, the highest that this build supports");
  CHECK(refusal(facts(2, 1, 2, 2)).starts_with("ERR the cluster is at version 2"));
  CHECK(refusal(facts(1, 2, 2, 1)) ==
        "ERR node 3 supports cluster versions up to 1 only: start a newer build there first");
  CHECK(refusal(facts(1, 2, std::nullopt, 2)) ==
        "ERR node 2 is not linked to this node, so nobody knows here whether it supports cluster "
        "version 2: start it, or remove it from the cluster");
}

TEST_CASE("a member that is too old is named before one that is away") {
  CHECK(may_raise(facts(1, 2, std::nullopt, 1)).about == NodeId{3});
  CHECK(may_raise(facts(1, 2, std::nullopt, 1)).refusal == RaiseRefusal::kTooOld);
}

TEST_CASE("by itself it rises when all have supported the next for the time, without a gap") {
  AutomaticRaise automatic(60'000, 2000);
  const RaiseFacts good = facts(1, 2, 2, 2);
  const RaiseFacts old = facts(1, 2, 2, 1);
  int64_t now = 1000;
  CHECK_FALSE(automatic.look(true, true, good, now));
  CHECK_FALSE(automatic.look(true, true, good, now + 59'999));
  CHECK_FALSE(automatic.look(true, true, old, now + 60'000));  // one went back at the last moment
  now += 60'100;
  CHECK_FALSE(automatic.look(true, true, good, now));
  CHECK_FALSE(automatic.look(true, true, good, now + 59'999));
  CHECK(automatic.look(true, true, good, now + 60'000));
}

TEST_CASE("what it proposes it proposes again while nothing comes of it, and then no more") {
  AutomaticRaise automatic(60'000, 2000);
  const RaiseFacts good = facts(1, 3, 3, 3);
  CHECK_FALSE(automatic.look(true, true, good, 0));
  CHECK(automatic.look(true, true, good, 60'000));
  CHECK_FALSE(automatic.look(true, true, good, 60'100));
  CHECK(automatic.look(true, true, good, 62'000));
  // It rose: the version after it has its own minute.
  const RaiseFacts next = facts(2, 3, 3, 3);
  CHECK_FALSE(automatic.look(true, true, next, 62'100));
  CHECK_FALSE(automatic.look(true, true, next, 122'099));
  CHECK(automatic.look(true, true, next, 122'100));
  CHECK_FALSE(automatic.look(true, true, facts(3, 3, 3, 3), 500'000));
}

TEST_CASE("it rises by itself only if the setting says so, and only by the leader's hand") {
  AutomaticRaise automatic(100, 10);
  const RaiseFacts good = facts(1, 2, 2, 2);
  CHECK_FALSE(automatic.look(true, false, good, 0));
  CHECK_FALSE(automatic.look(true, false, good, 1000));
  CHECK_FALSE(automatic.look(false, true, good, 1000));
  CHECK_FALSE(automatic.look(false, true, good, 2000));
  CHECK_FALSE(automatic.look(true, true, good, 2000));  // its own time begins now
  CHECK(automatic.look(true, true, good, 2100));
}

}  // namespace kiwi::actors
