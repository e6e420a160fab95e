// CONFIG GET, SET, RESETSTAT, HELP; the options themselves: config/options.def.
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

void config_get(Session& session, Args args, ReplyWriter& reply) {
  auto found = config::get(session.state().node.options, args.subspan(2));
  reply.map(found.size());
  for (const auto& [name, value] : found) {
    reply.bulk(name);
    reply.bulk(value);
  }
}

void config_set(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (Result<void> done = config::set(node.options, args.subspan(2)); !done) {
    return reply.error("ERR " + done.error().text);
  }
  node.options_changed();
  reply.ok();
}

void config_resetstat(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  node.metrics.reset();
  node.errors.clear();
  reply.ok();
}

void config_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    Return parameters matching the glob-like <pattern> and their values.",
      "SET <directive> <value>",
      "    Set the configuration <directive> to <value>.",
      "RESETSTAT",
      "    Reset statistics reported by the INFO command.",
  };
  reply_help(reply, "CONFIG", kLines);
}

}  // namespace kiwi::resp::commands
