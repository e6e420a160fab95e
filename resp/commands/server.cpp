// TIME.
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

void time(Session& session, Args, ReplyWriter& reply) {
  int64_t now = session.state().node.wall_microseconds();
  reply.array(2);
  reply.bulk(std::to_string(now / 1'000'000));
  reply.bulk(std::to_string(now % 1'000'000));
}

}  // namespace kiwi::resp::commands
