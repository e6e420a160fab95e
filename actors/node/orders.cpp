#include "actors/node/orders.hpp"

#include <algorithm>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kStepAgainMs = 100;
constexpr int64_t kForwardAgainMs = 1000;
constexpr int64_t kHandOverAgainMs = 2000;
constexpr int64_t kHandOverPatienceMs = 5000;
constexpr int64_t kReconfigurePatienceMs = 120'000;  // new nodes have to catch up

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

// ---------------------------------------------------------------- inputs

uint64_t Orders::give(AdminOrder what, int64_t now_ms) {
  if (!cluster_.core_runs) {
    const uint64_t id = new_id();
    OrderAnswer answer;
    answer.refusal = OrderRefusal::kNoCluster;
    effects_.answered.push_back({id, std::move(what), answer});
    return id;
  }
  const uint64_t id = add(std::move(what), now_ms).id;
  drive(now_ms);
  return id;
}

// Told again and again by a node that has no answer yet: one order is enough.
void Orders::take(NodeId from, OrderNote note, int64_t now_ms) {
  const std::pair key(from, note.id);
  if (!forwarded_.insert(key).second) {
    return;
  }
  add(std::move(note.order), now_ms).asked_by = key;
  drive(now_ms);
}

void Orders::take(NodeId from, const OrderAnswerNote& note, int64_t now_ms) {
  const auto asked = std::ranges::find(orders_, note.id, &Order::id);
  if (asked != orders_.end() && !note.answer.done()) {
    asked->refused = note.answer;
    if (!note.answer.may_come_yet()) {
      asked->fate.ended(from);
    }
  }
  drive(now_ms);
}

void Orders::change_done(const raft::MembershipDone& done, int64_t now_ms) {
  CHECK_INVARIANT(done.id.asker == raft::Asker::kOrder);
  const auto order = std::ranges::find(orders_, done.id.number, &Order::id);
  if (order != orders_.end()) {
    const raft::ChangeRefusal refusal = done.outcome.refusal;
    order->stepping = false;
    order->busy = is_busy(refusal);
    settle(*order, refusal);
    if (!done.outcome.done() && !passes(refusal) && !removes_self(*order)) {
      const bool late = refusal == raft::ChangeRefusal::kTransferTimedOut;
      order->refused.refusal = late ? OrderRefusal::kTransferTimedOut : OrderRefusal::kCore;
      order->refused.core = done.outcome;
    }
  }
  drive(now_ms);
}

void Orders::member_lives(const raft::MemberLives& lives) {
  for (Order& order : orders_) {
    const raft::Member* wanted = newcomer_of(order.what);
    if (wanted != nullptr && wanted->incarnation == lives.newcomer.incarnation) {
      order.refused.refusal = OrderRefusal::kMemberLives;
      order.refused.core.about = lives.member.id;
      order.refused.lives_at = lives.member.peer_address;
      order.refused.newcomer_at = lives.newcomer.peer_address;
    }
  }
}

void Orders::drive(int64_t now_ms) {
  for (size_t i = 0; i < orders_.size();) {
    const std::optional<OrderAnswer> answer = step(orders_[i], now_ms);
    if (!answer) {
      ++i;
      continue;
    }
    const Order finished = std::move(orders_[i]);
    orders_.erase(orders_.begin() + static_cast<ptrdiff_t>(i));
    finish(finished, *answer);
  }
}

// ---------------------------------------------------------------- one order

// Of no earlier start either: a leader that still drives an order of that one would take this one
// for it.
uint64_t Orders::new_id() {
  CHECK_INVARIANT(next_id_ < uint64_t{1} << 40);
  return (cluster_.boot_epoch << 40) + next_id_++;
}

Orders::Order& Orders::add(AdminOrder what, int64_t now_ms) {
  Order& order = orders_.emplace_back();
  order.id = new_id();
  order.first_leader = cluster_.raft.leader;
  order.deadline_ms = now_ms + (std::holds_alternative<HandOver>(what)      ? kHandOverPatienceMs
                                : std::holds_alternative<Reconfigure>(what) ? kReconfigurePatienceMs
                                                                            : response_timeout_ms_);
  order.what = std::move(what);
  return order;
}

// What to answer; nullopt: it goes on.
std::optional<OrderAnswer> Orders::step(Order& order, int64_t now_ms) {
  const NodeId leader = cluster_.raft.leader;
  if (!order.first_leader) {
    order.first_leader = leader;
  }
  if (is_done(order.what, cluster_.committed, cluster_.build.cluster_version) ||
      has_handed_over(order)) {
    return OrderAnswer{};
  }
  if (!order.refused.done()) {
    return order.fate.refused(order.refused);
  }
  if (now_ms >= order.deadline_ms) {
    return order.fate.too_late(!leader      ? OrderFate::Lacks::kLeader
                               : order.busy ? OrderFate::Lacks::kTurn
                                            : OrderFate::Lacks::kAnswer);
  }
  if (!leader || now_ms < order.again_ms) {
    return std::nullopt;
  }
  if (leader != cluster_.self) {
    forward(order, leader, now_ms);
    return std::nullopt;
  }
  if (!cluster_.raft.ready) {
    return std::nullopt;
  }
  if (const auto refusal =
          order_refusal(order.what, cluster_.committed, cluster_.build.cluster_version);
      refusal != OrderRefusal::kNone) {
    OrderAnswer answer;
    answer.refusal = refusal;
    return order.fate.refused(answer);
  }
  lead(order, now_ms);
  return std::nullopt;
}

bool Orders::has_handed_over(const Order& order) const {
  const auto* hand_over = std::get_if<HandOver>(&order.what);
  const NodeId leader = cluster_.raft.leader;
  if (hand_over == nullptr || !leader) {
    return false;
  }
  return hand_over->target ? leader == hand_over->target
                           : order.first_leader && leader != order.first_leader;
}

void Orders::forward(Order& order, NodeId leader, int64_t now_ms) {
  CHECK_INVARIANT(leader && leader != cluster_.self);
  order.again_ms = now_ms + kForwardAgainMs;
  order.fate.begun(leader);
  effects_.requests.emplace_back(PeerNote{leader, encode_note(OrderNote{order.id, order.what})});
}

// This node leads: the order's next step, unless one is under way.
void Orders::lead(Order& order, int64_t now_ms) {
  CHECK_INVARIANT(cluster_.raft.leader == cluster_.self);
  if (order.stepping) {
    return;
  }
  order.again_ms = now_ms + kStepAgainMs;
  const raft::ChangeId id{raft::Asker::kOrder, order.id};
  const auto* hand_over = std::get_if<HandOver>(&order.what);
  if (hand_over != nullptr || hands_over_first(order)) {
    order.again_ms = now_ms + kHandOverAgainMs;
    order.stepping = true;
    if (hand_over != nullptr) {
      order.fate.begun(cluster_.self);
    }
    effects_.requests.emplace_back(
        TransferLeadership{id, hand_over == nullptr ? NodeId{} : hand_over->target});
    return;
  }
  if (replaces(order)) {  // by the leader itself (F1); nobody says what becomes of it
    order.fate.begun(cluster_.self);
    effects_.requests.emplace_back(MemberReturned{*newcomer_of(order.what)});
    return;
  }
  raft::MembershipChange change;
  if (plan(order.what, change)) {
    order.stepping = true;
    order.fate.begun(cluster_.self);
    effects_.requests.emplace_back(ChangeMembership{id, std::move(change)});
  }
}

bool Orders::removes_self(const Order& order) const {
  const auto* remove = std::get_if<RemoveMember>(&order.what);
  return remove != nullptr && remove->id == cluster_.self;
}

// A leader that is to go hands leadership over first.
bool Orders::hands_over_first(const Order& order) const {
  return removes_self(order) && cluster_.committed.voters.size() > 1;
}

// A new life of a member: one that was wiped, or that began again elsewhere.
bool Orders::replaces(const Order& order) const {
  const raft::Member* newcomer = newcomer_of(order.what);
  return newcomer != nullptr && cluster_.committed.find(newcomer->id) != nullptr &&
         !cluster_.committed.has(newcomer->id, newcomer->incarnation);
}

// False: nothing can be done now.
bool Orders::plan(const AdminOrder& what, raft::MembershipChange& change) const {
  return std::visit(Overloaded{[&](const AddMember& add) {
                                 change.add_learners = {add.member};
                                 change.promote = {add.member.id};
                                 return true;
                               },
                               [&](const RemoveMember& remove) {
                                 change.remove = {remove.id};
                                 return true;
                               },
                               [&](const MoveMember& move) {  // it stays what it is
                                 change.add_learners = {move.member};
                                 return true;
                               },
                               [&](const Reconfigure& wanted) { return plan(wanted, change); },
                               [](const HandOver&) { return false; }},
                    what);
}

// First all new members come in as learners; when they have caught up, all voters change at once,
// through a joint configuration.
bool Orders::plan(const Reconfigure& wanted, raft::MembershipChange& change) const {
  const raft::Configuration& now = cluster_.committed;
  for (const raft::Member& member : wanted.members) {
    if (!now.has(member.id, member.incarnation)) {
      change.add_learners.push_back(member);
    }
  }
  if (!change.add_learners.empty()) {
    return true;
  }
  for (const raft::Member& member : wanted.members) {
    if (now.is_voter(member.id)) {
      continue;
    }
    const auto& peers = cluster_.raft.peers;
    const auto peer = std::ranges::find_if(
        peers, [&](const raft::PeerStatus& status) { return status.member.id == member.id; });
    if (peer == peers.end() || peer->state != raft::PeerState::kReplicate ||
        peer->match < cluster_.raft.commit) {
      return false;
    }
    change.promote.push_back(member.id);
  }
  for (const raft::Member& member : now.members) {
    if (std::ranges::none_of(wanted.members,
                             [&](const raft::Member& kept) { return kept.id == member.id; })) {
      change.remove.push_back(member.id);
    }
  }
  return true;
}

// This node's core is through with a step of it. To hand over on the way to something else changes
// nothing that was asked for.
void Orders::settle(Order& order, raft::ChangeRefusal refusal) const {
  const bool done = refusal == raft::ChangeRefusal::kNone;
  if (removes_self(order) || (!done && !has_begun(refusal))) {
    order.fate.ended(cluster_.self);
  } else if (done) {
    order.fate.in_part(cluster_.self);
  }
}

void Orders::finish(const Order& order, const OrderAnswer& answer) {
  if (!order.asked_by) {
    effects_.answered.push_back({order.id, order.what, answer});
    return;
  }
  const bool was_driven = forwarded_.erase(*order.asked_by) == 1;
  CHECK_INVARIANT(was_driven);
  if (!answer.done()) {
    const auto [node, number] = *order.asked_by;
    effects_.requests.emplace_back(PeerNote{node, encode_note(OrderAnswerNote{number, answer})});
  }
}

}  // namespace kiwi::actors
