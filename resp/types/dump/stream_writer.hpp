// A stream as Redis 7.0 writes it (RDB type 19): a block becomes a node of its radix tree, without
// what was deleted from it, of which nothing is left. Reads the state only.
#pragma once

#include <cstddef>
#include <string>

#include "resp/types/stream.hpp"

namespace kiwi::resp::dump {

// Appends type byte and body to `out`. False: they would be more than `bytes_max`, and what was
// appended is worth nothing.
[[nodiscard]] bool write_stream(const Stream& stream, size_t bytes_max, std::string& out);

}  // namespace kiwi::resp::dump
