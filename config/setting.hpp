// One setting of the whole cluster, as the state keeps it (resp/types/settings.hpp). Apply asks
// what a name and a text mean, so here is no option of any node, and the answer is the same on all
// (F35).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::config {

// Rises one step at a time and is never seeded: version.hpp.
inline constexpr std::string_view kClusterVersionSetting = "cluster-version";
inline constexpr std::string_view kActiveExpireSetting = "active-expire";
inline constexpr std::string_view kAclPubSubDefaultSetting = "acl-pubsub-default";
inline constexpr std::string_view kKeyEventsSetting = "notify-keyspace-events";
inline constexpr std::string_view kLuaStepsMaxSetting = "lua-steps-max";
inline constexpr int64_t kLuaStepsMax = 1'000'000'000;  // its default
// What is kept of tokens (KIWI.ONCE), and the defaults: seconds, records, bytes, bytes of a reply.
inline constexpr std::string_view kOnceWindowSetting = "once-window";
inline constexpr std::string_view kOnceMaxRecordsSetting = "once-max-records";
inline constexpr std::string_view kOnceMaxBytesSetting = "once-max-bytes";
inline constexpr std::string_view kOnceMaxReplySetting = "once-max-reply";
inline constexpr int64_t kOnceWindow = 3600;
inline constexpr int64_t kOnceMaxRecords = 1'000'000;
inline constexpr int64_t kOnceMaxBytes = int64_t{256} << 20;
inline constexpr int64_t kOnceMaxReply = int64_t{64} << 10;

struct Setting {
  std::string name;   // as options.def spells it
  std::string value;  // as CONFIG GET shows it
  bool operator==(const Setting&) const = default;
};

// The one form of it that the state keeps. nullopt: a cluster of this version has no such setting,
// or that is no value of it, or it is the version itself.
std::optional<Setting> setting_of(std::string_view name,
                                  std::string_view value,
                                  uint32_t cluster_version);

}  // namespace kiwi::config
