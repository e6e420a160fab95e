#include "actors/node/orders_shell.hpp"

#include <algorithm>
#include <utility>

#include "actors/client_loop.hpp"

namespace kiwi::actors {

void OrdersShell::fill(resp::Admin& admin) {
  admin.remove_node = [this](NodeId id, resp::AdminDone done) {
    order_by_hand(RemoveMember{id}, std::move(done));
  };
  admin.transfer_leadership = [this](NodeId target, resp::AdminDone done) {
    order_by_hand(HandOver{target}, std::move(done));
  };
  admin.timeout_now = [this](resp::AdminDone done) {
    order_by_hand(HandOver{node_.facts.self}, std::move(done));
  };
  admin.set_voting = [this](NodeId id, bool voting, const resp::AdminDone& done) {
    set_voting(id, voting, done);
  };
  admin.used_node_ids = [this] { return used_ids(); };
}

void OrdersShell::set_voting(NodeId id, bool voting, const resp::AdminDone& done) const {
  const raft::Configuration& now = node_.facts.committed;
  if (now.find(id) == nullptr) {
    done(refused("ERR node does not exist"));
  } else if (voting == now.is_voter(id)) {
    done({});
  } else {
    done(refused(voting ? "ERR it becomes a voter by itself as soon as it has caught up"
                        : "ERR a voter stays one; RAFT.NODE REMOVE takes it out"));
  }
}

std::vector<NodeId> OrdersShell::used_ids() const {
  std::vector<NodeId> ids = node_.facts.committed.removed_ids;
  for (const raft::Member& member : node_.facts.committed.members) {
    ids.push_back(member.id);
  }
  std::ranges::sort(ids);
  const auto twice = std::ranges::unique(ids);  // a node that was replaced
  ids.erase(twice.begin(), twice.end());
  return ids;
}

void OrdersShell::order(AdminOrder what, Done done) {
  done_[orders_.give(std::move(what), ClientLoop::monotonic_ms())] = std::move(done);
  carry_out(orders_.take_effects());
}

void OrdersShell::order_by_hand(AdminOrder what, resp::AdminDone done) {
  order(std::move(what),
        [this, done = std::move(done)](const AdminOrder& ordered, const OrderAnswer& answer) {
          done(admin_answer(ordered, answer));
        });
}

resp::AdminAnswer OrdersShell::admin_answer(const AdminOrder& ordered,
                                            const OrderAnswer& answer) const {
  resp::AdminAnswer said = refused(sentence(answer));
  said.cluster = node_.own.cluster;
  if (const raft::Member* newcomer = newcomer_of(ordered)) {
    said.node = newcomer->id;
  }
  return said;
}

void OrdersShell::timer() {
  orders_.drive(ClientLoop::monotonic_ms());
  carry_out(orders_.take_effects());
}

void OrdersShell::change_done(const raft::MembershipDone& done) {
  orders_.change_done(done, ClientLoop::monotonic_ms());
  carry_out(orders_.take_effects());
}

void OrdersShell::take(NodeId from, OrderNote note) {
  orders_.take(from, std::move(note), ClientLoop::monotonic_ms());
  carry_out(orders_.take_effects());
}

void OrdersShell::take(NodeId from, const OrderAnswerNote& note) {
  orders_.take(from, note, ClientLoop::monotonic_ms());
  carry_out(orders_.take_effects());
}

void OrdersShell::carry_out(OrderEffects effects) {
  node_.ask_replica(std::move(effects.requests));
  for (const OrderEffects::Answered& answered : effects.answered) {
    if (const auto waiting = done_.extract(answered.order)) {
      waiting.mapped()(answered.what, answered.answer);
    }
  }
}

}  // namespace kiwi::actors
