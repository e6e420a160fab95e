// raft.dialect: what RedisRaft's launchers give, and what it means here.
#include <algorithm>

#include "config/options.hpp"

namespace kiwi::config {

std::vector<std::string> apply_dialect(Options& options) {
  if (options.was_given("raft.log-filename") && !options.was_given("raft.dialect")) {
    options.raft_dialect = Dialect::kRedisRaft;
  }
  std::vector<std::string> said;
  if (options.raft_dialect != Dialect::kRedisRaft) {
    return said;
  }
  if (!options.was_given("raft.follower-proxy")) {
    options.raft_follower_proxy = false;
  }
  // Its launchers wait for RAFT.CLUSTER INIT or JOIN, and say so with no option.
  if (!options.was_given("raft.bootstrap") && options.raft_peers.empty() &&
      options.raft_join.empty()) {
    options.raft_bootstrap = Bootstrap::kManual;
  }
  // RedisRaft's own defaults would be refused here. A launcher that was written for it has no way
  // to know, and longer waits break none of its promises.
  const auto adapt = [&said](const char* name, int64_t& value, int64_t to) {
    said.push_back(std::string(name) + " " + std::to_string(value) +
                   " of this command line is taken as " + std::to_string(to) +
                   ": raft.dialect redisraft");
    value = to;
  };
  constexpr int64_t kElections = 5;  // F24
  if (options.raft_response_timeout < kElections * options.raft_election_timeout) {
    adapt("raft.response-timeout", options.raft_response_timeout,
          kElections * options.raft_election_timeout);
  }
  if (2 * options.raft_heartbeat_interval >= options.raft_election_timeout) {
    constexpr int64_t kHeartbeats = 4;
    constexpr int64_t kShortestMs = 10;
    adapt("raft.heartbeat-interval", options.raft_heartbeat_interval,
          std::max(kShortestMs, options.raft_election_timeout / kHeartbeats));
  }
  return said;
}

}  // namespace kiwi::config
