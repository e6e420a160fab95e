// What the server calls itself. Constants only.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi::config {

inline constexpr std::string_view kKiwiVersion = "0.1.0";
// The Redis whose replies Kiwi gives; clients look at INFO's redis_version to choose commands.
inline constexpr std::string_view kRedisVersion = "7.0.15";

// The cluster version says what the log, the state and the nodes' messages of a cluster may hold.
// It only rises, one step at a time, once every member supports the next. A build supports
// [kClusterVersionMin, kClusterVersionMax]: it reads all formats of these, and writes none that the
// cluster's version does not have yet, so that until it is raised every node may go back.
//   1  the first
//   2  members with labels and a TLS address (raft/types.hpp)
inline constexpr uint32_t kClusterVersionMin = 1;
inline constexpr uint32_t kClusterVersionMax = 2;

}  // namespace kiwi::config
