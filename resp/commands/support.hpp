// What several data commands share: limits and the parsing of deadlines. Pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "config/limits.hpp"
#include "resp/context.hpp"

namespace kiwi::resp {

// A string's longest value. Decides replies at apply, so it is a constant on every node (F35);
// Redis' default of proto-max-bulk-len.
inline constexpr uint64_t kStringBytes = uint64_t{512} << 20;
inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
// Longest answer of random elements with repetitions: Redis has no bound, and one short request
// fills its memory.
inline constexpr int64_t kRepetitions = 1 << 20;
inline constexpr std::string_view kCountOutOfRange =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
inline constexpr std::string_view kDatabaseOutOfRange = "ERR DB index is out of range";

// As for the strings' limit: what SELECT accepts is the node's option `databases`.
inline bool is_database(int64_t number) {
  return number >= 0 && number < config::limits::kDatabases;
}

// The database number of COPY and MOVE; answers the error itself.
std::optional<uint32_t> read_database(std::string_view text, ReplyWriter& reply);

enum class TimeUnit : uint8_t { kSeconds, kMilliseconds };

void reply_invalid_expire(Context& context, ReplyWriter& reply);
void reply_wrong_arity(Context& context, ReplyWriter& reply);

// A positive time of SET, GETEX and the like as a deadline; answers the error itself.
std::optional<int64_t> read_deadline(
    Context& context, std::string_view text, TimeUnit unit, bool relative, ReplyWriter& reply);

// Negative indexes count from the end, as in LRANGE and LINDEX. nullopt: an empty range.
struct IndexRange {
  uint64_t first = 0;
  uint64_t count = 0;
};
std::optional<IndexRange> clamp_range(int64_t first, int64_t last, uint64_t size);
// The same of one element; nullopt: there is none.
std::optional<uint64_t> element_index(int64_t index, uint64_t size);

// A string as a bulk string, or bytes [from, to) of it: one in chunks goes there chunk by chunk.
// Requires a key that holds one.
void reply_string(Context& context, const Key& key, ReplyWriter& reply);
void reply_range(Context& context, const Key& key, uint64_t from, uint64_t to, ReplyWriter& reply);

// What a type visits goes into the reply as bulk strings, as long as somebody takes them. Empty:
// the reply is thrown away.
std::function<bool(std::string_view)> into(ReplyWriter& reply);

}  // namespace kiwi::resp
