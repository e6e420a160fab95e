// Which of a command's arguments are keys, and what it does to them: the only answer to that
// question (MOVED, COMMAND GETKEYS, what is read ahead, WATCH, costs). Pure functions.
//
// A row describes its keys as Redis 7.0 does, each specification in one line of its text:
//   key RO access | index 1 | range 0 1 0
// flags, where the keys begin, and which arguments from there on are keys:
//   index N          argument N (0 is the command's name)
//   keyword WORD N   the argument behind WORD, looked for from argument N on, backwards if N < 0
//   unknown          cannot be said
//   range L S P      up to L arguments behind the first (L < 0: counted from the end; with P > 1
//   only
//                    the first of P equal parts of the rest), every S-th of them
//   keynum C F S     argument C behind the begin holds how many, the first is F behind it
//   unknown          cannot be said
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "resp/batch.hpp"

namespace kiwi::resp {

struct CommandSpec;

// Redis' flags of keys; bits in the order in which COMMAND INFO prints them.
enum KeyFlag : uint16_t {
  kKeyRO = 1u << 0,      // its value is not changed
  kKeyRW = 1u << 1,      // changed, depending on what it was
  kKeyOW = 1u << 2,      // overwritten
  kKeyRM = 1u << 3,      // removed
  kKeyAccess = 1u << 4,  // what it holds may be in the reply or in another key afterwards
  kKeyUpdate = 1u << 5,
  kKeyInsert = 1u << 6,
  kKeyDelete = 1u << 7,
  kKeyNotKey = 1u << 8,
  kKeyIncomplete = 1u << 9,
  kKeyVariableFlags = 1u << 10,  // they depend on the arguments: KeySpec::words
};
inline constexpr std::string_view kKeyFlagNames[] = {
    "RO",     "RW",     "OW",      "RM",         "access",        "update",
    "insert", "delete", "not_key", "incomplete", "variable_flags"};

struct KeySpec {
  enum class Begin : uint8_t { kUnknown, kIndex, kKeyword };
  enum class Find : uint8_t { kUnknown, kRange, kCounted };

  uint16_t flags = 0;  // KeyFlag bits
  Begin begin = Begin::kUnknown;
  Find find = Find::kUnknown;
  int begin_at = 0;          // kIndex: the argument; kKeyword: where the search begins
  int numbers[3] = {};       // behind "range" or "keynum", in that order
  std::string_view keyword;  // kKeyword
  std::string_view notes;    // for people
  // kKeyVariableFlags: with one of these words at words_at or behind, the flags are these, else
  // those.
  std::string_view words;
  int words_at = 0;
  uint16_t flags_with = 0;
  uint16_t flags_without = 0;
};

// "RO access | index 1 | range 0 1 0 [| notes]", the part of a line behind "key ". Throws a string
// literal if it cannot be read, which makes the compiler refuse a row.
constexpr KeySpec parse_key_spec(std::string_view text);
// "3 GET | RW access update | OW update", behind "vary ": completes the specification above it.
constexpr void parse_key_variation(std::string_view text, KeySpec& spec);

// The keys that one specification finds in argv: count of them, every step-th from first on.
struct KeyRange {
  uint32_t first = 0;
  uint32_t count = 0;
  uint32_t step = 1;
  uint16_t flags = 0;
  bool fits = true;  // false: argv is too short for it, or its count is none
};
KeyRange find_keys(const KeySpec& spec, Args argv);

struct FoundKey {
  std::string_view name;
  uint32_t position = 0;  // in argv
  uint16_t flags = 0;
};

// The keys of argv in the order of the specifications, found while one walks over them.
class Keys {
 public:
  Keys(std::span<const KeySpec> specs, Args argv) : specs_(specs), argv_(argv) {}

  class Iterator {
   public:
    Iterator(std::span<const KeySpec> specs, Args argv) : specs_(specs), argv_(argv) { settle(); }
    FoundKey operator*() const {
      const uint32_t position = range_.first + given_ * range_.step;
      return {argv_[position], position, range_.flags};
    }
    Iterator& operator++() {
      if (++given_ == range_.count) {
        specs_ = specs_.subspan(1);
        settle();
      }
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return specs_.empty(); }

   private:
    void settle();  // to the first key of the first specification that finds any

    std::span<const KeySpec> specs_;
    Args argv_;
    KeyRange range_;
    uint32_t given_ = 0;
  };
  Iterator begin() const { return {specs_, argv_}; }
  std::default_sentinel_t end() const { return {}; }

  std::optional<std::string_view> first() const {
    const Iterator it = begin();
    return it == end() ? std::nullopt : std::optional((*it).name);
  }
  // False: what the row says does not fit this argv, the handler will refuse it.
  bool fit() const;

 private:
  std::span<const KeySpec> specs_;
  Args argv_;
};

// argv[0] is the command's name, or the container's. Views into both.
Keys keys_of(const CommandSpec& row, Args argv);

// The first key of a packed command, or of the first command of a packed block. Unpacks it: for
// refusals, not for the usual way.
std::optional<std::string_view> first_key(std::string_view packed_command);

// ---------------------------------------------------------------- reading rows, also when
// compiling

namespace key_text {

// Cuts `text` at the first `separator` and returns what was before it; the rest stays in `text`.
constexpr std::string_view take(std::string_view& text, std::string_view separator) {
  const size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + separator.size());
  return part;
}

constexpr int number(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  int value = 0;
  for (char c : digits.substr(negative ? 1 : 0)) {
    if (c < '0' || c > '9') {
      throw "a number is expected";
    }
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

constexpr uint16_t flags(std::string_view words) {
  uint16_t bits = 0;
  while (!words.empty()) {
    const std::string_view word = take(words, " ");
    size_t bit = 0;
    while (bit < std::size(kKeyFlagNames) && kKeyFlagNames[bit] != word) {
      ++bit;
    }
    if (bit == std::size(kKeyFlagNames)) {
      throw "no such flag of a key";
    }
    bits = static_cast<uint16_t>(bits | 1u << bit);
  }
  return bits;
}

}  // namespace key_text

constexpr KeySpec parse_key_spec(std::string_view text) {
  constexpr std::string_view kBar = " | ";
  KeySpec spec;
  spec.flags = key_text::flags(key_text::take(text, kBar));
  std::string_view begin = key_text::take(text, kBar);
  std::string_view find = key_text::take(text, kBar);
  spec.notes = text;
  const std::string_view how = key_text::take(begin, " ");
  if (how == "index") {
    spec.begin = KeySpec::Begin::kIndex;
  } else if (how == "keyword") {
    spec.begin = KeySpec::Begin::kKeyword;
    spec.keyword = key_text::take(begin, " ");
  } else if (how != "unknown") {
    throw "keys begin at an index, behind a keyword, or nobody knows where";
  }
  spec.begin_at = key_text::number(begin);
  const std::string_view which = key_text::take(find, " ");
  if (which == "range") {
    spec.find = KeySpec::Find::kRange;
  } else if (which == "keynum") {
    spec.find = KeySpec::Find::kCounted;
  } else if (which != "unknown") {
    throw "keys are a range, are counted, or nobody knows which they are";
  }
  for (int& value : spec.numbers) {
    value = key_text::number(key_text::take(find, " "));
  }
  return spec;
}

constexpr void parse_key_variation(std::string_view text, KeySpec& spec) {
  constexpr std::string_view kBar = " | ";
  spec.words_at = key_text::number(key_text::take(text, " "));
  spec.words = key_text::take(text, kBar);
  spec.flags_with = key_text::flags(key_text::take(text, kBar));
  spec.flags_without = key_text::flags(text);
}

}  // namespace kiwi::resp
