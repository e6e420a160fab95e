// Node: its peers, and what is said to them before a link is handed to CAF.
#include <algorithm>
#include <utility>

#include "actors/node/node_state.hpp"
#include "config/base/log.hpp"
#include "config/version.hpp"

namespace kiwi::actors {

namespace {
constexpr size_t kLinksMax = 64;
constexpr uint64_t kListenerRounds = 300;  // half a minute
static_assert(config::kClusterVersionMax == 2, "the bound of raft.test-max-version, too");
}  // namespace

Result<void> Node::State::open_peer_port() {
  PeerListenerOptions listening;
  listening.self = options.node_id();
  listening.secret = options.raft_cluster_secret;
  listening.bind = options.bind;
  listening.port = options.peer_port();
  listening.backlog = 128;
  // Whoever knows the secret may say who it is: a member of a configuration that did not come here
  // yet, or one that was removed and must be told so (F25).
  listening.knows = [this](NodeId id) {
    return id != options.node_id() && (links.contains(id) || links.size() < kLinksMax);
  };
  listening.accepted = [this](NodeId id, AcceptedPeer accepted) {
    add_link(id);
    if (const auto link = links.find(id); link != links.end()) {
      link->second.spawned.accept(std::move(accepted));
    }
  };
  listening.visited = [this](NodeId from, const std::string& question,
                             std::function<void(std::string)> tell) {
    visited(from, question, std::move(tell));
  };
  listening.refused = [this] { ++metrics.link_refusals; };
  listener = std::make_unique<PeerListener>(*client_loop, std::move(listening));
  return listener->listen();
}

void Node::State::ensure_links() {
  tell_listener_of_members();
  for (const config::PeerAddress& peer : options.raft_peers) {
    add_link(peer.id);
  }
  for (const raft::Member& member : configuration.members) {
    add_link(member.id);
  }
}

void Node::State::tell_listener_of_members() {
  std::set<std::string> hosts;
  for (const config::PeerAddress& peer : options.raft_peers) {
    hosts.insert(peer.peer.host);
  }
  for (const raft::Member& member : configuration.members) {
    if (const auto address = config::parse_host_port(member.peer_address); address) {
      hosts.insert(address->host);
    }
  }
  listener->members_at(hosts);
}

void Node::State::add_link(NodeId peer) {
  if (peer == options.node_id() || links.contains(peer) || stopping != Stopping::kNo) {
    return;
  }
  PeerLinkOptions link;
  link.self = options.node_id();
  link.peer = peer;
  link.secret = options.raft_cluster_secret;
  link.connection_timeout_ms = std::min<int64_t>(options.raft_connection_timeout, 1000);
  link.reconnect_interval_ms = options.raft_reconnect_interval;
  link.loop = client_loop.get();
  link.address = [this, peer] { return peer_address(peer); };
  link.hello = [this, peer] { return hello_for(peer); };
  link.peer_said = [this](const PeerHello& hello) { peer_said(hello); };
  link.approves = [this, peer](const PeerHello&) { return !links.at(peer).old_copy; };
  link.peer_gone = [this, peer] { peer_gone(peer); };
  link.replica = [this] { return replica_actor; };
  link.status = &context.status.links[peer];
  links[peer].spawned = spawn_peer_link(*system, client_loop->hosting(), std::move(link));
}

config::HostPort Node::State::peer_address(NodeId peer) {
  // This node's own list first: the way to a peer may lead through a proxy that only it knows. But
  // the member may have moved since the list was written, so the two are tried in turn.
  config::HostPort known;
  if (const raft::Member* member = configuration.find(peer)) {
    if (Result<config::HostPort> address = config::parse_host_port(member->peer_address)) {
      known = *address;
    }
  }
  for (const config::PeerAddress& listed : options.raft_peers) {
    if (listed.id == peer && (known.port == 0 || links.at(peer).dials++ % 2 == 0)) {
      return listed.peer;
    }
  }
  return known;
}

PeerHello Node::State::hello_for(NodeId peer) const {
  const raft::Identity& identity = storage->identity();
  PeerHello hello;
  hello.node = identity.node;
  hello.incarnation = identity.incarnation;
  hello.list_digest = list_digest(options.raft_peers, options.raft_bootstrap);
  hello.client_address = options.client_address().text();
  hello.peer_address = options.peer_address().text();
  hello.boot_epoch = identity.boot_epoch;
  hello.marks = storage->marks();
  hello.election_timeout_ms = static_cast<uint32_t>(options.raft_election_timeout);
  hello.build = config::kKiwiVersion;
  hello.architecture = own_architecture();
  hello.cluster_version_max = static_cast<uint32_t>(options.raft_test_max_version);
  hello.groups = 1;
  if (!replica_actor) {
    return hello;
  }
  hello.cluster = identity.cluster;
  hello.cluster_version = config::kClusterVersionMin;
  const auto link = links.find(peer);
  const raft::Member* member = configuration.find(peer);
  if (link == links.end() || !link->second.hello) {
    hello.you = member == nullptr ? PeerHello::You::kUnknown : PeerHello::You::kKnown;
    return hello;
  }
  if (link->second.old_copy) {
    hello.you = PeerHello::You::kOldCopy;
  } else if (member == nullptr) {
    const auto& removed = committed.removed_ids;  // cannot be taken back
    hello.you = std::ranges::binary_search(removed, peer) ? PeerHello::You::kRemoved
                                                          : PeerHello::You::kUnknown;
  } else if (member->incarnation != link->second.hello->incarnation) {
    hello.you = PeerHello::You::kOtherIncarnation;
  } else {
    hello.you = PeerHello::You::kMember;
    if (!link->second.hello->initialized()) {
      hello.first_entry = first_entry;
    }
  }
  return hello;
}

void Node::State::peer_said(const PeerHello& hello) {
  Link& link = links.at(hello.node);
  if (link.hello == hello) {
    return;
  }
  link.hello = hello;
  judge_directory(hello);
  compare_timeouts(hello);
  if (bootstrap) {
    bootstrap->peer_said(hello);
    decide();
    return;
  }
  if (hello.you == PeerHello::You::kRemoved && hello.cluster == storage->identity().cluster) {
    removed_says(hello.node);  // its removal never came here (F25)
  }
  judge_cluster(hello);
  const raft::Member* member = configuration.find(hello.node);
  if (!hello.initialized() && member != nullptr && member->incarnation != hello.incarnation) {
    log_warning("node " + std::to_string(hello.node.value) +
                " came back with an empty data directory: what it had promised is gone, so it has "
                "no vote. The leader replaces it through the log: the old member goes, the new one "
                "comes in as a learner and votes again when it has all data");
  }
}

void Node::State::peer_gone(NodeId peer) {
  links.at(peer).hello.reset();
  if (bootstrap) {
    bootstrap->peer_gone(peer);
    decide();
  }
}

void Node::State::links_timer() {
  if (timer_rounds % kListenerRounds == 0) {
    tell_listener_of_members();  // names may lead elsewhere by now
  }
  if (bootstrap) {
    say_what_is_waited_for();
  }
  for (auto& [peer, link] : links) {
    caf::anon_send(link.spawned.handle, timer_atom_v);
    // F1: told again and again, because only a leader can act on it and leaders change.
    const raft::Member* member = configuration.find(peer);
    if (replica_actor && link.hello && !link.hello->initialized() && member != nullptr &&
        member->incarnation != link.hello->incarnation) {
      caf::anon_send(replica_actor,
                     MemberReturned{{peer, link.hello->incarnation, link.hello->client_address,
                                     link.hello->peer_address}});
    }
  }
}

}  // namespace kiwi::actors
