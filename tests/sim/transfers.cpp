#include "tests/sim/transfers.hpp"

#include <utility>

#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kChunkUs = 3'000;
constexpr int64_t kRetryUs = 60'000;
constexpr uint64_t kLossesMax = 12;

}  // namespace

void Transfers::wanted(Node& leader, const raft::SnapshotWanted& wanted) {
  world_.coverage.hit(Mark::kSnapshotWanted);
  Node* receiver = world_.find(wanted.follower);
  if (receiver == nullptr || !receiver->running()) {
    return;
  }
  if (auto it = running_.find(wanted.follower); it != running_.end()) {
    // F32: it goes on from its sender if this leader's log can go on from there.
    if (!leader.pin(wanted.follower, it->second.copy->meta.index)) {
      world_.coverage.hit(Mark::kPinRefused);
      end(wanted.follower, LogIndex{}, false);
    }
    return;
  }
  if (Node* sender = sender_for(leader, wanted)) {
    begin(leader, *sender, *receiver);
  }
}

// The leader mostly; any member may be asked to.
Node* Transfers::sender_for(Node& leader, const raft::SnapshotWanted& wanted) {
  if (!world_.prng.chance(1, 4)) {
    return &leader;
  }
  Node& other = *world_.nodes[world_.prng.below(world_.nodes.size())];
  const bool fit = other.running() && other.id() != wanted.follower &&
                   leader.core().configuration().has(other.id(), other.incarnation()) &&
                   other.applied() >= wanted.first_index;
  return fit ? &other : nullptr;
}

void Transfers::begin(Node& leader, Node& sender, Node& receiver) {
  auto copy = std::make_shared<const Copy>(sender.checkpoint());
  if (!leader.pin(receiver.id(), copy->meta.index) ||
      (&sender != &leader && !sender.pin(receiver.id(), copy->meta.index))) {
    world_.coverage.hit(Mark::kPinRefused);
    leader.transfer_ended(receiver.id(), LogIndex{}, false);
    return;
  }
  world_.coverage.hit(Mark::kTransferBegun);
  world_.trace("transfer", sender.id(), receiver.id().value, copy->meta.index.value);
  Transfer transfer;
  transfer.number = ++made_;
  transfer.sender = sender.id();
  transfer.sender_life = sender.life();
  transfer.receiver = receiver.id();
  transfer.incarnation = receiver.incarnation();
  transfer.receiver_life = receiver.life();
  transfer.copy = std::move(copy);
  transfer.chunks_left = 1 + world_.prng.below(world_.prng.chance(1, 4) ? 200 : 12);
  running_[receiver.id()] = std::move(transfer);
  receiver.update_service();
  next_chunk(made_, receiver.id());
}

void Transfers::unasked() {
  Node& sender = *world_.nodes[world_.prng.below(world_.nodes.size())];
  Node* picked = world_.nodes[world_.prng.below(world_.nodes.size())].get();
  for (auto& node : world_.nodes) {  // rather one that is no member any more
    if (sender.running() && world_.prng.chance(1, 2) &&
        !sender.core().configuration().has(node->id(), node->incarnation())) {
      picked = node.get();
    }
  }
  Node& receiver = *picked;
  if (!sender.running() || !receiver.running() || &sender == &receiver || !sender.applied()) {
    return;
  }
  auto copy = std::make_shared<const Copy>(sender.checkpoint());
  receiver.receive(std::move(copy), sender.status().term, [](LogIndex, bool) {});
}

void Transfers::tell_removed(NodeId removed) {
  Node* leader = world_.ready_leader();
  Node& node = *world_.find(removed);
  if (leader == nullptr || !node.running() || !leader->applied() ||
      leader->core().configuration().has(removed, node.incarnation())) {
    return;
  }
  auto copy = std::make_shared<const Copy>(leader->checkpoint());
  node.receive(std::move(copy), leader->status().term, [](LogIndex, bool) {});
}

bool Transfers::is_alive(const Transfer& transfer) const {
  const Node& sender = *world_.find(transfer.sender);
  return sender.running() && sender.life() == transfer.sender_life &&
         world_.find(transfer.receiver)->incarnation() == transfer.incarnation;
}

// Acknowledged one by one; what is not is sent again, for a while.
void Transfers::next_chunk(uint64_t number, NodeId receiver) {
  const int64_t us = kChunkUs / 3 + static_cast<int64_t>(world_.prng.below(kChunkUs));
  world_.timeline.after(us, [this, number, receiver] {
    auto it = running_.find(receiver);
    if (it == running_.end() || it->second.number != number) {
      return;
    }
    Transfer& transfer = it->second;
    if (!is_alive(transfer) || transfer.losses_in_a_row > kLossesMax ||
        world_.prng.chance(1, 300)) {  // given up by its sender, for no good reason
      world_.coverage.hit(Mark::kTransferBroken);
      end(receiver, LogIndex{}, false);
      return;
    }
    const Node& to = *world_.find(receiver);
    const bool lost = !to.running() || world_.network.is_cut(transfer.sender, receiver) ||
                      world_.network.is_cut(receiver, transfer.sender) ||
                      world_.prng.chance(world_.network.faults.loss_per_mille, 1000);
    if (lost) {
      world_.coverage.hit(Mark::kChunkLost);
      ++transfer.losses_in_a_row;
      world_.timeline.after(kRetryUs, [this, number, receiver] { next_chunk(number, receiver); });
      return;
    }
    if (to.life() != transfer.receiver_life) {
      world_.coverage.hit(Mark::kReceiverRestarted);
      transfer.receiver_life = to.life();
    }
    transfer.losses_in_a_row = 0;
    if (world_.prng.chance(1, 150)) {
      world_.crash_in(*world_.find(world_.prng.chance(1, 3) ? transfer.sender : receiver),
                      kChunkUs);
    }
    if (--transfer.chunks_left > 0) {
      next_chunk(number, receiver);
      return;
    }
    arrived(transfer);
  });
}

// Whole and verified. Now and then it comes again much later, when everything may be different.
void Transfers::arrived(const Transfer& transfer) {
  Node& receiver = *world_.find(transfer.receiver);
  const Term sender_term = world_.find(transfer.sender)->status().term;
  if (transfer.sender != receiver.status().leader) {
    world_.coverage.hit(Mark::kSentByFollower);
  }
  if (world_.prng.chance(1, 6)) {
    world_.timeline.after(static_cast<int64_t>(world_.prng.below(2'000'000)),
                          [this, again = transfer, sender_term] {
                            Node& late = *world_.find(again.receiver);
                            if (late.running() && late.incarnation() == again.incarnation) {
                              late.receive(again.copy, sender_term, [](LogIndex, bool) {});
                            }
                          });
  }
  receiver.receive(
      transfer.copy, sender_term,
      [this, number = transfer.number, id = transfer.receiver](LogIndex installed, bool ok) {
        auto it = running_.find(id);
        if (it != running_.end() && it->second.number == number) {
          end(id, installed, ok);
        }
      });
  // A receiver that dies now says nothing: its sender finds out.
  world_.timeline.after(2'000'000, [this, number = transfer.number, id = transfer.receiver] {
    auto it = running_.find(id);
    if (it != running_.end() && it->second.number == number) {
      end(id, LogIndex{}, false);
    }
  });
}

// Everybody who holds its log back for this hears of it, if it hears anything.
void Transfers::end(NodeId receiver, LogIndex installed, bool ok) {
  running_.erase(receiver);
  world_.trace("transferred", receiver, installed.value, ok ? 1 : 0);
  for (auto& node : world_.nodes) {
    if (node->running()) {
      node->transfer_ended(receiver, installed, ok);
    }
  }
  Node& node = *world_.find(receiver);
  if (node.running()) {
    node.update_service();
  }
}

}  // namespace kiwi::sim
