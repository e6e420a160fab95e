#include "actors/peers/peer_links.hpp"

#include <utility>
#include <variant>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

namespace {

// A peer that is there acknowledges a frame long before. What CAF drops on a live link (F23) is
// never acknowledged and takes its part of the link's window for ever: a new link has all of it.
constexpr int64_t kStuckLinkMs = 10'000;

// Messages that may overtake a long one that is being sent in parts (F29): all without payload.
bool is_urgent(const raft::Message& message) {
  if (const auto* append = std::get_if<raft::AppendEntries>(&message.body)) {
    return append->entries.empty();
  }
  return !std::holds_alternative<raft::Propose>(message.body);
}

size_t payload_bytes(const raft::Message& message) {
  size_t bytes = 0;
  if (const auto* append = std::get_if<raft::AppendEntries>(&message.body)) {
    for (const raft::Entry& entry : append->entries) {
      bytes += entry.payload.size();
    }
  } else if (const auto* propose = std::get_if<raft::Propose>(&message.body)) {
    for (const raft::Proposal& proposal : propose->proposals) {
      bytes += proposal.payload.size();
    }
  }
  return bytes;
}

std::string link_to(NodeId peer) { return "the link to node " + std::to_string(peer.value); }

}  // namespace

// ---------------------------------------------------------------- connections

void PeerLinks::expect(NodeId peer, const Incarnation& incarnation, std::string token) {
  CHECK_INVARIANT(peer && !token.empty());
  std::erase_if(expected_, [&](const auto& e) { return e.second.peer == peer; });
  expected_[std::move(token)] = {peer, incarnation};
}

void PeerLinks::dialled(NodeId peer,
                        const Incarnation& incarnation,
                        std::string token,
                        Speaker speaker,
                        std::unique_ptr<Wire> wire) {
  const Link& link = open(peer, incarnation, std::move(token), speaker, std::move(wire));
  link.wire->send({FrameKind::kHello, {}, link.token});
}

bool PeerLinks::greeted(const std::string& token, Speaker speaker, std::unique_ptr<Wire> wire) {
  const auto expected = expected_.find(token);
  if (expected == expected_.end()) {
    return false;  // not the peer whose socket was handed over
  }
  const Expected peer = expected->second;
  expected_.erase(expected);
  Link& link = open(peer.peer, peer.incarnation, token, speaker, std::move(wire));
  link.wire->send({FrameKind::kHelloAck, {}, token});
  came_up(peer.peer, link);
  return true;
}

PeerLinks::Link& PeerLinks::open(NodeId peer,
                                 const Incarnation& incarnation,
                                 std::string token,
                                 Speaker speaker,
                                 std::unique_ptr<Wire> wire) {
  CHECK_INVARIANT(peer && speaker != nullptr && wire != nullptr);
  drop(peer, "replaced by a new connection");
  peers_[speaker] = peer;
  Link& link = links_[peer];
  link.incarnation = incarnation;
  link.token = std::move(token);
  link.speaker = speaker;
  link.wire = std::move(wire);
  return link;
}

void PeerLinks::came_up(NodeId peer, Link& link) {
  CHECK_INVARIANT(!link.up);
  link.up = true;
  log_notice(link_to(peer) + " is up");
  changes_.push_back({peer, link.token, true, false});
}

void PeerLinks::lost(Speaker speaker) {
  const auto found = peers_.find(speaker);
  if (found != peers_.end()) {
    drop(found->second, "connection lost");
  }
}

void PeerLinks::drop(NodeId peer, const char* why) {
  const auto found = links_.find(peer);
  if (found == links_.end()) {
    return;
  }
  Link link = std::move(found->second);
  links_.erase(found);
  peers_.erase(link.speaker);
  if (link.up) {
    log_notice(link_to(peer) + " is down: " + why);
  }
  changes_.push_back({peer, std::move(link.token), false, link.up});
}

void PeerLinks::refuse(NodeId peer) {
  for (const auto& [token, expected] : expected_) {
    if (expected.peer == peer) {
      changes_.push_back({peer, token, false, false});
    }
  }
  std::erase_if(expected_, [&](const auto& e) { return e.second.peer == peer; });
  drop(peer, "it runs on an old copy of its data directory");
}

void PeerLinks::tick(int64_t now_ms) {
  std::vector<NodeId> stuck;
  for (auto& [peer, link] : links_) {
    const uint64_t progress = link.sender.progress();
    if (!link.up || !link.sender.waits_for_ack()) {
      link.stuck_since_ms = -1;
    } else if (link.stuck_since_ms < 0 || progress != link.progress_then) {
      link.stuck_since_ms = now_ms;
      link.progress_then = progress;
    } else if (now_ms - link.stuck_since_ms >= kStuckLinkMs) {
      stuck.push_back(peer);
    }
  }
  for (const NodeId peer : stuck) {
    drop(peer, "nothing could be sent for ten seconds");
  }
}

// ---------------------------------------------------------------- frames

PeerLinks::Arrived PeerLinks::receive(Speaker from, Frame frame) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) {
    return {};
  }
  const NodeId peer = found->second;
  Link& link = links_.at(peer);
  traffic_.received_bytes += frame.bytes.size();
  switch (frame.kind) {
    case FrameKind::kHelloAck:
      if (link.token == frame.bytes && !link.up) {
        came_up(peer, link);
      }
      return {};
    case FrameKind::kAck:
      if (const auto received = decode_ack(frame.bytes)) {
        link.sender.acked(*received);
        flush(link);
      }
      return {};
    case FrameKind::kWhole:
    case FrameKind::kFirstPart:
    case FrameKind::kPart:
    case FrameKind::kSnapshot:
    case FrameKind::kNote:
    case FrameKind::kFanout:
      return take_part(peer, link, std::move(frame));
    default:
      drop(peer, "it sent a frame of an unknown kind");
      return {};
  }
}

PeerLinks::Arrived PeerLinks::take_part(NodeId peer, Link& link, Frame frame) {
  using What = Arrived::What;
  Arrived arrived{frame.kind == FrameKind::kSnapshot ? What::kSnapshot
                  : frame.kind == FrameKind::kNote   ? What::kNote
                  : frame.kind == FrameKind::kFanout ? What::kFanout
                                                     : What::kMessage,
                  frame.group,
                  peer,
                  link.incarnation,
                  {}};
  LinkReceiver::Outcome outcome = link.receiver.receive(std::move(frame));
  if (outcome.broken) {
    drop(peer, "it sent a frame that breaks the protocol");
    return {};
  }
  if (outcome.ack) {
    std::string ack = encode_ack(*outcome.ack);
    traffic_.sent_bytes += ack.size();
    link.wire->send({FrameKind::kAck, {}, std::move(ack)});
  }
  if (!outcome.message) {
    return {};
  }
  arrived.bytes = std::move(*outcome.message);
  return arrived;
}

PeerLinks::Link* PeerLinks::up_link(NodeId peer) {
  const auto found = links_.find(peer);
  return found != links_.end() && found->second.up ? &found->second : nullptr;
}

bool PeerLinks::send(GroupId group, const raft::Outgoing& outgoing) {
  CHECK_INVARIANT(group && outgoing.message.to == outgoing.to);
  Link* link = up_link(outgoing.to);
  if (link == nullptr || !link->sender.has_room(payload_bytes(outgoing.message))) {
    return false;
  }
  return link->sender.queue(group, raft::encode_message(outgoing.message),
                            is_urgent(outgoing.message));
}

void PeerLinks::send_snapshot(GroupId group, NodeId peer, std::string bytes) {
  CHECK_INVARIANT(group);  // 0 is the link's own
  if (Link* link = up_link(peer)) {
    link->sender.queue_snapshot(group, std::move(bytes));
    flush(*link);
  }
}

void PeerLinks::send_note(GroupId group, NodeId peer, std::string bytes) {
  CHECK_INVARIANT(group);
  if (Link* link = up_link(peer)) {
    link->sender.queue_note(group, std::move(bytes));
    flush(*link);
  }
}

size_t PeerLinks::send_fanout(GroupId group, NodeId peer, std::string bytes) {
  CHECK_INVARIANT(group);
  Link* link = up_link(peer);
  if (link == nullptr) {
    return 0;
  }
  const size_t dropped = link->sender.queue_fanout(group, std::move(bytes));
  flush(*link);
  return dropped;
}

void PeerLinks::flush() {
  for (auto& [peer, link] : links_) {
    if (link.up) {
      flush(link);
    }
  }
}

void PeerLinks::flush(Link& link) {
  while (std::optional<Frame> frame = link.sender.next()) {
    traffic_.sent_bytes += frame->bytes.size();
    link.wire->send(std::move(*frame));
  }
}

uint64_t PeerLinks::queued_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [peer, link] : links_) {
    bytes += link.sender.queued_bytes();
  }
  return bytes;
}

// ---------------------------------------------------------------- outcome

std::vector<PeerLinks::Change> PeerLinks::take_changes() { return std::exchange(changes_, {}); }

std::vector<NodeId> PeerLinks::up() const {
  std::vector<NodeId> peers;
  for (const auto& [peer, link] : links_) {
    if (link.up) {
      peers.push_back(peer);
    }
  }
  return peers;
}

}  // namespace kiwi::actors
