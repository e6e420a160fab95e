// MONITOR: what this node's clients ask, as lines to those who watch. A line goes to its reader at
// once, behind what was answered to it before; its socket is looked at when the turn is over.
#include <utility>

#include "config/base/check.hpp"
#include "resp/monitors.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

void Session::State::start_monitoring() {
  CHECK_INVARIANT(!monitoring);
  monitoring = true;
  node.monitors.add(info.id);
}

void Session::State::stop_monitoring() {
  if (std::exchange(monitoring, false)) {
    node.monitors.remove(info.id);
  }
}

// As Redis has it: a block's commands when they are executed, before their EXEC. Redis leaves out
// those of a block that WATCH stops; nobody knows yet whether it does.
void Session::State::run_watched(const CommandSpec& row, Args args, Args said) {
  const Transaction& block = transaction;
  const bool executes =
      row.role == SessionRole::kExec && block.open && !block.broken && !block.tokens_lost;
  const uint32_t behind_block = block.database;
  if (executes) {
    show_block();
  }
  run(row, args);
  if (is_monitored(row)) {
    node.show_command(executes ? behind_block : database, info.peer_address,
                      words_to_show(row, said));
  }
}

void Session::State::show_block() {
  uint32_t at = database;
  auto local = transaction.locals.begin();
  auto packed = transaction.packed.begin();
  std::vector<std::string_view> args;
  for (size_t position = transaction.once ? 1 : 0; position < transaction.count; ++position) {
    const CommandSpec* row = nullptr;
    PackedCommand command;
    if (local != transaction.locals.end() && local->position == position) {
      row = local->row;
      args.assign(local->args.begin(), local->args.end());
      ++local;
    } else {
      CHECK_INVARIANT(packed != transaction.packed.end());
      const bool read = unpack_command(*packed++, command);
      CHECK_INVARIANT(read);
      at = command.database;
      args = std::move(command.args);
      row = resolve_for_client(node, args, info.face).row;
    }
    if (row == nullptr || !is_monitored(*row)) {
      continue;
    }
    if (row->role == SessionRole::kSelect) {
      at = database_selected(args[1]).value_or(at);
    }
    node.show_command(at, info.peer_address, words_to_show(*row, args));
  }
}

void Session::State::take_monitor_line(std::string_view line) {
  CHECK_INVARIANT(monitoring);
  // What it says itself is shown as loud as it is answered.
  const bool silent = replies_off || (running && skip_this_reply);
  if (killed || close_after_replies || silent) {
    return;
  }
  slots.push('+', line, output);
  check_output_limits();
  if (!killed && !std::exchange(flush_asked, true)) {
    ReplyBatch nothing;
    nothing.connection = info.id;
    node.deliver(std::move(nothing));
  }
}

// ---------------------------------------------------------------- the node

void NodeContext::show_command(uint32_t database,
                               std::string_view from,
                               const std::vector<std::string_view>& words) const {
  const std::string line = monitor_line(wall_microseconds(), database, from, words);
  for (const ConnectionId connection : monitors.connections()) {
    const bool there = sessions.with(
        connection, [&line](Session& session) { session.state().take_monitor_line(line); });
    CHECK_INVARIANT(there);  // it would have left
  }
}

void NodeContext::show_script_call(const OutwardEvent& event) const {
  PackedCommand call;
  const bool read = unpack_command(event.message, call);
  CHECK_INVARIANT(read && event.kind == OutwardEvent::Kind::kScriptCall);
  show_command(event.database, "lua", call.args);
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

void monitor(Session& session, Args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (s.in_block) {
    return reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  }
  if (!s.monitoring) {  // as in Redis, who says it again gets no reply
    s.start_monitoring();
    reply.ok();
  }
}

}  // namespace kiwi::resp::commands
