#include "config/key_events.hpp"

#include <utility>

namespace kiwi::config {

namespace {

// In the order in which Redis prints them: what A stands for, and what follows.
constexpr std::pair<char, KeyClass> kOfA[] = {
    {'g', kEventGeneric}, {'$', kEventString}, {'l', kEventList},    {'s', kEventSet},
    {'h', kEventHash},    {'z', kEventZset},   {'x', kEventExpired}, {'e', kEventEvicted},
    {'t', kEventStream},  {'d', kEventModule}};
constexpr std::pair<char, KeyClass> kOthers[] = {
    {'n', kEventNew}, {'K', kKeyspaceChannel}, {'E', kKeyeventChannel}, {'m', kEventKeyMiss}};

KeyEvents of_letter(char letter) {
  for (const auto& [known, bit] : kOfA) {
    if (known == letter) {
      return bit;
    }
  }
  for (const auto& [known, bit] : kOthers) {
    if (known == letter) {
      return bit;
    }
  }
  return letter == 'A' ? kEventsOfA : 0;
}

}  // namespace

std::optional<KeyEvents> parse_key_events(std::string_view text) {
  KeyEvents events = 0;
  for (const char letter : text) {
    const KeyEvents bits = of_letter(letter);
    if (bits == 0) {
      return std::nullopt;
    }
    events |= bits;
  }
  return events;
}

std::string format_key_events(KeyEvents events) {
  std::string text;
  if ((events & kEventsOfA) == kEventsOfA) {
    text.push_back('A');
  } else {
    for (const auto& [letter, bit] : kOfA) {
      text.append((events & bit) != 0 ? 1 : 0, letter);
    }
  }
  for (const auto& [letter, bit] : kOthers) {
    text.append((events & bit) != 0 ? 1 : 0, letter);
  }
  return text;
}

}  // namespace kiwi::config
