// What two builds must have in common to be in one cluster (F46), and what each says of itself: in
// its hello to a peer, and on a visit. Plain data and its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/bytes.hpp"
#include "config/version.hpp"

namespace kiwi::actors {

// Of the machine this was built for, as compilers call it.
std::string_view own_architecture();

struct Build {
  std::string name = std::string(config::kKiwiVersion);
  std::string architecture = std::string(own_architecture());
  uint32_t cluster_version = 0;  // of its cluster, as it knows; 0: of none yet
  uint32_t cluster_version_max = config::kClusterVersionMax;  // that it supports
  bool operator==(const Build&) const = default;
};

// Why the build there cannot be in one cluster with the one here, whatever else they are. A
// sentence; empty: it can.
std::string misfit(const Build& here, const Build& there);

// ON THE WIRE.
void put_build(std::string& out, const Build& build);
Build get_build(ByteReader& reader);

}  // namespace kiwi::actors
