#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS
#include <doctest/doctest.h>

#include "tests/sim/runner.hpp"

namespace kiwi::sim {

TEST_SUITE_BEGIN("sim");

TEST_CASE("the seeds that once failed hold every promise") {
  tell_seed_on_abort();
  for (uint64_t seed : read_seeds(KIWI_SOURCE_DIR "/tests/sim/regressions.txt")) {
    SeedResult result = run_seed(seed, false);
    CHECK_MESSAGE(result.good, result.report);
  }
}

TEST_CASE("300 seeds hold every promise, and serve again after healing") {
  tell_seed_on_abort();
  Coverage coverage;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SeedResult result = run_seed(seed, false);
    CHECK_MESSAGE(result.good, result.report);
    coverage.add(result.coverage);
  }
  for (size_t i = 0; i < coverage.counts.size(); ++i) {  // nothing of it was left out
    CHECK_MESSAGE(coverage.counts[i] > 0, name_of(static_cast<Mark>(i)));
  }
}

TEST_CASE("a seed replays byte for byte") {
  tell_seed_on_abort();
  for (uint64_t seed : {3, 7, 20, 21, 22}) {
    SeedResult once = run_seed(seed, true);
    SeedResult again = run_seed(seed, true);
    REQUIRE(once.trace.size() > 10'000);
    CHECK(once.trace == again.trace);
    CHECK(once.fingerprint == again.fingerprint);
    CHECK(once.fingerprint != run_seed(seed + 1000, false).fingerprint);
  }
}

TEST_SUITE_END();

}  // namespace kiwi::sim
