// What clients get without having asked just then: messages of channels, and which of their cached
// keys changed. Made once and shared by all who get them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace kiwi::resp {

// Channels of PUBLISH and of SPUBLISH are two name spaces; patterns are of the first.
enum class Topic : uint8_t { kChannel, kPattern, kShard };
inline constexpr size_t kTopics = 3;

struct PushMessage {
  enum class Kind : uint8_t {
    kMessage,       // for those who subscribed to `name`
    kInvalidation,  // of keys that its receiver caches
    kRedirected,    // of keys that others cache, who named its receiver
    kMaintenance,   // of the node; it has RESP3's bytes only
  };
  Kind kind = Kind::kMessage;
  Topic topic = Topic::kChannel;
  std::string name;
  std::string bytes;  // RESP2's; a kInvalidation has none
  std::string push;   // RESP3's; empty: those of RESP2 but for the first one
};
using Push = std::shared_ptr<const PushMessage>;

}  // namespace kiwi::resp
