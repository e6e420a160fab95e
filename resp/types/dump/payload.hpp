// The frame of DUMP: type byte, body, version (2 bytes), CRC-64 over all before it (8 bytes).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::resp::dump {

inline constexpr uint16_t kPayloadVersion = 10;  // of Redis 7.0, which takes what is written here
inline constexpr uint16_t kNewestPayloadVersion = 12;  // of Redis 7.4: what is read

struct Payload {
  uint8_t type;
  std::string_view body;
};

// Nothing if the version is newer or the checksum is wrong: "DUMP payload version or checksum are
// wrong". The views are into `bytes`.
std::optional<Payload> open_payload(std::string_view bytes);

// Ends what was begun with its type byte, which decides the version.
void close_payload(std::string& out);

}  // namespace kiwi::resp::dump
