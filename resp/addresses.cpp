#include "resp/addresses.hpp"

#include "config/address.hpp"
#include "resp/node_context.hpp"

namespace kiwi::resp {

namespace {

config::HostPort client_of(const raft::Member& member) {
  Result<config::HostPort> parsed = config::parse_host_port(member.client_address);
  return parsed ? *parsed : config::HostPort{};
}

}  // namespace

std::string plain_address(const std::string& host, uint16_t port) {
  return host + ":" + std::to_string(port);
}

uint16_t face_port(const NodeContext& node, const raft::Member& member, Face face) {
  if (face != Face::kCluster && face != Face::kSentinel) {
    return client_of(member).port;
  }
  if (member.id == node.status.raft.id) {
    return port_of(node.options, face);
  }
  const auto link = node.status.links.find(member.id);
  const bool heard = link != node.status.links.end();
  if (face == Face::kSentinel) {
    return heard ? link->second.sentinel_port : uint16_t{0};
  }
  if (heard && link->second.cluster_port != 0) {
    return link->second.cluster_port;
  }
  // A cluster whose main ports show it is configured so on all nodes.
  return main_face(node.options) == Face::kCluster ? client_of(member).port : uint16_t{0};
}

std::string face_address(const NodeContext& node, const raft::Member& member, Face face) {
  const uint16_t port = face_port(node, member, face);
  return port == 0 ? std::string() : plain_address(client_of(member).host, port);
}

std::string tls_address(const NodeContext& node, const raft::Member& member) {
  if (member.id == node.status.raft.id) {
    return node.options.tls_client_address();
  }
  const auto link = node.status.links.find(member.id);
  const bool told = link != node.status.links.end() && !link->second.tls_client_address.empty();
  return told ? link->second.tls_client_address : member.tls_client_address;
}

LeaderAdvice advise(const NodeContext& node, const raft::Status& raft) {
  const raft::Member* leader = raft.configuration.find(raft.leader);
  const auto link = node.status.links.find(raft.leader);
  // One that is about to go may take no new connections any more.
  const bool stays = link != node.status.links.end() && link->second.up && !link->second.drains;
  if (leader == nullptr || !raft.ready || raft.leader == raft.id || !stays) {
    return {};
  }
  return {face_address(node, *leader, Face::kStandalone),
          face_address(node, *leader, Face::kCluster), tls_address(node, *leader)};
}

}  // namespace kiwi::resp
