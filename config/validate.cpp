// Checks that concern more than one option.
#include <algorithm>
#include <string_view>
#include <utility>

#include "config/options.hpp"

namespace kiwi::config {
namespace {

Error invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

Result<void> validate_times(const Options& o) {
  if (2 * o.raft_heartbeat_interval >= o.raft_election_timeout) {
    return invalid("raft.heartbeat-interval " + std::to_string(o.raft_heartbeat_interval) +
                   " is too long for raft.election-timeout " +
                   std::to_string(o.raft_election_timeout) +
                   ": it must be below half of it, or one late heartbeat starts an election");
  }
  // F24: a failover must fit into the time that clients wait for an answer.
  if (o.raft_response_timeout < 5 * o.raft_election_timeout) {
    return invalid(
        "raft.response-timeout " + std::to_string(o.raft_response_timeout) +
        " is too short for raft.election-timeout " + std::to_string(o.raft_election_timeout) +
        ": it must be at least 5 times that (" + std::to_string(5 * o.raft_election_timeout) +
        "), or every failover shows clients a TIMEOUT");
  }
  return {};
}

// Of all listeners.
Result<void> ports_apart(const Options& o) {
  const std::pair<std::string_view, int64_t> ports[] = {
      {"port", o.port},
      {"tls-port", o.tls_port},
      {"http-port", std::max<int64_t>(o.http_port, 0)},
      {"raft.peer-port", o.peer_port()},
      {"cluster-client-port", o.cluster_client_port},
      {"sentinel-port", o.sentinel_port},
  };
  for (const auto& [name, port] : ports) {
    for (const auto& [other, taken] : ports) {
      if (name < other && port != 0 && port == taken) {
        return invalid(std::string(name) + " and " + std::string(other) + " are both " +
                       std::to_string(port) + ": each needs a port of its own");
      }
    }
  }
  return {};
}

Result<void> validate_ports(const Options& o) {
  if (o.main_port() == 0) {
    return invalid("port and tls-port are both 0: no client could connect");
  }
  if (o.raft_peer_port == 0 && o.main_port() > UINT16_MAX - kPeerPortOffset) {
    return invalid("port " + std::to_string(o.main_port()) +
                   " leaves no port 10000 above it for other nodes: set raft.peer-port");
  }
  if (o.raft_peer_port != 0 && o.raft_peer_port == o.port) {
    return invalid("raft.peer-port and port are both " + std::to_string(o.port) +
                   ": clients and nodes need a port each");
  }
  if (o.http_port > 0 &&
      (o.http_port == o.port || o.http_port == o.tls_port || o.http_port == o.peer_port())) {
    return invalid("http-port " + std::to_string(o.http_port) +
                   " is the port of clients or of nodes already: it needs one of its own");
  }
  if (o.cluster_enabled && o.raft_dialect == Dialect::kRedisRaft) {
    return invalid(
        "cluster-enabled yes and raft.dialect redisraft exclude each other: port can show one of "
        "them; cluster-client-port opens another one for clients that know Redis Cluster");
  }
  if (o.sentinel_port != 0 && o.port == 0) {
    return invalid("sentinel-port sends clients to port, which is 0");
  }
  if (o.sentinel_port != 0 && (o.cluster_enabled || o.raft_dialect == Dialect::kRedisRaft)) {
    return invalid(
        "sentinel-port sends clients to port, which must be a plain Redis then: with "
        "cluster-enabled yes or raft.dialect redisraft it shows the leader as master, and they "
        "look for the announced node");
  }
  if (Result<void> apart = ports_apart(o); !apart) {
    return apart;
  }
  if (!o.raft_addr.empty()) {
    if (Result<HostPort> address = parse_host_port(o.raft_addr); !address) {
      return invalid("raft.addr: " + address.error().text);
    }
  }
  return {};
}

Result<void> validate_tls(const Options& o) {
  if (!o.raft_tls_addr.empty()) {
    if (Result<HostPort> address = parse_host_port(o.raft_tls_addr); !address) {
      return invalid("raft.tls-addr: " + address.error().text);
    }
  }
  if (o.tls_port == 0) {
    return {};
  }
  if (o.tls_cert_file.empty()) {
    return invalid("tls-port is set but tls-cert-file is not: a TLS server needs a certificate");
  }
  if (o.tls_auth_clients != TlsAuthClients::kNo && o.tls_ca_cert_file.empty() &&
      o.tls_ca_cert_dir.empty()) {
    return invalid(
        "clients are to show certificates (tls-auth-clients), but neither tls-ca-cert-file nor "
        "tls-ca-cert-dir says who signs them; tls-auth-clients no asks for none");
  }
  return {};
}

Result<void> validate_join(const Options& o) {
  if (o.raft_join.empty()) {
    return {};
  }
  if (Result<std::vector<PeerAddress>> parsed = parse_node_addresses(o.raft_join); !parsed) {
    return invalid("raft.join: " + parsed.error().text);
  }
  if (!o.raft_peers.empty()) {
    return invalid(
        "raft.join and raft.peers exclude each other: the list is for the nodes that found a "
        "cluster, raft.join for one that comes later");
  }
  if (o.raft_id == 0) {
    return invalid("raft.join is set but raft.id is not: give this node a number of its own");
  }
  return {};
}

Result<void> validate_members(const Options& o) {
  if (o.raft_peers.empty()) {
    return {};
  }
  std::string ids;
  for (const PeerAddress& peer : o.raft_peers) {
    ids += (ids.empty() ? "" : ", ") + std::to_string(peer.id.value);
  }
  if (o.raft_id == 0) {
    return invalid("raft.peers is set but raft.id is not: say which of " + ids + " this node is");
  }
  if (!std::ranges::any_of(o.raft_peers, [&o](const PeerAddress& peer) {
        return peer.id == NodeId{static_cast<uint64_t>(o.raft_id)};
      })) {
    return invalid("raft.id " + std::to_string(o.raft_id) + " is not in raft.peers (" + ids +
                   "): the list names every node, this one included");
  }
  if (o.raft_bootstrap == Bootstrap::kManual) {
    return invalid(
        "raft.bootstrap manual and raft.peers exclude each other: drop the list to wait "
        "for RAFT.CLUSTER INIT, or the manual to form the cluster of the list");
  }
  return {};
}

}  // namespace

Result<void> validate(const Options& options) {
  for (auto* check :
       {&validate_ports, &validate_tls, &validate_members, &validate_join, &validate_times}) {
    if (Result<void> valid = check(options); !valid) {
      return valid;
    }
  }
  return {};
}

}  // namespace kiwi::config
