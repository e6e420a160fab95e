// The script cache as a part of the state (system family, tags P and Q): so NOSCRIPT is the same on
// every node, and what was loaded through one is there on all, after restarts too. SCRIPT LOAD's
// scripts stay until they are flushed; of those that EVAL left the oldest go. Texts only: what
// compiles and runs them is resp/lua/.
//
// Part of the Database. Keeps nothing in memory, so undo needs nothing of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "resp/types/effects.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class Scripts {
 public:
  // Part of what entries mean, so constants.
  static constexpr uint64_t kEvaluated = 500;  // that EVAL left
  static constexpr uint64_t kEvaluatedBytes = uint64_t{4} << 20;
  static constexpr uint64_t kLoadedBytes = uint64_t{16} << 20;
  static constexpr uint64_t kRecordBytes = 64;  // what a script takes beside its text

  Scripts(rocks::Reader& state, Effects& effects) : state_(state), effects_(effects) {}

  // By the 20 bytes of its SHA-1.
  std::optional<std::string> text(std::string_view sha1);
  bool contains(std::string_view sha1);

  // EVAL ran it. One that is larger than all may be together is not kept.
  void evaluated(std::string_view sha1, std::string_view text);
  // SCRIPT LOAD. False: there is no room for it.
  bool load(std::string_view sha1, std::string_view text);
  void flush();

  struct Total {
    uint64_t next_order = 0;    // of the next one that EVAL leaves
    uint64_t oldest_order = 0;  // none that is there has an older one
    uint64_t evaluated = 0;
    uint64_t evaluated_bytes = 0;
    uint64_t loaded = 0;  // by SCRIPT LOAD
    uint64_t loaded_bytes = 0;
    bool operator==(const Total&) const = default;
  };
  Total total();

 private:
  // ON DISK, never renumber.
  enum class Kind : uint8_t { kEvaluated = 1, kLoaded = 2 };
  struct Record {
    Kind kind = Kind::kEvaluated;
    uint64_t order = 0;  // of those that EVAL left
    std::string text;
  };
  static uint64_t bytes_of(std::string_view text) { return text.size() + kRecordBytes; }

  std::optional<Record> read(std::string_view sha1);
  void store(std::string_view sha1, Kind kind, uint64_t order, std::string_view text);
  void store(const Total& total);
  void forget_order(uint64_t order);
  void drop_oldest(Total& total);

  rocks::Reader& state_;
  Effects& effects_;
  std::string key_;  // buffers
  std::string value_;
};

}  // namespace kiwi::resp
