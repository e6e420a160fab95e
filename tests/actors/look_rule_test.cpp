// Who can gain from being read while writes are under way: everything that the decision hears, and
// what it decides. The time is the test's.
#include "actors/clients/look_rule.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

namespace {

constexpr size_t kMany = 50;

struct World {
  // The turn that hands batch `next_` over.
  bool hands_over() {
    ++flight.next;
    return turn();
  }
  bool turn() {
    flight.writes_only = flight.oldest < flight.next;
    return rule.may_sleep(flight, clients, now_us);
  }
  // What is under way is committed, and nothing else is.
  bool commits(int64_t took_us) {
    now_us += took_us;
    flight.oldest = flight.next;
    return turn();
  }
  // Once a commit was seen, and nobody gained for long.
  void settle_in(int64_t took_us = 500) {
    now_us += 2 * LookRule::kGainUs;
    (void)hands_over();
    (void)commits(took_us);
  }

  LookRule rule;
  resp::Flight flight{.writes_only = false, .gathers = false, .oldest = 1, .next = 1};
  size_t clients = kMany;
  int64_t now_us = 1'000'000;
};

}  // namespace

TEST_CASE("the loop sleeps while writes are under way, and not before the first commit was seen") {
  World w;
  CHECK_FALSE(w.turn());
  CHECK_FALSE(w.hands_over());
  CHECK_FALSE(w.commits(500));
  CHECK(w.hands_over());
  CHECK(w.rule.commit_us() == 500);
  CHECK_FALSE(w.commits(500));
}

TEST_CASE("groups that take turns are slept through, one after the other") {
  World w;
  w.settle_in();
  CHECK(w.hands_over());
  for (int i = 0; i < 100; ++i) {
    w.now_us += 700;
    w.flight.oldest = w.flight.next++;
    CHECK(w.turn());
  }
}

TEST_CASE("a client alone is looked for") {
  World w;
  w.settle_in();
  w.clients = 1;
  CHECK_FALSE(w.hands_over());
  w.clients = 2;
  CHECK(w.turn());
}

TEST_CASE("who gained from being read is looked for, for a while") {
  World w;
  w.settle_in();
  w.rule.can_gain();
  CHECK_FALSE(w.hands_over());
  CHECK_FALSE(w.commits(500));
  w.now_us += LookRule::kGainUs - 501;
  CHECK_FALSE(w.hands_over());
  CHECK_FALSE(w.commits(500));
  CHECK(w.hands_over());
  SUBCASE("and again when it comes again") {
    w.rule.can_gain();
    CHECK_FALSE(w.turn());
  }
}

TEST_CASE("reads under way and writes that gather keep the loop looking") {
  World w;
  w.settle_in();
  REQUIRE(w.hands_over());
  w.flight.writes_only = false;
  CHECK_FALSE(w.rule.may_sleep(w.flight, w.clients, w.now_us));
  w.flight.writes_only = true;
  w.flight.gathers = true;
  CHECK_FALSE(w.rule.may_sleep(w.flight, w.clients, w.now_us));
  w.flight.gathers = false;
  CHECK(w.rule.may_sleep(w.flight, w.clients, w.now_us));
}

TEST_CASE("a commit that does not come is not waited for") {
  World w;
  w.settle_in();
  REQUIRE(w.hands_over());
  w.now_us += LookRule::kShortUs;
  CHECK(w.turn());
  w.now_us += 1;
  CHECK_FALSE(w.turn());
}

TEST_CASE("where commits take long, groups overlap, until they are short again") {
  World w;
  w.settle_in(10 * LookRule::kShortUs);
  CHECK_FALSE(w.hands_over());
  int rounds = 0;
  bool sleeps = false;
  while (!sleeps && rounds < 100) {
    (void)w.commits(300);
    sleeps = w.hands_over();
    ++rounds;
  }
  CHECK(rounds > 8);
  CHECK(rounds < 40);
  for (int i = 0; i < 20; ++i) {
    (void)w.commits(300);
    (void)w.hands_over();
  }
  // One that takes long among many short ones does not count.
  (void)w.commits(4 * LookRule::kShortUs);
  CHECK(w.hands_over());
}

TEST_CASE("a node that ends looks always") {
  World w;
  w.settle_in();
  CHECK(w.hands_over());
  w.rule.end();
  CHECK_FALSE(w.turn());
  w.settle_in();
  CHECK_FALSE(w.hands_over());
}

TEST_CASE("a batch is measured to its own end, not to that of one that was handed over later") {
  World w;
  w.settle_in();
  REQUIRE(w.rule.commit_us() == 500);
  (void)w.hands_over();  // watched
  const uint64_t first = w.flight.next;
  w.now_us += 400;
  (void)w.hands_over();
  w.now_us += 100;
  w.flight.oldest = first;  // the first of them is over
  (void)w.turn();
  CHECK(w.rule.commit_us() == 500);
  w.now_us += 1300;
  w.flight.oldest = w.flight.next;
  (void)w.turn();
  CHECK(w.rule.commit_us() == 600);  // since it was taken up: 500 + (1300 - 500) / 8
}

}  // namespace kiwi::actors
