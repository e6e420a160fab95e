// The bit offset that bitmap commands take.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

// "#n" means the n-th field of `field_bits`; 0: that form is refused. The product is Redis', modulo
// 2^64. Answers the error itself.
inline std::optional<uint64_t> read_bit_offset(std::string_view text,
                                               ReplyWriter& reply,
                                               uint32_t field_bits = 0) {
  const bool counted = field_bits != 0 && text.starts_with('#');
  auto offset = parse_integer(counted ? text.substr(1) : text);
  if (offset && counted) {
    offset = static_cast<int64_t>(static_cast<uint64_t>(*offset) * field_bits);
  }
  if (!offset || *offset < 0 || static_cast<uint64_t>(*offset) / 8 >= kStringBytes) {
    reply.error("ERR bit offset is not an integer or out of range");
    return std::nullopt;
  }
  return static_cast<uint64_t>(*offset);
}

}  // namespace kiwi::resp::commands
