// The record cache when far more keys pass through it than it holds.
#include "rocks/record_cache.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"

namespace kiwi::rocks {

// Eviction in slot order leaves the table fuller before its hand than behind it. Where that part is
// nearly full, every lookup walks half the table: an apply turn then takes seconds.
TEST_CASE("a full record cache under new keys alone keeps its probes short") {
  RecordCache cache(4 << 20);
  const std::string value(16, 'v');
  uint64_t most = 0;
  for (uint64_t i = 0; i < 400'000; ++i) {
    std::string key = "key:" + std::to_string(i);
    cache.store(Family::kMeta, checksum64(key), key, {true, value});
    most = std::max(most, cache.entries());
  }
  CHECK(most > 10'000);
  CHECK(cache.entries() < 400'000);
  CHECK(cache.used_bytes() <= uint64_t{5} << 20);
  CHECK(cache.longest_run() < 512);
}

}  // namespace kiwi::rocks
