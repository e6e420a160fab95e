#include "resp/sentinel_view.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "resp/commands/cluster_view.hpp"
#include "resp/node_context.hpp"

namespace kiwi::resp {

namespace {

// What other nodes say of themselves counts as long as they are linked.
bool is_down(const NodeContext& node, const ClusterNode& one) {
  if (one.myself) {
    return node.status.service != Service::kUp;
  }
  const auto found = node.status.links.find(one.id);
  if (found == node.status.links.end()) {
    return true;
  }
  const LinkStatus& link = found->second;
  if (link.up || link.down_since_ms < 0) {
    return link.up && !link.serves;
  }
  // Whoever announced another node since then has seen it go: its events begin with that.
  const bool replaced =
      node.announced.node != one.id && node.announced.since_ms >= link.down_since_ms;
  return replaced || node.monotonic_ms() - link.down_since_ms >= node.options.raft_election_timeout;
}

}  // namespace

const SentinelMember* SentinelView::master() const {
  const auto found = std::ranges::find_if(members, &SentinelMember::master);
  return found == members.end() ? nullptr : &*found;
}

NodeId announced_master(const NodeContext& node) {
  const raft::Status& raft = node.status.raft;
  if (raft.configuration.find(node.announced.node) != nullptr) {
    return node.announced.node;
  }
  if (raft.configuration.find(raft.leader) != nullptr) {
    return raft.leader;
  }
  const bool serves = node.status.service == Service::kUp;
  return serves && raft.configuration.find(raft.id) != nullptr ? raft.id : NodeId{};
}

SentinelView view_sentinel(const NodeContext& node) {
  const NodeId master = announced_master(node);
  SentinelView view;
  view.epoch = node.announced.epoch;
  view.voters = node.status.raft.configuration.voters.size();
  for (const ClusterNode& one : cluster_as_known(node, /*tls=*/false, Face::kStandalone).nodes) {
    SentinelMember& member = view.members.emplace_back();
    member.id = one.id;
    member.name = one.name;
    member.host = one.host;
    member.port = one.port;
    const raft::Member* known = node.status.raft.configuration.find(one.id);
    CHECK_INVARIANT(known != nullptr);  // the view is made of them
    member.sentinel_port = face_port(node, *known, Face::kSentinel);
    member.myself = one.myself;
    member.master = one.id == master;
    member.voter = one.voter;
    member.linked = one.reachable;
    member.down = is_down(node, one);
    member.offset = one.offset;
    view.voters_linked += one.voter && one.reachable ? 1 : 0;
  }
  return view;
}

}  // namespace kiwi::resp
