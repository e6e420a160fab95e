// What became of the command that a token names, as the state keeps it (rocks/keys.hpp, 'O'): so a
// client that repeats the command gets the same reply, and nothing happens twice. Plain values and
// their bytes. ON DISK: frozen by golden bytes in tests/types/once_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/checksum.hpp"
#include "config/base/ids.hpp"

namespace kiwi::resp {

struct OnceRecord {
  LogIndex changed;         // the entry that wrote the record last: deltas send what is newer (F17)
  Checksum128 fingerprint;  // of the command; of a closed token nothing
  LogIndex index;           // the entry that decided it
  uint64_t revision = 0;    // the mutation counter behind it
  int64_t stamp_ms = 0;     // of that entry
  bool closed = false;      // by KIWI.TOKEN CLOSE: nothing was executed, and nothing will be
  bool kept = false;        // `reply` is there; else it was too large
  bool takes = false;       // the reply holds what the command took, and nobody else has it
  bool claimed = false;     // of such a one: the reply was given to somebody a second time
  bool unused = false;      // what it took was given back: the token is as good as new
  bool shaped = false;      // the reply has another shape in the other protocol
  uint8_t resp = 2;         // of the reply
  std::string reply;
};

// Clears out first.
void encode(std::string& out, const OnceRecord& record);
std::optional<OnceRecord> decode_once(std::string_view bytes);  // nullopt: damaged

}  // namespace kiwi::resp
