// The tokens by which commands count once (KIWI.ONCE). A token carries the time when it was made,
// so that a server which forgets can tell "never seen" from "forgotten". Clients may write one as
//   a UUID of version 7, or a ULID, either of them maybe with .suffix of up to 32 bytes
//   <unix milliseconds>-<1 to 64 bytes>, a key of their own and when it was made
// Each has one form here, so that spelling cannot make two tokens of one. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::resp {

// IN THE LOG: milliseconds:8 BE, kind:1, the rest.
inline constexpr size_t kOnceTokenHead = 8;

// nullopt: it is no token.
std::optional<std::string> read_once_token(std::string_view text);
uint64_t once_token_ms(std::string_view token);            // of the one form
std::string_view once_token_name(std::string_view token);  // what follows the milliseconds

// A fresh UUID of version 7; `random`: 16 bytes, of which 74 bits are used.
std::string new_once_token(uint64_t unix_ms, std::string_view random);

}  // namespace kiwi::resp
