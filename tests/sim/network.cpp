#include "tests/sim/network.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

uint64_t payload_bytes(const raft::Message& message) {
  uint64_t bytes = 0;
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

bool is_long(const raft::Message& message) {
  const auto* append = std::get_if<raft::AppendEntries>(&message.body);
  return append != nullptr ? !append->entries.empty()
                           : std::holds_alternative<raft::Propose>(message.body);
}

}  // namespace

// As LinkSender: one message always fits, and what carries no payload.
bool Network::has_room(const raft::Message& message) {
  const Link link{message.from, message.to};
  const uint64_t bytes = payload_bytes(message);
  if (bytes >= 8'192) {
    world_.coverage.hit(Mark::kLongEntry);
  }
  if (const auto full = full_until_us_.find(link); full != full_until_us_.end()) {
    return full->second <= world_.timeline.now_us() || !is_long(message);
  }
  const uint64_t under_way = under_way_bytes_[link];
  return bytes == 0 || under_way == 0 || under_way + bytes <= world_.options.link_bytes_max;
}

// Leaders announce no more than they know to match at the follower, which does not rely on it.
void Network::announce_all(const Node& sender, raft::Message& message) {
  auto* append = std::get_if<raft::AppendEntries>(&message.body);
  if (append == nullptr || !sender.running() || !world_.prng.chance(1, 4)) {
    return;
  }
  const raft::Status status = sender.status();
  if (status.role == raft::Role::kLeader && status.term == message.term &&
      append->commit < status.commit) {
    append->commit = status.commit;
    world_.coverage.hit(Mark::kLoudLeader);
  }
}

void Network::send(raft::Message message) {
  world_.trace("send", message.from, message.to.value, message.body.index());
  // Now and then through the codec, as every message goes in a cluster.
  if (world_.prng.chance(1, 32)) {
    Incarnation sender = message.from_incarnation;
    auto decoded = raft::decode_message(SharedBytes(raft::encode_message(message)));
    if (!decoded) {
      throw Violation{"codec", "a message cannot be decoded: " + decoded.error().text};
    }
    decoded.value().from_incarnation = sender;
    if (!(decoded.value() == message)) {
      throw Violation{"codec", "a message is not the same after encoding and decoding"};
    }
    message = std::move(decoded).value();
  }
  if (is_cut(message.from, message.to) || world_.prng.chance(faults.loss_per_mille, 1000)) {
    return;
  }
  if (!has_room(message)) {
    world_.coverage.hit(Mark::kLinkFull);
    return;
  }
  const Node* sender = world_.find(message.from);
  if (world_.options.loud_leaders) {
    announce_all(*sender, message);
  }
  const Node* receiver = world_.find(message.to);
  if (receiver != nullptr && !receiver->goes_on(*sender)) {
    return;  // F52: there is no link
  }
  deliver_later(message);
  // A proposal is never doubled by a link: it is sent once on one connection, and the origin counts
  // how often it sent it itself (F3 d rests on that).
  if (!std::holds_alternative<raft::Propose>(message.body) &&
      world_.prng.chance(faults.duplicate_per_mille, 1000)) {
    deliver_later(message);
  }
}

void Network::tell(NodeId from, NodeId to, std::string note) {
  if (is_cut(from, to) || world_.prng.chance(faults.loss_per_mille, 1000)) {
    return;
  }
  const auto us =
      50 + static_cast<int64_t>(world_.prng.below(static_cast<uint64_t>(faults.delay_us_max)));
  world_.timeline.after(us, [this, from, to, note = std::move(note)] {
    Node* node = world_.find(to);
    if (node != nullptr && node->running() && !is_cut(from, to)) {
      node->take_note(from, note);
    }
  });
}

void Network::over_connection(NodeId from, NodeId to, std::function<void(Node&)> arrive) {
  const auto us =
      50 + static_cast<int64_t>(world_.prng.below(static_cast<uint64_t>(faults.delay_us_max)));
  world_.timeline.after(us, [this, from, to, arrive = std::move(arrive)] {
    Node* node = world_.find(to);
    if (node != nullptr && node->running() && !is_cut(from, to) && !is_cut(to, from)) {
      arrive(*node);
    }
  });
}

void Network::visit(NodeId from,
                    const config::HostPort& address,
                    std::function<void(const actors::VisitOutcome&)> heard) {
  const auto host = std::ranges::find_if(world_.nodes, [&](const auto& node) {
    return node->member().peer_address == address.text();
  });
  CHECK_INVARIANT(host != world_.nodes.end());
  const NodeId to = (*host)->id();
  over_connection(from, to, [this, from, to, heard = std::move(heard)](Node& visited) {
    visited.visited([this, from, to, heard](actors::VisitReply reply) {
      actors::VisitOutcome outcome{true, to, std::move(reply), {}};
      over_connection(to, from, [heard, outcome = std::move(outcome)](Node&) { heard(outcome); });
    });
  });
}

void Network::deliver_later(const raft::Message& message) {
  const Link link{message.from, message.to};
  if (const auto held = held_.find(link); held != held_.end()) {
    world_.coverage.hit(Mark::kLinkHeld);
    held->second.messages.push_back(message);
    return;
  }
  int64_t us =
      50 + static_cast<int64_t>(world_.prng.below(static_cast<uint64_t>(faults.delay_us_max)));
  if (world_.prng.chance(faults.spike_per_mille, 1000)) {
    us += static_cast<int64_t>(world_.prng.below(400'000));
  }
  const uint64_t bytes = payload_bytes(message);
  under_way_bytes_[link] += bytes;
  world_.timeline.after(us, [this, message, link, bytes] {
    under_way_bytes_[link] -= bytes;
    deliver(message);
  });
}

void Network::deliver(const raft::Message& message) {
  if (is_cut(message.from, message.to)) {
    return;
  }
  if (Node* node = world_.find(message.to); node != nullptr && node->running()) {
    node->deliver(message);
  }
}

void Network::hold(NodeId from, NodeId to, int64_t us) {
  const int64_t until_us = world_.timeline.now_us() + us;
  held_[{from, to}].until_us = until_us;
  world_.trace("hold", from, to.value, static_cast<uint64_t>(us));
  world_.timeline.after(us, [this, from, to, until_us] {
    const auto held = held_.find({from, to});
    if (held != held_.end() && held->second.until_us == until_us) {
      release(from, to);
    }
  });
}

void Network::release(NodeId from, NodeId to) {
  const auto held = held_.find({from, to});
  if (held == held_.end()) {
    return;
  }
  const std::vector<raft::Message> messages = std::move(held->second.messages);
  held_.erase(held);
  for (const raft::Message& message : messages) {
    deliver(message);
  }
}

void Network::fill(NodeId from, NodeId to, int64_t us) {
  full_until_us_[{from, to}] = world_.timeline.now_us() + us;
}

void Network::cut(NodeId from, NodeId to, Notice notice) {
  cut_.insert({from, to});
  world_.trace("cut", from, to.value, 0);
  // A broken link is often noticed, but not always, and not at once: up but deaf.
  if (notice == Notice::kMaybe && world_.prng.chance(1, 2)) {
    world_.timeline.after(static_cast<int64_t>(world_.prng.below(300'000)), [this, from, to] {
      Node* node = world_.find(to);
      if (is_cut(from, to) && node != nullptr && node->running()) {
        node->link(from, false);
      }
    });
  }
}

void Network::heal() {
  world_.trace("heal", NodeId{}, cut_.size(), 0);
  full_until_us_.clear();
  while (!held_.empty()) {
    const Link link = held_.begin()->first;
    release(link.first, link.second);
  }
  for (const auto& [from, to] : std::exchange(cut_, {})) {
    for (auto [a, b] : {std::pair{from, to}, std::pair{to, from}}) {
      world_.timeline.after(static_cast<int64_t>(world_.prng.below(20'000)), [this, a = a, b = b] {
        if (Node* node = world_.find(a); node != nullptr && node->running() && !is_cut(a, b)) {
          node->link(b, true);
        }
      });
    }
  }
}

}  // namespace kiwi::sim
