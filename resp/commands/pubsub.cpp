// PUBSUB and its sub-commands, which tell of this node. SUBSCRIBE and its like: session_pubsub.cpp.
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

namespace {

void list_names(Topic topic, Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                       std::string(args[1]) + "'. Try PUBSUB HELP.");
  }
  const std::optional<std::string_view> pattern =
      args.size() == 3 ? std::optional(args[2]) : std::nullopt;
  const size_t begin = reply.where();
  size_t count = 0;
  session.state().node.pubsub.visit(topic, pattern, [&](std::string_view name) {
    reply.bulk(name);
    ++count;
    return true;  // the reply's own bound ends it
  });
  const size_t head = reply.where();
  reply.array(count);
  reply.put_first(begin, head);
}

void count_subscribers(Topic topic, Session& session, Args args, ReplyWriter& reply) {
  reply.array((args.size() - 2) * 2);
  for (std::string_view name : args.subspan(2)) {
    reply.bulk(name);
    reply.integer(static_cast<int64_t>(session.state().node.pubsub.subscribers(topic, name)));
  }
}

}  // namespace

void pubsub_channels(Session& session, Args args, ReplyWriter& reply) {
  list_names(Topic::kChannel, session, args, reply);
}

void pubsub_shardchannels(Session& session, Args args, ReplyWriter& reply) {
  list_names(Topic::kShard, session, args, reply);
}

void pubsub_numsub(Session& session, Args args, ReplyWriter& reply) {
  count_subscribers(Topic::kChannel, session, args, reply);
}

void pubsub_shardnumsub(Session& session, Args args, ReplyWriter& reply) {
  count_subscribers(Topic::kShard, session, args, reply);
}

void pubsub_numpat(Session& session, Args, ReplyWriter& reply) {
  reply.integer(static_cast<int64_t>(session.state().node.pubsub.size(Topic::kPattern)));
}

void pubsub_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "CHANNELS [<pattern>]",
      "    Return the currently active channels matching a <pattern> (default: '*').",
      "NUMPAT",
      "    Return number of subscriptions to patterns.",
      "NUMSUB [<channel> ...]",
      "    Return the number of subscribers for the specified channels, excluding",
      "    pattern subscriptions(default: no channels).",
      "SHARDCHANNELS [<pattern>]",
      "    Return the currently active shard level channels matching a <pattern> (default: '*').",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    Return the number of subscribers for the specified shard level channel(s)",
  };
  reply_help(reply, "PUBSUB", kLines);
}

}  // namespace kiwi::resp::commands
