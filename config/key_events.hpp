// Events of keys, as notify-keyspace-events chooses them: its classes, and what it says as text.
// The order of the letters, and what A stands for, are Redis 7.0's, which forgets n beside A: the
// text is what the cluster keeps, so here it does not. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::config {

using KeyEvents = uint32_t;  // KeyClass bits
enum KeyClass : uint32_t {
  kKeyspaceChannel = 1u << 0,  // K: to __keyspace@<db>__:<key>
  kKeyeventChannel = 1u << 1,  // E: to __keyevent@<db>__:<event>
  kEventGeneric = 1u << 2,     // g
  kEventString = 1u << 3,      // $
  kEventList = 1u << 4,        // l
  kEventSet = 1u << 5,         // s
  kEventHash = 1u << 6,        // h
  kEventZset = 1u << 7,        // z
  kEventExpired = 1u << 8,     // x
  kEventEvicted = 1u << 9,     // e: nothing is evicted
  kEventStream = 1u << 10,     // t
  kEventKeyMiss = 1u << 11,    // m
  kEventModule = 1u << 12,     // d
  kEventNew = 1u << 13,        // n
};
// All but K, E, m and n.
inline constexpr KeyEvents kEventsOfA = kEventGeneric | kEventString | kEventList | kEventSet |
                                        kEventHash | kEventZset | kEventExpired | kEventEvicted |
                                        kEventStream | kEventModule;

struct KeyEvent {
  KeyClass of;
  std::string_view name;
};

// To no channel, or of no class: as good as nothing.
constexpr bool says_anything(KeyEvents events) {
  constexpr KeyEvents kChannels = kKeyspaceChannel | kKeyeventChannel;
  return (events & kChannels) != 0 && (events & ~kChannels) != 0;
}
constexpr bool is_wanted(KeyEvents events, KeyClass one) { return (events & one) != 0; }

// The option's value.
struct KeyEventChoice {
  KeyEvents events = 0;
  bool operator==(const KeyEventChoice&) const = default;
};

std::optional<KeyEvents> parse_key_events(std::string_view text);  // nullopt: no such letter
std::string format_key_events(KeyEvents events);

}  // namespace kiwi::config
