// MULTI, EXEC, DISCARD, WATCH, UNWATCH; the work is in session_transaction.cpp.
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

void multi(Session& session, Args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (s.transaction.open) {
    return reply.error("ERR MULTI calls can not be nested");
  }
  s.transaction.open = true;
  s.transaction.database = s.database;
  reply.ok();
}

// Sessions run local commands with their own writer only.
void exec(Session& session, Args, ReplyWriter& reply) {
  session.state().exec(static_cast<RespWriter&>(reply));
}

void discard(Session& session, Args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (!s.transaction.open) {
    return reply.error("ERR DISCARD without MULTI");
  }
  s.discard_transaction();
  reply.ok();
}

void watch(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (s.transaction.open) {
    return reply.error("ERR WATCH inside MULTI is not allowed");
  }
  s.watch(args, reply);
}

// Inside MULTI it is queued like any other command and then does nothing, as in Redis: EXEC has
// forgotten the tokens before it runs.
void unwatch(Session& session, Args, ReplyWriter& reply) {
  session.state().forget_tokens();
  reply.ok();
}

}  // namespace kiwi::resp::commands
