// Waits of tests with whole nodes, in virtual time.
#pragma once

#include <doctest/doctest.h>

#include "tests/actors/cluster.hpp"

namespace kiwi::actors::test {

inline void wait_for_leader(Cluster& cluster) {
  for (int i = 0; i < 400 && !cluster.leader(); ++i) {
    cluster.run_ms(50);
  }
  REQUIRE(cluster.leader().has_value());
}

}  // namespace kiwi::actors::test
