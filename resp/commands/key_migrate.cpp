// MIGRATE: its words. What it does is in migration.hpp.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr int64_t kDefaultTimeoutMs = 1000;
// A target that does not answer holds its client's connection, and what was read in memory.
constexpr int64_t kLongestTimeoutMs = 3'600'000;

// nullopt: the error that it is.
std::optional<std::string_view> parse_migrate(Args args, MigrateOrder& order) {
  order.keys = {std::string(args[3])};
  for (size_t at = 6; at < args.size(); ++at) {
    const size_t left = args.size() - at - 1;
    if (same_word(args[at], "copy")) {
      order.copy = true;
    } else if (same_word(args[at], "replace")) {
      order.replace = true;
    } else if (same_word(args[at], "auth") && left >= 1) {
      order.password = args[++at];
    } else if (same_word(args[at], "auth2") && left >= 2) {
      order.user = args[++at];
      order.password = args[++at];
    } else if (same_word(args[at], "keys")) {
      if (!args[3].empty()) {
        return "ERR When using MIGRATE KEYS option, the key argument must be set to the empty "
               "string";
      }
      order.keys.assign(args.begin() + static_cast<std::ptrdiff_t>(at) + 1, args.end());
      break;
    } else {
      return texts::kSyntax;
    }
  }
  const auto timeout = parse_integer(args[5]);
  const auto database = parse_integer(args[4]);
  if (!timeout || !database) {
    return texts::kNotInteger;
  }
  order.host = args[1];
  order.port = args[2];
  order.database = *database;
  order.timeout_ms = *timeout <= 0 ? kDefaultTimeoutMs : std::min(*timeout, kLongestTimeoutMs);
  return std::nullopt;
}

// At most, of the block that deletes the keys: each is named in a token and in DEL.
size_t block_bytes(const MigrateOrder& order) {
  constexpr size_t kOverhead = 40;  // of a token and of a word
  size_t bytes = 0;
  for (const std::string& key : order.keys) {
    bytes += 2 * key.size() + 2 * kOverhead;
  }
  return bytes;
}

}  // namespace

// F50: keys whose block could not be proposed are refused before anything is sent.
// MIGRATE host port key database timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
// [KEYS key ...]
void migrate(Session& session, Args args, ReplyWriter& reply) {
  MigrateOrder order;
  if (const auto error = parse_migrate(args, order)) {
    return reply.error(*error);
  }
  if (order.keys.empty()) {
    return reply.simple("NOKEY");
  }
  Session::State& s = session.state();
  const auto most = static_cast<size_t>(s.node.options.raft_max_entry_size);
  if (!order.copy && block_bytes(order) > most) {
    return reply.error("ERR command is larger than raft.max-entry-size");
  }
  s.migrate(std::move(order));
}

}  // namespace kiwi::resp::commands
