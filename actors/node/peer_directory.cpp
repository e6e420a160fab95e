#include "actors/node/peer_directory.hpp"

#include <algorithm>

#include "actors/node/bootstrap.hpp"
#include "config/base/check.hpp"
#include "raft/configuration.hpp"

namespace kiwi::actors {

namespace {

constexpr size_t kLinksMax = 64;
constexpr size_t kDoublesMax = 64;
constexpr int64_t kDoubleTimeouts = 4;  // election timeouts, until a double is worth a word

}  // namespace

// ---------------------------------------------------------------- links

std::vector<NodeId> PeerDirectory::to_link() const {
  std::vector<NodeId> ids;
  for (const config::PeerAddress& peer : options_.listed) {
    ids.push_back(peer.id);
  }
  for (const raft::Member& member : cluster_.latest.members) {
    ids.push_back(member.id);
  }
  std::erase(ids, cluster_.self);
  return ids;
}

std::set<std::string> PeerDirectory::hosts() const {
  std::set<std::string> hosts;
  for (const config::PeerAddress& peer : options_.listed) {
    hosts.insert(peer.peer.host);
  }
  for (const raft::Member& member : cluster_.latest.members) {
    if (const auto address = config::parse_host_port(member.peer_address); address) {
      hosts.insert(address->host);
    }
  }
  return hosts;
}

bool PeerDirectory::admits(NodeId id) const {
  return id != cluster_.self && (peers_.contains(id) || peers_.size() < kLinksMax);
}

// This node's own list first: the way to a peer may lead through a proxy that only it knows. But
// the member may have moved since the list was written, so the two are tried in turn.
config::HostPort PeerDirectory::next_address(NodeId peer) {
  config::HostPort known;
  if (const raft::Member* member = cluster_.latest.find(peer)) {
    if (Result<config::HostPort> address = config::parse_host_port(member->peer_address)) {
      known = *address;
    }
  }
  for (const config::PeerAddress& listed : options_.listed) {
    if (listed.id == peer && (known.port == 0 || peers_.at(peer).dials++ % 2 == 0)) {
      return listed.peer;
    }
  }
  return known;
}

// ---------------------------------------------------------------- what is said

PeerHello PeerDirectory::hello_for(NodeId peer) const {
  PeerHello hello;
  hello.node = own_.member.id;
  hello.incarnation = own_.member.incarnation;
  hello.list_digest = list_digest(options_.listed, options_.bootstrap);
  hello.client_address = own_.member.client_address;
  hello.peer_address = own_.member.peer_address;
  hello.boot_epoch = own_.boot_epoch;
  hello.marks = own_.marks;
  hello.election_timeout_ms = options_.election_timeout_ms;
  hello.build = cluster_.build.name;
  hello.architecture = cluster_.build.architecture;
  hello.cluster_version_max = cluster_.build.cluster_version_max;
  hello.tls_client_address = options_.tls_client_address;
  hello.groups = 1;
  hello.cluster_port = options_.cluster_port;
  hello.sentinel_port = options_.sentinel_port;
  if (!cluster_.core_runs) {
    return hello;
  }
  hello.cluster = own_.cluster;
  hello.cluster_version = cluster_.build.cluster_version;
  const auto found = peers_.find(peer);
  const Peer* known = found == peers_.end() || !found->second.hello ? nullptr : &found->second;
  hello.you = standing_of(peer, known);
  if (hello.you == PeerHello::You::kMember && !known->hello->initialized()) {
    hello.first_entry = own_.first_entry;
  }
  if (hello.you == PeerHello::You::kOldCopy) {
    hello.known_marks = marks_of(peer).marks;
  }
  return hello;
}

// nullptr: it has not said yet which life it is. One without a cluster believes what it is told for
// good: it is told what is committed, for an entry that is cut away again would leave it with a
// cluster that does not know it.
PeerHello::You PeerDirectory::standing_of(NodeId id, const Peer* peer) const {
  const bool may_be_cut = peer == nullptr || peer->hello->initialized();
  const raft::Member* member = (may_be_cut ? cluster_.latest : cluster_.committed).find(id);
  if (peer == nullptr) {
    return member == nullptr ? PeerHello::You::kUnknown : PeerHello::You::kKnown;
  }
  if (is_old_copy(id)) {
    return PeerHello::You::kOldCopy;
  }
  if (member == nullptr) {
    const auto& removed = cluster_.committed.removed_ids;  // cannot be taken back
    return std::ranges::binary_search(removed, id) ? PeerHello::You::kRemoved
                                                   : PeerHello::You::kUnknown;
  }
  return member->incarnation == peer->hello->incarnation ? PeerHello::You::kMember
                                                         : PeerHello::You::kOtherIncarnation;
}

std::optional<HelloNews> PeerDirectory::said(const PeerHello& hello) {
  Peer& peer = peers_.at(hello.node);
  if (peer.hello == hello) {
    return std::nullopt;
  }
  peer.hello = hello;
  peer.life = hello.incarnation;
  peer.version_max = hello.cluster_version_max;
  HelloNews news;
  // A hello and a mark come by different ways: what that peer judged may be a hello from before
  // this node's last mark, so it is compared here with the marks of now (F52).
  raft::Lineage known_of_this;
  known_of_this.learn(hello.known_marks);
  news.own_copy_is_old = cluster_.core_runs && hello.you == PeerHello::You::kOldCopy &&
                         hello.cluster == own_.cluster &&
                         known_of_this.judge(own_.marks) != raft::Lineage::Judgement::kGoesOn;
  judge_marks(hello, peer, news);
  if (std::exchange(peer.election_timeout_ms, hello.election_timeout_ms) !=
      hello.election_timeout_ms) {
    news.timeout_differs = hello.election_timeout_ms != options_.election_timeout_ms;
  }
  if (!cluster_.core_runs) {
    return news;
  }
  // Its removal never came here (F25).
  news.removed_here = hello.you == PeerHello::You::kRemoved && hello.cluster == own_.cluster;
  news.second_cluster = founded_alone_and_was_member(hello);
  const raft::Member* member = cluster_.latest.find(hello.node);
  news.came_back_empty =
      !hello.initialized() && member != nullptr && member->incarnation != hello.incarnation;
  news.came_back_elsewhere = news.came_back_empty && !is_at_its_address(hello);
  news.former_life_here = is_former_life(hello);
  return news;
}

std::optional<uint32_t> PeerDirectory::version_max_of(const raft::Member& member) const {
  const auto found = peers_.find(member.id);
  if (found == peers_.end() || found->second.version_max == 0 ||
      found->second.life != member.incarnation) {
    return std::nullopt;
  }
  return found->second.version_max;
}

bool PeerDirectory::is_at_its_address(const PeerHello& hello) const {
  const raft::Member* member = cluster_.latest.find(hello.node);
  return member != nullptr && member->client_address == hello.client_address &&
         member->peer_address == hello.peer_address;
}

// This directory's place was given to a new life of the node while it was away (F1). One member
// that lags may be wrong about that; most of those that this configuration counts are not.
bool PeerDirectory::is_former_life(const PeerHello& hello) {
  if (hello.cluster != own_.cluster) {
    return false;
  }
  if (hello.you == PeerHello::You::kMember) {
    know_other_life_.erase(hello.node);
  }
  return hello.you == PeerHello::You::kOtherIncarnation &&
         know_other_life_.insert(hello.node).second &&
         raft::has_quorum(cluster_.latest,
                          [this](NodeId id) { return know_other_life_.contains(id); });
}

// What an old copy says is not learned: it is not linked to, so it promises nothing to this node.
void PeerDirectory::judge_marks(const PeerHello& hello, Peer& peer, HelloNews& news) {
  using Judgement = raft::Lineage::Judgement;
  const Judgement judged = known_marks_.of(hello.node, hello.incarnation).judge(hello.marks);
  const bool was_known = std::exchange(peer.old_copy, judged != Judgement::kGoesOn);
  if (peer.old_copy) {
    news.peer_copy_is_old = judged == Judgement::kDiffers && !was_known;
    news.peer_is_behind = judged == Judgement::kBehind && !was_known;
    return;
  }
  news.marks_moved = learn({hello.node, hello.incarnation, hello.marks});
  // Only a new start has to be on disk: a node whose disk is full keeps those that it knows.
  const std::pair start{hello.incarnation, hello.boot_epoch};
  if (peer.start != start) {
    peer.start = start;
    peer.marks_version = marks_version_;  // somebody else may have told the same, a moment ago
  }
}

bool PeerDirectory::is_old_copy(NodeId peer) const {
  const Peer& said = peers_.at(peer);
  return said.old_copy || known_marks_.of(peer, said.life).forked();
}

bool PeerDirectory::may_link(NodeId peer) const {
  return !is_old_copy(peer) && peers_.at(peer).marks_version <= stored_version_;
}

// F54: this node founded a cluster of itself alone, and a member of another one knows it as a
// member of earlier times. Its directory was lost, and it began a second history of the same data.
bool PeerDirectory::founded_alone_and_was_member(const PeerHello& hello) const {
  const raft::Configuration& now = cluster_.latest;
  const bool alone = now.members.size() == 1 && now.find(cluster_.self) != nullptr;
  // Two clusters talk no further than the first word, so it may not know yet which life this is.
  const bool knows =
      hello.you == PeerHello::You::kKnown || hello.you == PeerHello::You::kOtherIncarnation;
  return hello.initialized() && hello.cluster != own_.cluster && alone && knows;
}

std::vector<raft::Member> PeerDirectory::returned() const {
  std::vector<raft::Member> members;
  for (const auto& [id, peer] : peers_) {
    const raft::Member* member = cluster_.latest.find(id);
    if (cluster_.core_runs && peer.hello && !peer.hello->initialized() && member != nullptr &&
        member->incarnation != peer.hello->incarnation && is_at_its_address(*peer.hello)) {
      members.push_back(
          {id, peer.hello->incarnation, peer.hello->client_address, peer.hello->peer_address});
    }
  }
  return members;
}

// ---------------------------------------------------------------- who is believed to be whom

bool PeerDirectory::learn(const KnownMarks::Item& item) {
  const bool moved = known_marks_.learn(item.node, item.incarnation, item.marks, cluster_.latest,
                                        cluster_.committed);
  marks_version_ += moved ? 1 : 0;
  return moved;
}

void PeerDirectory::marks_stored(uint64_t version) {
  CHECK_INVARIANT(stored_version_ <= version && version <= marks_version_);
  stored_version_ = version;
}

// By the latest configuration, or by the committed one, which may be the latest again.
bool PeerDirectory::is_member(NodeId node, const Incarnation& incarnation) const {
  return cluster_.latest.has(node, incarnation) || cluster_.committed.has(node, incarnation);
}

void PeerDirectory::learn_of_member(KnownMarks::Item item, MarksNews& news) {
  if (!is_member(item.node, item.incarnation) || !learn(item)) {
    return;
  }
  const raft::Lineage now = known_marks_.of(item.node, item.incarnation);
  const auto said = peers_.find(item.node);
  if (now.forked() && said != peers_.end() && said->second.life == item.incarnation) {
    news.forked.push_back(item.node);
  }
  item.marks = now.marks();
  news.moved.push_back(std::move(item));
}

PeerDirectory::MarksNews PeerDirectory::has_marks(NodeId peer,
                                                  const Incarnation& life,
                                                  const std::vector<raft::Mark>& marks) {
  MarksNews news;
  learn_of_member({peer, life, marks}, news);
  return news;
}

PeerDirectory::MarksNews PeerDirectory::others_know(std::string_view encoded) {
  MarksNews news;
  auto items = KnownMarks::decode(encoded);
  if (!items) {
    return news;
  }
  for (KnownMarks::Item& item : *items) {
    if (item.node != cluster_.self) {
      learn_of_member(std::move(item), news);
    } else if (item.incarnation == own_.member.incarnation) {
      raft::Lineage known_of_this;
      known_of_this.learn(item.marks);
      news.own_copy_is_old = news.own_copy_is_old ||
                             known_of_this.judge(own_.marks) != raft::Lineage::Judgement::kGoesOn;
    }
  }
  return news;
}

KnownMarks::Item PeerDirectory::marks_of(NodeId peer) const {
  const Incarnation& life = peers_.at(peer).life;
  return {peer, life, known_marks_.of(peer, life).marks()};
}

std::string PeerDirectory::marks_of_members() const {
  std::vector<KnownMarks::Item> items = known_marks_.items();
  std::erase_if(items, [this](const KnownMarks::Item& item) {
    return !is_member(item.node, item.incarnation);
  });
  return KnownMarks::encode(items);
}

PeerDirectory::Double PeerDirectory::double_seen(const raft::MemberLives& lives, int64_t now_ms) {
  const Incarnation& newcomer = lives.newcomer.incarnation;
  if (doubles_.size() >= kDoublesMax && !doubles_.contains(newcomer)) {
    doubles_.clear();
  }
  int64_t& since_ms = doubles_.try_emplace(newcomer, now_ms).first->second;
  if (since_ms < 0) {
    return Double::kKnown;
  }
  if (now_ms - since_ms < kDoubleTimeouts * options_.election_timeout_ms) {
    return Double::kMaybe;
  }
  since_ms = -1;
  return Double::kNews;
}

}  // namespace kiwi::actors
