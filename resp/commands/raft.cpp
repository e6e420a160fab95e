// RAFT.CLUSTER: forming a cluster by hand (raft.bootstrap manual), in RedisRaft's dialect.
#include <optional>

#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

void raft_cluster(Session& session, Args args, ReplyWriter& reply) {
  if (!same_word(args[1], "init")) {
    return reply.error("ERR RAFT.CLUSTER supports INIT only");
  }
  if (args.size() > 3) {
    return reply.error("ERR wrong number of arguments for 'raft.cluster' command");
  }
  std::optional<ClusterId> cluster;
  if (args.size() == 3) {
    cluster = ClusterId::from_hex(args[2]);
    if (!cluster) {
      return reply.error(args[2].size() == 32 ? "ERR cluster id must be hexadecimal digits"
                                              : "ERR cluster id must be 32 characters");
    }
  }
  Result<ClusterId> founded = session.state().node.init_cluster(cluster);
  if (!founded) {
    return reply.error("ERR " + founded.error().text);
  }
  reply.simple("OK " + founded->hex());
}

}  // namespace kiwi::resp::commands
