#include "actors/node/node_parts.hpp"

#include <array>
#include <string_view>
#include <unistd.h>
#include <variant>

#include "actors/client_loop.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/node/storage.hpp"
#include "actors/peers/peer_auth.hpp"
#include "actors/raft_loop.hpp"
#include "config/base/job_thread.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

NodeParts::NodeParts(const config::Options& options_in)
    : options(options_in),
      context(options, metrics, raft_metrics),
      gate(2 * options_in.raft_election_timeout, options_in.raft_response_timeout / 2) {
  facts.self = options.node_id();
  facts.build.cluster_version_max = static_cast<uint32_t>(options.raft_test_max_version);
}

NodeParts::~NodeParts() = default;

void NodeParts::ask_replica(ReplicaRequests requests) {
  for (ReplicaRequest& request : requests) {
    std::visit([this](auto& what) { caf::anon_send(replica, std::move(what)); }, request);
  }
}

void NodeParts::tell_members(const NodeNote& note) {
  if (!facts.core_runs) {
    return;
  }
  for (const raft::Member& member : facts.latest.members) {
    if (member.id != facts.self) {
      caf::anon_send(replica, PeerNote{member.id, encode_note(note)});
    }
  }
}

std::string own_path() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : std::string();
}

uint64_t random_seed() {
  uint64_t seed = 0;
  for (const char c : random_nonce(sizeof(seed))) {
    seed = seed << 8 | static_cast<uint8_t>(c);
  }
  return seed;
}

}  // namespace kiwi::actors
