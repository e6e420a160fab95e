// Producers that number their commands (KIWI.SEQ): of each the last one that was applied, and what
// it answered (system family, tag R). No clock and no window: a producer is remembered until
// somebody drops it, so there is a bound on how many there are.
//
// Part of the Database. Keeps nothing in memory, so undo needs nothing of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/effects.hpp"
#include "resp/types/once_record.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

struct ProducerRow {
  uint64_t number = 0;  // of the last command that was applied
  OnceRecord last;
};

class Producers {
 public:
  // Part of what entries mean, so constants.
  static constexpr uint64_t kMost = 100'000;
  static constexpr size_t kReplyBytes = 4096;  // a longer reply is not kept

  Producers(rocks::Reader& state, Effects& effects) : state_(state), effects_(effects) {}

  std::optional<ProducerRow> find(uint64_t user, std::string_view name);
  bool has_room();  // for one that is not there yet
  void put(uint64_t user, std::string_view name, const ProducerRow& row);
  bool drop(uint64_t user, std::string_view name);  // false: it is not there
  // In the order of their names from `after` on, at most so many.
  std::vector<std::string> names(uint64_t user, std::string_view after, size_t most);

 private:
  uint64_t count();
  void set_count(uint64_t count);

  rocks::Reader& state_;
  Effects& effects_;
  std::string key_;  // buffers
  std::string value_;
};

}  // namespace kiwi::resp
