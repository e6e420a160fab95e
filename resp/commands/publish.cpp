// PUBLISH and SPUBLISH as writes of a block. Alone: session_pubsub.cpp.
#include "resp/context.hpp"

namespace kiwi::resp::commands {

namespace {

// The message leaves when the entry is committed, on every node.
void publish_in_block(bool sharded, Context& context, Args args, ReplyWriter& reply) {
  reply.integer(context.publish(sharded, args[1], args[2]));
}

}  // namespace

void publish(Context& context, Args args, ReplyWriter& reply) {
  publish_in_block(false, context, args, reply);
}

void spublish(Context& context, Args args, ReplyWriter& reply) {
  publish_in_block(true, context, args, reply);
}

}  // namespace kiwi::resp::commands
