#include "tests/sim/network.hpp"

#include "raft/codec.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

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
  deliver_later(message);
  // A proposal is never doubled by a link: it is sent once on one connection, and the origin counts
  // how often it sent it itself (F3 d rests on that).
  if (!std::holds_alternative<raft::Propose>(message.body) &&
      world_.prng.chance(faults.duplicate_per_mille, 1000)) {
    deliver_later(message);
  }
}

void Network::deliver_later(const raft::Message& message) {
  int64_t us =
      50 + static_cast<int64_t>(world_.prng.below(static_cast<uint64_t>(faults.delay_us_max)));
  if (world_.prng.chance(faults.spike_per_mille, 1000)) {
    us += static_cast<int64_t>(world_.prng.below(400'000));
  }
  world_.timeline.after(us, [this, message] {
    if (!is_cut(message.from, message.to)) {
      if (Node* node = world_.find(message.to); node != nullptr && node->running()) {
        node->deliver(message);
      }
    }
  });
}

void Network::cut(NodeId from, NodeId to) {
  cut_.insert({from, to});
  world_.trace("cut", from, to.value, 0);
  // A broken link is often noticed, but not always, and not at once: up but deaf.
  if (world_.prng.chance(1, 2)) {
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
