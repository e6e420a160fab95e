// Signs of life of a thread that does one long thing.
#include "actors/snapshots/signs_of_life.hpp"

#include <doctest/doctest.h>

#include "rocks/background.hpp"

namespace kiwi::actors {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Works until `enough`, ten seconds at most.
template <typename Enough>
bool work_until(bool goes_on, const Enough& enough) {
  const Clock::time_point begin = Clock::now();
  while (!enough() && Clock::now() - begin < std::chrono::seconds(10)) {
    if (goes_on) {
      rocks::breathe();
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return enough();
}

}  // namespace

TEST_CASE("signs of life come while work goes on, and none once it ended [F32]") {
  std::atomic<int> given{0};
  SignsOfLife signs({.every = milliseconds(5), .patience = milliseconds(60'000)});
  for (int round = 0; round < 3; ++round) {
    const int before = given;
    signs.begin([&given] { ++given; });
    CHECK(work_until(true, [&] { return given >= before + 3; }));
    signs.end();
    const int after = given;
    std::this_thread::sleep_for(milliseconds(30));
    CHECK(given == after);
  }
}

TEST_CASE("signs of life end when the work stands still: a disk that hangs is not waited for") {
  std::atomic<int> given{0};
  SignsOfLife signs({.every = milliseconds(5), .patience = milliseconds(200)});
  signs.begin([&given] { ++given; });
  CHECK(work_until(true, [&given] { return given >= 3; }));
  std::this_thread::sleep_for(milliseconds(400));  // nothing is done
  const int silent = given;
  std::this_thread::sleep_for(milliseconds(100));
  CHECK(given == silent);
  CHECK(work_until(true, [&] { return given > silent; }));  // it went on after all
  signs.end();
}

}  // namespace kiwi::actors
