// What the server calls itself. Constants only.
#pragma once

#include <string_view>

namespace kiwi::config {

inline constexpr std::string_view kKiwiVersion = "0.1.0";
// The Redis whose replies Kiwi gives; clients look at INFO's redis_version to choose commands.
inline constexpr std::string_view kRedisVersion = "7.0.15";

}  // namespace kiwi::config
