#include "config/base/fiber.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kiwi {

TEST_SUITE_BEGIN("base/fiber");

TEST_CASE("work goes on where it rested, and both sides see what the other did [C3]") {
  std::vector<int> seen;
  Fiber* self = nullptr;
  Fiber fiber([&] {
    for (int i = 0; i < 3; ++i) {
      seen.push_back(i);
      self->rest();
    }
    seen.push_back(9);
  });
  self = &fiber;
  CHECK_FALSE(fiber.is_running());
  for (int i = 0; i < 3; ++i) {
    fiber.resume();
    CHECK(seen.back() == i);
    CHECK_FALSE(fiber.ended());
    seen.push_back(100);
  }
  fiber.resume();
  CHECK(fiber.ended());
  CHECK(seen == std::vector<int>{0, 100, 1, 100, 2, 100, 9});
}

TEST_CASE("exceptions stay on their side, and what the work throws comes out [C3]") {
  Fiber* self = nullptr;
  std::string inside;
  Fiber fiber([&] {
    try {
      self->rest();
      throw std::runtime_error("inner");
    } catch (const std::runtime_error& error) {
      inside = error.what();
    }
    self->rest();
    throw std::logic_error("outer");
  });
  self = &fiber;
  fiber.resume();
  try {  // while the fiber rests inside a try
    throw std::runtime_error("here");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()) == "here");
  }
  fiber.resume();
  CHECK(inside == "inner");
  CHECK_THROWS_AS(fiber.resume(), std::logic_error);
  CHECK(fiber.ended());
}

TEST_CASE("many rests and deep calls are no matter, and one that never began may go") {
  Fiber never([] {});
  Fiber* self = nullptr;
  int left = 0;
  Fiber fiber([&] {
    auto down = [&](auto& again, int depth) -> int {
      volatile char frame[512] = {};
      frame[depth % 512] = 1;
      if (depth == 0) {
        self->rest();
        return 0;
      }
      return again(again, depth - 1) + frame[depth % 512];
    };
    for (int i = 0; i < 10'000; ++i) {
      left = down(down, i % 500);
    }
  });
  self = &fiber;
  for (int i = 0; !fiber.ended(); ++i) {
    fiber.resume();
    REQUIRE(i <= 10'000);
  }
  CHECK(left == 499);
}

TEST_SUITE_END();

}  // namespace kiwi
