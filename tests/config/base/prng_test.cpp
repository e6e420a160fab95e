#include "config/base/prng.hpp"

#include <array>

#include <doctest/doctest.h>

namespace kiwi {
namespace {

TEST_SUITE("base") {
  // Entries carry seeds: other numbers from the same seed would make replicas differ.
  TEST_CASE("the sequence of a seed is frozen") {
    Prng prng(1234567);
    CHECK(prng.next() == 6457827717110365317ULL);
    CHECK(prng.next() == 3203168211198807973ULL);
    CHECK(prng.next() == 9817491932198370423ULL);
  }

  TEST_CASE("below stays below and reaches every value") {
    Prng prng(1);
    std::array<int, 7> seen{};
    for (int i = 0; i < 7000; ++i) {
      uint64_t v = prng.below(7);
      REQUIRE(v < 7);
      ++seen[v];
    }
    for (int count : seen) {
      CHECK(count > 800);
      CHECK(count < 1200);
    }
    CHECK(prng.below(1) == 0);
  }

  TEST_CASE("chance is near its odds") {
    Prng prng(5);
    int hits = 0;
    for (int i = 0; i < 10000; ++i) {
      hits += prng.chance(1, 4) ? 1 : 0;
    }
    CHECK(hits > 2300);
    CHECK(hits < 2700);
    CHECK(!prng.chance(0, 4));
    CHECK(prng.chance(4, 4));
  }
}

}  // namespace
}  // namespace kiwi
