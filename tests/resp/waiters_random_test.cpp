// Clients that wait, and everything that can happen to their serves, in any order
// (waiters_world.hpp).
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "tests/resp/waiters_world.hpp"

namespace kiwi::resp {
namespace {

// Whatever happens to serves, clients and elements; what still waits is what the test believes.
class Believed : public WaitersWorld {
 public:
  std::map<ConnectionId, std::vector<std::string>> waiting;

  void look() {
    turn();
    for (const Waiters::Ended& one : ended) {
      waiting.erase(one.to.connection);
    }
    for (const ConnectionId one : served) {
      waiting.erase(one);
    }
  }
  bool anybody_wants(const std::string& key) const {
    return std::ranges::any_of(waiting, [&key](const auto& one) {
      return std::ranges::find(one.second, key) != one.second.end();
    });
  }
};

void one_step(Believed& world, Prng& prng, ConnectionId& next, int64_t& now) {
  const std::string key = prng.chance(1, 2) ? "a" : "b";
  switch (prng.below(9)) {
    case 0:
    case 1: {
      const std::string keys = prng.chance(1, 3) ? "a b" : key;
      world.wait(++next, keys, prng.chance(1, 4) ? now + 50 : 0);
      world.waiting[next] = WaitersWorld::words(keys);
      return;
    }
    case 2:
    case 3:
      return world.push(key, 1 + prng.below(3));
    case 4:
    case 5:
      if (!world.serves.empty()) {
        world.apply();
      }
      return;
    case 6:
      now += 20;
      return world.waiters.set_clock(now);
    case 7:
      if (!world.serves.empty()) {
        world.give_back();
      }
      return;
    default:
      if (world.elements[key] != 0 && prng.chance(1, 2)) {  // taken by another node's client
        --world.elements[key];
        world.waiters.waited_keys().changed(key);
      } else if (next != 0) {
        const ConnectionId gone = 1 + prng.below(next);
        world.waiters.connection_closed(gone);
        world.waiting.erase(gone);
      }
  }
}

TEST_CASE("whatever happens, nobody waits beside an element that nobody takes [F31]") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    Believed world;
    int64_t now = 1000;
    ConnectionId next = 0;
    for (int step = 0; step < 300; ++step) {
      one_step(world, prng, next, now);
      world.look();
      const WaiterStatus status = world.waiters.status();
      CHECK(status.in_flight == world.serves.size());
      CHECK(status.in_flight <= status.waiting);
    }
    for (int rest = 0; rest < 500; ++rest) {
      now += 20;
      world.waiters.set_clock(now);
      while (!world.serves.empty()) {
        world.apply();
      }
      world.look();
    }
    CHECK(world.waiters.status().in_flight == 0);
    CHECK(world.waiters.status().waiting == world.waiting.size());
    for (const auto& [key, count] : world.elements) {
      CHECK((count == 0 || !world.anybody_wants(key)));
    }
    std::map<ConnectionId, int> times;
    for (const ConnectionId id : world.served) {
      CHECK(++times[id] == 1);
    }
  }
}

}  // namespace
}  // namespace kiwi::resp
