// Clients that wait, without an executor (waiters_world.hpp).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/waiters_world.hpp"

namespace kiwi::resp {
namespace {

using World = WaitersWorld;

TEST_CASE("who came first is served first, and of many who wait for one element one asks [F31]") {
  World world;
  for (ConnectionId id = 1; id <= 1000; ++id) {
    world.wait(id, "k");
  }
  CHECK(world.turn() == 0);
  world.push("k", 1);
  CHECK(world.turn() == 1);
  CHECK(world.turn() == 0);
  world.push("k", 2);
  CHECK(world.turn() == 2);
  CHECK(world.apply());
  CHECK(world.apply());
  CHECK(world.apply());
  CHECK(world.turn() == 0);
  CHECK(world.served == std::vector<ConnectionId>{1, 2, 3});
  CHECK(world.waiters.status().waiting == 997);
  CHECK(world.waiters.status().in_flight == 0);
}

TEST_CASE("who was not served keeps its place, and its client hears nothing [F31]") {
  World world;
  world.wait(1, "k");
  world.wait(2, "k");
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  world.elements["k"] = 0;  // another node's client was faster
  CHECK_FALSE(world.apply());
  CHECK(world.turn() == 0);
  CHECK(world.ended.empty());
  world.push("k", 2);
  REQUIRE(world.turn() == 2);
  CHECK(world.apply());
  CHECK(world.apply());
  CHECK(world.served == std::vector<ConnectionId>{1, 2});
}

TEST_CASE("who waits with a token that counted is served once, and wakes nobody meanwhile") {
  World world;
  world.waiters.set_clock(1000);
  world.wait(1, "k", 0, 1, false, "t");
  world.wait(2, "k", 0, 1, false, "u");
  world.waiters.token_decided("t");
  REQUIRE(world.turn() == 1);
  CHECK(world.turn() == 0);
  CHECK_FALSE(world.waiters.wake_at_ms().has_value());  // its serve is under way
  world.waiters.token_decided("t");
  CHECK(world.turn() == 0);
  world.give_back();  // no leader: again in a while
  CHECK(world.turn() == 0);
  REQUIRE(world.waiters.wake_at_ms() == 1100);
  world.waiters.set_clock(1100);
  REQUIRE(world.turn() == 1);
  CHECK(world.serves[0].to.connection == 1);
  CHECK_FALSE(world.apply());  // what it had taken was given back: as before
  CHECK(world.turn() == 0);
  CHECK_FALSE(world.waiters.wake_at_ms().has_value());
  CHECK(world.waiters.status().waiting == 2);
}

TEST_CASE("a waiter that takes many counts for as many") {
  World world;
  world.wait(1, "k", 0, 10);
  world.wait(2, "k");
  world.push("k", 10);
  CHECK(world.turn() == 1);
  world.push("k", 1);
  CHECK(world.turn() == 1);
}

TEST_CASE("a timeout ends a wait in steps of ten milliseconds, but not beside a serve [F31]") {
  World world;
  world.waiters.set_clock(1000);
  world.wait(1, "k", 1001);
  world.wait(2, "k", 1010);
  CHECK(world.waiters.wake_at_ms() == 1010);
  world.waiters.set_clock(1009);
  world.turn();
  CHECK(world.ended.empty());
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  world.waiters.set_clock(1010);
  world.turn();
  REQUIRE(world.ended.size() == 1);  // the one without a serve
  CHECK(world.ended[0].to.connection == 2);

  SUBCASE("the serve takes something: that is the answer") {
    CHECK(world.apply());
    world.turn();
    CHECK(world.ended.size() == 1);
  }
  SUBCASE("the serve takes nothing: nil then") {
    world.elements["k"] = 0;
    CHECK_FALSE(world.apply());
    world.turn();
    REQUIRE(world.ended.size() == 2);
    CHECK(world.ended[1].to.connection == 1);
    CHECK(world.ended[1].how == WaitEnd::kNil);
  }
  SUBCASE("nobody knows: the router answered") {
    world.waiters.lost(world.serves[0].waiter);
    world.turn();
    CHECK(world.ended.size() == 1);
  }
  CHECK(world.waiters.status().waiting == 0);
  CHECK_FALSE(world.waiters.wake_at_ms().has_value());
}

TEST_CASE("nil is only said to who was there when there was nothing [F31]") {
  World world;
  world.waiters.set_clock(1000);
  world.wait(1, "k");
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  world.wait(2, "k", 1010);  // it found the element that 1 will take
  CHECK(world.turn() == 0);
  world.waiters.set_clock(1010);
  REQUIRE(world.turn() == 1);  // its own serve decides
  CHECK(world.ended.empty());
  CHECK(world.apply());
  SUBCASE("nothing is left") {
    CHECK_FALSE(world.apply());
    world.turn();
    REQUIRE(world.ended.size() == 1);
    CHECK(world.ended[0].how == WaitEnd::kNil);
  }
  SUBCASE("another element came") {
    world.push("k", 1);
    world.turn();
    CHECK(world.apply());
    CHECK(world.served == std::vector<ConnectionId>{1, 2});
  }
  SUBCASE("nobody can be asked") {
    world.give_back();
    world.turn();
    REQUIRE(world.ended.size() == 1);
    CHECK(world.ended[0].how == WaitEnd::kUndecided);
  }
  CHECK(world.waiters.status().waiting == 0);
}

TEST_CASE("CLIENT UNBLOCK waits for a serve's fate: 1, or 0 if that was faster [F31]") {
  World world;
  world.wait(1, "k");
  world.waiters.unblock(9, WaitEnd::kUnblocked, world.by(50));
  world.turn();
  REQUIRE(world.answers.size() == 1);
  CHECK_FALSE(world.answers[0].unblocked);

  SUBCASE("nothing is under way") {
    world.waiters.unblock(1, WaitEnd::kUnblocked, world.by(51));
    world.turn();
    REQUIRE(world.ended.size() == 1);
    CHECK(world.ended[0].how == WaitEnd::kUnblocked);
    CHECK(world.answers.at(1).unblocked);
  }
  SUBCASE("a serve is") {
    world.push("k", 1);
    REQUIRE(world.turn() == 1);
    world.waiters.unblock(1, WaitEnd::kUnblocked, world.by(51));
    world.waiters.unblock(1, WaitEnd::kNil, world.by(52));  // comes too late whatever happens
    world.turn();
    REQUIRE(world.answers.size() == 2);
    CHECK(world.answers[1].to.connection == 52);
    CHECK_FALSE(world.answers[1].unblocked);
    const bool there = world.elements["k"] != 0;
    SUBCASE("and it takes something") { CHECK(world.apply()); }
    SUBCASE("and it takes nothing") {
      world.elements["k"] = 0;
      CHECK_FALSE(world.apply());
    }
    CHECK(there);
    world.turn();
    REQUIRE(world.answers.size() == 3);
    CHECK(world.answers[2].unblocked == world.served.empty());
    CHECK(world.ended.size() == (world.served.empty() ? 1 : 0));
  }
  CHECK(world.waiters.status().waiting == 0);
}

TEST_CASE("whose client is gone is dropped; a serve under way is somebody's until its fate [F31]") {
  World world;
  world.wait(1, "k");
  world.wait(2, "k");
  world.waiters.connection_closed(1);
  CHECK(world.waiters.status().waiting == 1);
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  CHECK(world.serves[0].to.connection == 2);
  world.wait(3, "k");
  world.waiters.connection_closed(2);
  CHECK(world.turn() == 0);  // the element is spoken for
  world.elements["k"] = 0;
  CHECK_FALSE(world.apply());
  CHECK(world.ended.empty());
  world.push("k", 1);
  CHECK(world.turn() == 1);
  CHECK(world.serves[0].to.connection == 3);
}

TEST_CASE("a client that was told that nobody knows waits no longer, unless it asked again [F31]") {
  World world;
  world.wait(1, "k");
  SUBCASE("nothing was under way") {
    world.waiters.client_answered({1, 11});  // another slot's answer
    CHECK(world.waiters.status().waiting == 1);
    world.waiters.client_answered({1, 10});
  }
  SUBCASE("a serve is, which comes in vain") {
    world.push("k", 1);
    REQUIRE(world.turn() == 1);
    world.waiters.client_answered({1, 10});
    world.elements["k"] = 0;
    CHECK_FALSE(world.apply());
  }
  SUBCASE("a serve came back") {
    world.push("k", 1);
    REQUIRE(world.turn() == 1);
    world.give_back();
    world.waiters.client_answered({1, 10});
    world.elements["k"] = 0;
    world.waiters.set_clock(1000);
  }
  SUBCASE("it asked again before anybody said so") {
    world.wait(1, "other");
    world.waiters.connection_closed(1);
  }
  CHECK(world.waiters.status().waiting == 0);
  world.wait(2, "k");
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  CHECK(world.serves[0].to.connection == 2);
  CHECK(world.ended.empty());
}

TEST_CASE("several keys: one serve at a time, and its fate shows the others again") {
  World world;
  world.wait(1, "a b");
  world.wait(2, "b");
  world.push("a", 1);
  REQUIRE(world.turn() == 1);
  world.push("b", 1);
  REQUIRE(world.turn() == 1);  // not for 1, which has one
  CHECK(world.serves[1].to.connection == 2);
  world.elements["a"] = 0;
  SUBCASE("it takes from another key than the one that it was asked for") {
    CHECK(world.apply());
    CHECK_FALSE(world.apply());
    CHECK(world.turn() == 0);
    world.push("b", 1);
    REQUIRE(world.turn() == 1);
    CHECK(world.serves[0].to.connection == 2);
  }
  SUBCASE("it takes nothing") {
    world.elements["b"] = 0;
    CHECK_FALSE(world.apply());
    CHECK(world.turn() == 0);
    world.elements["b"] = 1;
    CHECK(world.apply());
    CHECK(world.served == std::vector<ConnectionId>{2});
    world.push("b", 1);
    REQUIRE(world.turn() == 1);
    CHECK(world.serves[0].to.connection == 1);
  }
}

TEST_CASE("a serve that comes back unproposed is asked for again after a while, not at once") {
  World world;
  world.waiters.set_clock(1000);
  world.wait(1, "k");
  world.wait(2, "k");
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  world.give_back();
  CHECK(world.turn() == 0);
  CHECK_FALSE(world.more);
  CHECK(world.waiters.wake_at_ms() == 1100);
  world.waiters.set_clock(1100);
  REQUIRE(world.turn() == 1);
  CHECK(world.serves[0].to.connection == 1);
}

TEST_CASE("while serves come back one at a time is asked for, and all again when one is decided") {
  World world;
  world.waiters.set_clock(1000);
  for (ConnectionId id = 1; id <= 100; ++id) {
    world.wait(id, id % 2 == 0 ? "a" : "b");
  }
  world.push("a", 50);
  world.push("b", 50);
  REQUIRE(world.turn() == 100);
  while (!world.serves.empty()) {
    world.give_back();
  }
  for (int64_t now = 1100; now <= 1500; now += 100) {
    world.waiters.set_clock(now);
    REQUIRE(world.turn() == 1);
    CHECK(world.turn() == 0);
    world.give_back();
  }
  CHECK(world.waiters.status().in_flight == 0);
  world.waiters.set_clock(1600);
  REQUIRE(world.turn() == 1);
  CHECK(world.apply());
  CHECK(world.turn() == 99);
}

TEST_CASE("whoever left while its serve came back leaves no gap behind [F31]") {
  World world;
  world.waiters.set_clock(1000);
  world.wait(1, "k");
  world.wait(2, "k");
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  SUBCASE("it was known to have left: nothing is wrong with the way of serves") {
    world.waiters.connection_closed(1);
    world.give_back();
  }
  SUBCASE("it leaves afterwards") {
    world.give_back();
    world.waiters.connection_closed(1);
    CHECK(world.turn() == 0);
    world.waiters.set_clock(1100);
  }
  REQUIRE(world.turn() == 1);
  CHECK(world.serves[0].to.connection == 2);
}

TEST_CASE("keys that were looked at in vain do not keep others waiting [F31]") {
  World world;
  world.wait(1, "z");
  for (ConnectionId id = 2; id <= 101; ++id) {
    world.wait(id, "a" + std::to_string(id));
  }
  world.turn();
  world.push("z", 1);
  for (int turns = 0; turns < 60 && world.serves.empty(); ++turns) {
    for (ConnectionId id = 2; id <= 101; ++id) {  // in front of it, and changed again and again
      world.waiters.waited_keys().changed("a" + std::to_string(id));
    }
    world.turn(10);
    CHECK(world.more);
  }
  CHECK(world.serves.size() == 1);
}

TEST_CASE("readers are served where they are, some in each turn, each once") {
  World world;
  for (ConnectionId id = 1; id <= 10; ++id) {
    world.wait(id, "k", 0, 1, true);
  }
  world.turn();
  CHECK(world.read.empty());  // there was nothing when they came
  world.push("k", 1);
  CHECK(world.turn(5) == 0);  // the key, and four
  CHECK(world.more);
  CHECK(world.turn(5) == 0);
  CHECK(world.turn(5) == 0);
  CHECK_FALSE(world.more);
  CHECK(world.read == std::vector<ConnectionId>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(world.waiters.status().waiting == 0);
}

TEST_CASE("the node stops serving: all end, those with a serve behind it") {
  World world;
  world.wait(1, "k");
  world.wait(2, "k");
  world.push("k", 1);
  REQUIRE(world.turn() == 1);
  world.waiters.end_all(WaitEnd::kForced);
  world.turn();
  REQUIRE(world.ended.size() == 1);
  CHECK(world.ended[0].to.connection == 2);
  CHECK(world.apply());
  CHECK(world.waiters.status().waiting == 0);
}

TEST_CASE("a change while readers are looked at shows it all to all again") {
  World world;
  for (ConnectionId id = 1; id <= 6; ++id) {
    world.wait(id, "k", 0, 1, true);
  }
  world.waiters.waited_keys().changed("k");
  world.turn(4);
  CHECK(world.read == std::vector<ConnectionId>{1, 2, 3});
  world.push("k", 1);
  world.turn();
  CHECK(world.read == std::vector<ConnectionId>{1, 2, 3, 4, 5, 6, 1, 2, 3});
  CHECK(world.waiters.status().waiting == 0);
}

}  // namespace
}  // namespace kiwi::resp
