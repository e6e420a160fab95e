// What blocking commands share. Pure functions, and how each of them waits.
#pragma once

#include <cstdint>
#include <string_view>

#include "resp/waiting.hpp"

namespace kiwi::resp {

namespace commands {

extern const WaitRule waits_for_pop;       // BLPOP, BRPOP
extern const WaitRule waits_for_move;      // BLMOVE
extern const WaitRule waits_for_rotation;  // BRPOPLPUSH
extern const WaitRule waits_for_many;      // BLMPOP
extern const WaitRule waits_for_member;    // BZPOPMIN, BZPOPMAX
extern const WaitRule waits_for_members;   // BZMPOP
extern const WaitRule waits_for_entries;   // XREAD
extern const WaitRule waits_for_delivery;  // XREADGROUP

}  // namespace commands

// A timeout in seconds, as Redis takes it; rounded up to milliseconds. 0: for ever. An error's
// text, or nothing.
std::string_view read_timeout(std::string_view text, int64_t& milliseconds);

}  // namespace kiwi::resp
