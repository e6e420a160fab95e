// Cluster settings: the options that are the cluster's and not a node's (kCluster in options.def).
// Their values are part of the replicated state (resp/types/settings.hpp); what a file says only
// seeds them. Here is what a node does with them where clients and files speak of them; what apply
// may ask stands in setting.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.hpp"
#include "config/options.hpp"
#include "config/setting.hpp"

namespace kiwi::config {

bool is_cluster_setting(std::string_view name);  // any case

// Whose options do CONFIG SET's words name? Unknown names are a node's.
enum class Whose : uint8_t { kNode, kCluster, kBoth };
Whose whose_options(std::span<const std::string_view> names_and_values);

// CONFIG SET name value [name value ...] of cluster settings, checked where the client is: what to
// propose, or Redis 7.0's text without its first word ERR.
Result<std::vector<Setting>> settings_to_propose(const Options& options,
                                                 std::span<const std::string_view> names_and_values,
                                                 uint32_t cluster_version);

// What these options seed a cluster of this version with, in table order.
std::vector<Setting> settings_to_seed(const Options& options, uint32_t cluster_version);

// The state says so: CONFIG GET shows it from now on. False: no such setting, or no value of it.
bool take_setting(Options& options, const Setting& setting);

}  // namespace kiwi::config
