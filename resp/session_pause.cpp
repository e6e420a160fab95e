// CLIENT PAUSE and UNPAUSE: one command of a session is held, and nothing behind it is parsed.
#include <limits>
#include <utility>

#include "config/base/check.hpp"
#include "resp/acl.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

bool Session::State::is_paused(const CommandSpec& row, Args args) const {
  if (!node.pause.holds(now_ms) || monitoring || ignores_pause) {
    return false;
  }
  if (node.pause.all) {
    return true;
  }
  if (row.role == SessionRole::kExec) {
    return transaction.open && transaction.writes;
  }
  if (row.role == SessionRole::kPublish) {
    return true;
  }
  // MIGRATE is this node's work, not the log's, and deletes keys all the same.
  if (!row.is_data()) {
    return (row.acl_categories & kAclWrite) != 0;
  }
  const bool writes = route_of(row, args) == Route::kWrite;
  // A script that is known to only read is sent as a read.
  return writes && (!arity_fits(row, args.size()) || name_as_read(row, args).empty());
}

// `prefix`: words in front of the command.
void Session::State::hold(const CommandSpec& row, Args args, size_t prefix) {
  CHECK_INVARIANT(!deferred && !held);
  held = true;
  last_command = &row;
  deferred = QueuedLocal{prefix, &row, {args.begin(), args.end()}};
  node.pause.waiting.insert(info.id);
}

void Session::State::forget_hold() {
  if (std::exchange(held, false)) {
    node.pause.waiting.erase(info.id);
  }
}

bool Session::State::must_still_wait() const {
  CHECK_INVARIANT(deferred.has_value());
  if (!held) {
    return must_wait(*deferred->row);
  }
  const std::vector<std::string_view> args(deferred->args.begin(), deferred->args.end());
  return is_paused(*deferred->row, Args(args).subspan(deferred->position));
}

// ---------------------------------------------------------------- the node

void NodeContext::end_pause() {
  pause.until_ms = 0;
  pause.all = false;
  // They leave the set when they go on.
  const std::vector<ConnectionId> waiting(pause.waiting.begin(), pause.waiting.end());
  for (const ConnectionId connection : waiting) {
    ReplyBatch nothing;
    nothing.connection = connection;
    deliver(std::move(nothing));
  }
}

void NodeContext::look_after_pause(int64_t now_ms) {
  if (pause.until_ms != 0 && !pause.holds(now_ms)) {
    end_pause();
  }
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

void client_pause(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (args.size() > 4) {
    return reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                       std::string(args[1]) + "'. Try CLIENT HELP.");
  }
  const bool writes = args.size() == 4 && same_word(args[3], "write");
  if (args.size() == 4 && !writes && !same_word(args[3], "all")) {
    return reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
  }
  const std::optional<int64_t> timeout_ms = parse_integer(args[2]);
  if (!timeout_ms) {
    return reply.error("ERR timeout is not an integer or out of range");
  }
  if (*timeout_ms < 0) {
    return reply.error("ERR timeout is negative");
  }
  constexpr int64_t kForEver = std::numeric_limits<int64_t>::max();
  const int64_t end_ms = *timeout_ms > kForEver - s.now_ms ? kForEver : s.now_ms + *timeout_ms;
  s.node.pause.begin(end_ms, !writes, s.now_ms);
  reply.ok();
}

void client_unpause(Session& session, Args, ReplyWriter& reply) {
  session.state().node.end_pause();
  reply.ok();
}

}  // namespace kiwi::resp::commands
