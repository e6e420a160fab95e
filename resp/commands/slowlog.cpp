// SLOWLOG: which commands of this node's clients took long to execute (slow_log.hpp).
#include <algorithm>

#include "resp/numbers.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

void slowlog_get(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                       std::string(args[1]) + "'. Try SLOWLOG HELP.");
  }
  constexpr int64_t kUsual = 10;
  const std::optional<int64_t> asked = args.size() == 2 ? kUsual : parse_integer(args[2]);
  if (!asked || *asked < -1) {
    return reply.error("ERR count should be greater than or equal to -1");
  }
  const std::deque<SlowCommand>& commands = session.state().node.measures.slow_log().newest_first();
  const size_t count =
      *asked == -1 ? commands.size() : std::min(commands.size(), static_cast<size_t>(*asked));
  reply.array(count);
  for (size_t i = 0; i < count; ++i) {
    const SlowCommand& command = commands[i];
    reply.array(6);
    reply.integer(static_cast<int64_t>(command.id));
    reply.integer(command.at_s);
    reply.integer(command.took_us);
    reply.array(command.args.size());
    for (const std::string& arg : command.args) {
      reply.bulk(arg);
    }
    reply.bulk(command.address);
    reply.bulk(command.name);
  }
}

void slowlog_len(Session& session, Args, ReplyWriter& reply) {
  const SlowLog& log = session.state().node.measures.slow_log();
  reply.integer(static_cast<int64_t>(log.newest_first().size()));
}

void slowlog_reset(Session& session, Args, ReplyWriter& reply) {
  session.state().node.measures.slow_log().clear();
  reply.ok();
}

void slowlog_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "GET [<count>]",
      "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
      "    Entries are made of:",
      "    id, timestamp, time in microseconds, arguments array, client IP and port,",
      "    client name",
      "LEN",
      "    Return the length of the slowlog.",
      "RESET",
      "    Reset the slowlog.",
  };
  reply_help(reply, "SLOWLOG", kLines);
}

}  // namespace kiwi::resp::commands
