// What clients get without having asked just then: messages of channels. Made once and shared by
// all who get them.
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
  Topic topic = Topic::kChannel;  // what its receivers subscribed to
  std::string name;
  std::string bytes;  // RESP2's; in RESP3 the first byte is another one
};
using Push = std::shared_ptr<const PushMessage>;

}  // namespace kiwi::resp
