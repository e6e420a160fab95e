// The command table: one row per command (resp/commands/*.def) and one function per command
// (resp/commands/*.cpp). Nothing else knows a command by name. The rows' format: commands/all.def.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "resp/acl.hpp"
#include "resp/batch.hpp"
#include "resp/reply.hpp"

namespace kiwi::resp {

class Session;  // the connection: what local commands work on (session.hpp)
class Context;  // the database at one moment: what data commands work on (context.hpp)

enum class Route : uint8_t {
  kLocal,  // answered by the session at once: PING, CLIENT, MULTI, ...
  kRead,   // at an index, on any node
  kWrite,  // through the log, executed at apply
};

// Redis' flags as COMMAND INFO shows them, and ours.
enum Flag : uint32_t {
  kFast = 1u << 0,
  kDenyOom = 1u << 1,
  kAdmin = 1u << 2,
  kNoAuth = 1u << 3,     // allowed before AUTH
  kNoMulti = 1u << 4,    // refused inside MULTI
  kLoadingOk = 1u << 5,  // served while loading
  kStaleOk = 1u << 6,
  kNoScript = 1u << 7,
  kBlocking = 1u << 8,
  kPubSub = 1u << 9,
  kMovableKeys = 1u << 10,
  kSkipMonitor = 1u << 11,
  kSkipSlowlog = 1u << 12,
  kAllowBusy = 1u << 13,
  kNoAsyncLoading = 1u << 14,
  kTouchesArbitraryKeys = 1u << 15,
  kInternal = 1u << 16,       // only this node's own machinery may propose it (expiry, F8)
  kTimeSensitive = 1u << 17,  // its reply depends on key expiry even for existing keys
  kNotQueued = 1u << 19,      // executed inside MULTI, not queued: EXEC, DISCARD, RESET, ...
  kMayBeLong = 1u << 20,      // elements_read() says whether it is: long_read.hpp
  kContainer = 1u << 18,      // CLIENT, CONFIG, ...: its sub-commands are the rows "name|..."
};

using LocalHandler = void (*)(Session& session, Args args, ReplyWriter& reply);
using DataHandler = void (*)(Context& context, Args args, ReplyWriter& reply);

struct CommandSpec {
  std::string_view name;  // lower case; "config|get" style names for sub-commands
  int arity = 0;          // as in Redis: negative = at least
  Route route = Route::kLocal;
  uint32_t flags = 0;
  int first_key = 0;  // argv positions as in Redis; 0 = none
  int last_key = 0;
  int key_step = 0;
  uint32_t acl_categories = 0;   // Acl bits: acl.hpp
  LocalHandler local = nullptr;  // route kLocal
  DataHandler data = nullptr;    // kRead and kWrite
};

// Case-insensitive; nullptr if there is no such command. For container commands (CONFIG, CLIENT,
// COMMAND) the container's row is found; its handler dispatches.
const CommandSpec* find_command(std::string_view name);
// The row "container|name"; nullptr if there is none. Walks the table: for containers only.
const CommandSpec* find_subcommand(const CommandSpec& container, std::string_view name);
std::span<const CommandSpec> all_commands();

}  // namespace kiwi::resp
