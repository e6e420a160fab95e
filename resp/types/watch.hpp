// WATCH (F11): what a client saw of a key. Database gives tokens and judges them later.
#pragma once

#include <cstdint>
#include <string>

namespace kiwi::resp {

struct WatchToken {
  uint32_t database = 0;     // logical number
  uint64_t incarnation = 0;  // of that database then: changed by FLUSHDB and SWAPDB
  std::string key;
  bool exists = false;
  uint64_t counter = 0;         // last_modified of the live key, or the mutation counter at WATCH
  int64_t fields_until_ms = 0;  // when the next field of a hash goes by itself; 0: none does
  bool operator==(const WatchToken&) const = default;
};

}  // namespace kiwi::resp
