#include "resp/web/console_rules.hpp"

#include <algorithm>
#include <string_view>

#include "config/base/check.hpp"
#include "resp/acl/trail.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::web {

namespace {

// Local commands that tell and do nothing. Those that do not stand here are taken to change
// something: a new one is safe before anybody thinks of the console.
constexpr std::string_view kTelling[] = {"client|getname",
                                         "client|getredir",
                                         "client|help",
                                         "client|id",
                                         "client|info",
                                         "client|list",
                                         "client|trackinginfo",
                                         "cluster|count-failure-reports",
                                         "cluster|help",
                                         "cluster|info",
                                         "cluster|keyslot",
                                         "cluster|links",
                                         "cluster|myid",
                                         "cluster|nodes",
                                         "cluster|replicas",
                                         "cluster|shards",
                                         "cluster|slaves",
                                         "cluster|slots",
                                         "command",
                                         "command|count",
                                         "command|docs",
                                         "command|getkeys",
                                         "command|getkeysandflags",
                                         "command|help",
                                         "command|info",
                                         "command|list",
                                         "config|get",
                                         "config|help",
                                         "echo",
                                         "function|help",
                                         "info",
                                         "lastsave",
                                         "latency|doctor",
                                         "latency|graph",
                                         "latency|help",
                                         "latency|histogram",
                                         "latency|history",
                                         "latency|latest",
                                         "lolwut",
                                         "memory|doctor",
                                         "memory|help",
                                         "memory|malloc-stats",
                                         "memory|stats",
                                         "module|help",
                                         "module|list",
                                         "object|help",
                                         "ping",
                                         "pubsub|channels",
                                         "pubsub|help",
                                         "pubsub|numpat",
                                         "pubsub|numsub",
                                         "pubsub|shardchannels",
                                         "pubsub|shardnumsub",
                                         "role",
                                         "script|help",
                                         "slowlog|get",
                                         "slowlog|help",
                                         "slowlog|len",
                                         "time",
                                         "xgroup|help",
                                         "xinfo|help"};
static_assert(std::ranges::is_sorted(kTelling));

// What the console's connection is: whose, in which database, with which protocol.
constexpr std::string_view kOfTheConnection[] = {"asking",         "auth",
                                                 "client|caching", "client|no-touch",
                                                 "client|reply",   "client|tracking",
                                                 "debug",          "discard",
                                                 "exec",           "hello",
                                                 "monitor",        "multi",
                                                 "psubscribe",     "punsubscribe",
                                                 "quit",           "readonly",
                                                 "readwrite",      "reset",
                                                 "select",         "ssubscribe",
                                                 "subscribe",      "sunsubscribe",
                                                 "unsubscribe",    "unwatch",
                                                 "wait",           "waitaof",
                                                 "watch"};
static_assert(std::ranges::is_sorted(kOfTheConnection));

bool is_in(std::string_view name, const auto& list) {
  return std::ranges::binary_search(list, name);
}

}  // namespace

ConsoleRule console_rule(Args argv, uint32_t cluster_version) {
  CHECK_INVARIANT(!argv.empty());
  const Resolved found = resolve_command(argv, cluster_version);
  if (found.row == nullptr || found.row->is_internal()) {
    return ConsoleRule::kLooks;
  }
  const CommandSpec& row = *found.row;
  const bool in_front = row.role == SessionRole::kPrefix || row.role == SessionRole::kOnce ||
                        row.role == SessionRole::kReadLevel;  // of a command that nobody looked at
  if (in_front || is_in(row.name, kOfTheConnection)) {
    return ConsoleRule::kNever;
  }
  if (found.unknown_subcommand || !arity_fits(row, argv.size())) {
    return ConsoleRule::kLooks;
  }
  if (row.is_data()) {
    WaitFor ignored;
    if (row.waiting != nullptr && row.waiting->wait(argv, ignored)) {
      return ConsoleRule::kNever;
    }
    return route_of(row, argv) == Route::kRead ? ConsoleRule::kLooks : ConsoleRule::kChanges;
  }
  const bool tells =
      is_in(row.name, kTelling) || (row.name == "raft.trace" && same_word(argv[1], "get"));
  return tells ? ConsoleRule::kLooks : ConsoleRule::kChanges;
}

bool may_drain(const acl::Users& users, std::string_view user) {
  const CommandSpec* row = find_command("raft.drain");
  CHECK_INVARIANT(row != nullptr);
  const acl::Users::Ptr known = users.named(user);
  return known != nullptr &&
         std::ranges::any_of(known->rights.selectors(), [row](const acl::Selector& selector) {
           return selector.commands().has(*row);
         });
}

void audit_drain(const NodeContext& node, const DrainAsked& asked) {
  if (!node.trail) {
    return;
  }
  const CommandSpec* row = find_command("raft.drain");
  CHECK_INVARIANT(row != nullptr);
  const acl::Doer by{node.wall_microseconds(), asked.user, asked.address, 0};
  if (asked.refused) {
    acl::Denial denial;
    denial.object = row->name;
    node.trail(acl::refusal_line(by, denial));
    return;
  }
  const std::string_view words[] = {row->name, "http", asked.on ? "on" : "off"};
  node.trail(acl::command_line(by, *row, words));
}

}  // namespace kiwi::resp::web
