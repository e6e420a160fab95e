// JSON for the console: objects and arrays that are written from the front, and a RESP2 reply as a
// value. Plain; any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::resp::web {

class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string_view text);
  JsonObject& add(std::string_view name, const char* text) {
    return add(name, std::string_view(text));
  }
  JsonObject& add(std::string_view name, std::same_as<bool> auto value) {
    return add_raw(name, value ? "true" : "false");
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) JsonObject& add(std::string_view name, Number value) {
    return add_raw(name, std::to_string(value));
  }
  JsonObject& add(std::string_view name, double value);
  JsonObject& add_raw(std::string_view name, std::string_view json);
  std::string take();

 private:
  std::string text_ = "{";
};

class JsonArray {
 public:
  JsonArray& add_raw(std::string_view json);
  std::string take();

 private:
  std::string text_ = "[";
};

// A whole RESP2 reply: statuses and UTF-8 are strings, other bytes {"hex": "..."}, errors
// {"error": "..."}, integers that a double cannot hold {"integer": "..."}. nullopt: it is none, or
// nested too deep.
std::optional<std::string> json_of_reply(std::string_view reply);

}  // namespace kiwi::resp::web
