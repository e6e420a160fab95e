#include "actors/node/bootstrap.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/checksum.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

uint64_t list_digest(const std::vector<config::PeerAddress>& peers, config::Bootstrap mode) {
  std::string bytes;
  put_u8(bytes, static_cast<uint8_t>(mode));
  put_sized(bytes, config::format_peers(peers));  // ordered by id, whatever the order was
  return checksum64(bytes);
}

Bootstrap::Bootstrap(raft::Member self,
                     std::vector<config::PeerAddress> peers,
                     config::Bootstrap mode,
                     Build build)
    : build_(std::move(build)),
      self_(std::move(self)),
      peers_(std::move(peers)),
      mode_(mode),
      digest_(list_digest(peers_, mode)) {}

void Bootstrap::peer_said(const PeerHello& hello) {
  if (hello.node == self_.id) {
    return;
  }
  // A hello counts before the handshake is over, which then ends for the same reason.
  if (std::string why = misfit(build_, hello.build_facts()); !why.empty()) {
    hellos_.erase(hello.node);
    misfits_[hello.node] = std::move(why);
  } else {
    hellos_[hello.node] = hello;
    misfits_.erase(hello.node);
  }
  if (hello.initialized()) {
    cluster_seen_ = true;
    wiped_ = hello.you == PeerHello::You::kOtherIncarnation;
    removed_ = hello.you == PeerHello::You::kRemoved;
    in_use_at_ = hello.you == PeerHello::You::kInUse ? hello.where : std::string();
  }
}

void Bootstrap::peer_gone(NodeId peer) { hellos_.erase(peer); }

void Bootstrap::init() { init_ = true; }

bool Bootstrap::lists(NodeId id) const {
  return std::ranges::any_of(peers_, [id](const config::PeerAddress& p) { return p.id == id; });
}

Bootstrap::Decision Bootstrap::decide() const {
  for (const auto& [id, hello] : hellos_) {
    if (!hello.initialized() || hello.you != PeerHello::You::kMember) {
      continue;
    }
    Join join{hello.cluster, std::nullopt};
    if (!hello.first_entry.empty()) {
      Result<raft::Entry> entry = raft::decode_entry(SharedBytes(hello.first_entry));
      Result<raft::Configuration> first =
          entry && entry->kind == raft::EntryKind::kConfiguration
              ? raft::decode_configuration(entry->payload.view())
              : Result<raft::Configuration>(Error{Errc::kInvalid, {}});
      if (!first || first->cluster != hello.cluster || entry->index != LogIndex{1}) {
        continue;  // not a founding entry of that cluster: wait for a better answer
      }
      if (first->has(self_.id, self_.incarnation)) {
        join.first_entry = *entry;
      }
    }
    return join;
  }
  if (init_ || (peers_.empty() && mode_ == config::Bootstrap::kAuto)) {
    return Found{{self_}};
  }
  // The list is ordered by id: the first one founds.
  if (mode_ == config::Bootstrap::kManual || cluster_seen_ || peers_.front().id != self_.id) {
    return Wait{};
  }
  Found found{{self_}};
  for (const config::PeerAddress& peer : peers_) {
    if (peer.id == self_.id) {
      continue;
    }
    const auto said = hellos_.find(peer.id);
    if (said == hellos_.end() || said->second.initialized() ||
        said->second.list_digest != digest_) {
      return Wait{};
    }
    found.members.push_back(
        {peer.id, said->second.incarnation, peer.client.text(), peer.peer.text()});
  }
  return found;
}

std::string Bootstrap::waiting_for() const {
  if (!in_use_at_.empty()) {
    return "node " + std::to_string(self_.id.value) + " lives already: its links come from " +
           in_use_at_ + ". This process, " + self_.peer_address +
           ", has an empty data directory and the same raft.id, so it is not let in: give it a "
           "raft.id of its own, or stop the other one first if this one is to replace it";
  }
  if (wiped_) {
    return "this data directory is empty, but node " + std::to_string(self_.id.value) +
           " is already a member of a running cluster: the directory was wiped or replaced. The "
           "leader will take the old member out and this one in as a learner, and give it its vote "
           "back when it has all data; nothing has to be done while a majority of the nodes is up";
  }
  if (removed_) {
    return "node " + std::to_string(self_.id.value) +
           " was removed from this cluster; its id cannot be used again: choose a new raft.id";
  }
  for (const auto& [id, why] : misfits_) {
    if (lists(id) || cluster_seen_) {
      return "node " + std::to_string(id.value) + " and this one cannot be in one cluster: " + why;
    }
  }
  if (cluster_seen_) {
    return "a peer is a member of a cluster that does not know this node; add it there, or give it "
           "an empty list of peers to form its own";
  }
  if (mode_ == config::Bootstrap::kManual) {
    return "waiting for RAFT.CLUSTER INIT";
  }
  std::string missing;
  std::string differing;
  for (const config::PeerAddress& peer : peers_) {
    const auto said = hellos_.find(peer.id);
    if (peer.id != self_.id && said == hellos_.end()) {
      missing += (missing.empty() ? "" : ", ") + std::to_string(peer.id.value);
    } else if (peer.id != self_.id && said->second.list_digest != digest_) {
      differing += (differing.empty() ? "" : ", ") + std::to_string(peer.id.value);
    }
  }
  if (!differing.empty()) {
    return "raft.peers here and on node " + differing +
           " differ: give every node the same list, then restart";
  }
  if (!missing.empty()) {
    return "a new cluster needs every node of raft.peers once; waiting for node " + missing;
  }
  return "waiting for node " + std::to_string(peers_.front().id.value) + " to form the cluster";
}

}  // namespace kiwi::actors
