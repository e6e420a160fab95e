// The command table: one row per command (resp/commands/*.def, format: commands/all.def) and one
// function per command (resp/commands/*.cpp). The row is all that is known of a command; nothing
// else knows one by name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "resp/acl.hpp"
#include "resp/batch.hpp"
#include "resp/command_keys.hpp"
#include "resp/face.hpp"
#include "resp/reply.hpp"
#include "resp/waiting.hpp"

namespace kiwi::resp {

class Session;  // the connection: what local commands work on (session.hpp)
class Context;  // the database at one moment: what data commands work on (context.hpp)

enum class Route : uint8_t {
  kLocal,  // answered by the session at once: PING, CLIENT, MULTI, ...
  kAdmin,  // the same, and it may answer later: an order to the node or the cluster
  kRead,   // at an index, on any node
  kWrite,  // through the log, executed at apply
};

// What the session itself does about a local command, beside running it.
enum class SessionRole : uint8_t {
  kNone,
  kExec,        // ends a block: when it is refused, the block is over
  kSelect,      // inside a block it decides in which database the commands behind it work
  kPrefix,      // RAFT GET k: the words behind it are the command
  kConfig,      // it names options: refused inside a block if some are the whole cluster's
  kSubscribe,   // its replies are pushes; a node's first subscriber waits for the other nodes
  kTracking,    // waits for what stands before it
  kWaits,       // the same, for others see at once what it does
  kDebug,       // refused unless enable-debug-command lets its client
  kPublish,     // alone it goes beside the log, in a block it is one of its writes
  kAlone,       // refused inside a block: its answer comes later
  kWaitsAlone,  // the same, and it waits for what stands before it
  kOnce,        // a token, or a producer and its numbers; the words behind it are the command
  kReadLevel,   // how old reads may be; words behind it are the one command that it is about
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
  kInternal = 1u << 16,         // only this node's own machinery may propose it (expiry, F8)
  kTimeSensitive = 1u << 17,    // its reply depends on key expiry even for existing keys
  kContainer = 1u << 18,        // CLIENT, CONFIG, ...: its sub-commands are the rows "name|..."
  kNotQueued = 1u << 19,        // executed inside MULTI, not queued: EXEC, DISCARD, RESET, ...
  kSubscriberOk = 1u << 20,     // allowed to subscribers in RESP2
  kMayBeLong = 1u << 21,        // of a fast one: what it looks at may be much all the same
  kNoMandatoryKeys = 1u << 22,  // it has a place for keys, which may be empty
  kNeutral = 1u << 23,          // a data row that Redis calls neither readonly nor write
  kBySha1 = 1u << 24,           // EVALSHA: what only this node knows is sent as a text
  kCalledReadonly = 1u << 25,   // a local row that Redis calls readonly
  kChangesUsers = 1u << 26,     // ACL SETUSER, DELUSER: no password leaves the session
  kTakes = 1u << 27,            // its reply may be the only copy of what it removes
  kWraps = 1u << 28,            // a data row: the words behind its name are the command
  kSentinelOnly = 1u << 29,     // unknown but to clients of a Sentinel (face.hpp)
  kSentinelToo = 1u << 30,      // known to them, too; what is neither they do not know
  kClusterFace = 1u << 31,      // refused where no cluster is shown
};

using LocalHandler = void (*)(Session& session, Args args, ReplyWriter& reply);
using DataHandler = void (*)(Context& context, Args args, ReplyWriter& reply);
using RouteFunction = Route (*)(Args args);  // kRead or kWrite
// About how many records the command would look at; the context was begun for it. Where an argument
// is wrong, 0: the refusal is short.
using CostFunction = uint64_t (*)(Context& context, Args args);

struct CommandSpec {
  std::string_view name;  // lower case; "config|get" style names for sub-commands
  int arity = 0;          // as in Redis: negative = at least
  Route route = Route::kLocal;
  SessionRole role = SessionRole::kNone;
  uint32_t flags = 0;
  uint32_t acl_categories = 0;        // Acl bits: acl.hpp
  uint32_t cluster_version = 1;       // that brought it: in a cluster below it nobody knows it
  RouteFunction route_of = nullptr;   // kWrite: some of its argv only read; null: none
  CostFunction cost = nullptr;        // null: always short
  LocalHandler local = nullptr;       // kLocal and kAdmin
  DataHandler data = nullptr;         // kRead and kWrite
  const WaitRule* waiting = nullptr;  // kRead and kWrite: some of its argv block; null: none
  std::span<const KeySpec> keys;
  int first_key = 0;  // what COMMAND INFO says beside `keys`, made of them; 0 = none
  int last_key = 0;
  int key_step = 0;
  std::string_view text;  // documentation: command_docs.hpp

  constexpr bool is_data() const { return data != nullptr; }
  constexpr bool is_internal() const { return (flags & kInternal) != 0; }
  constexpr bool is_subcommand() const { return name.find('|') != std::string_view::npos; }
};

// Of who the connection thinks it talks to.
constexpr bool is_known_to(const CommandSpec& row, Face face) {
  return face == Face::kSentinel ? (row.flags & (kSentinelOnly | kSentinelToo)) != 0
                                 : (row.flags & kSentinelOnly) == 0;
}

// How many words stand in front of the command that this one is about; 0: it is one itself.
inline size_t words_in_front(const CommandSpec& row) {
  return (row.flags & kWraps) != 0        ? 1
         : row.role == SessionRole::kOnce ? static_cast<size_t>(-row.arity)
                                          : 0;
}

inline bool arity_fits(const CommandSpec& row, size_t argc) {
  return row.arity >= 0 ? argc == static_cast<size_t>(row.arity)
                        : argc >= static_cast<size_t>(-row.arity);
}

// What this argv is: for WRITE_OR_READ rows the row leaves it to a function.
inline Route route_of(const CommandSpec& row, Args argv) {
  return row.route_of == nullptr ? row.route : row.route_of(argv);
}

// argv's row, as Redis resolves it: a sub-command's where argv[0] is a container.
struct Resolved {
  const CommandSpec* row = nullptr;  // nullptr: there is none
  bool unknown_subcommand = false;   // row is the container
};
inline constexpr uint32_t kAnyVersion = UINT32_MAX;
// Rows of later cluster versions than `version` are not there. Internal ones are.
Resolved resolve_command(Args argv, uint32_t version);

// Case-insensitive; nullptr if there is no such command. For container commands (CONFIG, CLIENT,
// COMMAND) the container's row is found.
const CommandSpec* find_command(std::string_view name);
// The row "container|name"; nullptr if there is none. Walks the table: for containers only.
const CommandSpec* find_subcommand(const CommandSpec& container, std::string_view name);
std::span<const CommandSpec> all_commands();

}  // namespace kiwi::resp
