// Node: what operators ask for. An order is driven until the committed configuration says that it
// is so: by this node while it leads, by the leader it is forwarded to otherwise; leaders may
// change and words between nodes may be lost meanwhile. What cannot be is answered at once.
#include <algorithm>
#include <string_view>
#include <utility>

#include "actors/node/node_state.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kForwardAgainMs = 1000;
constexpr int64_t kHandOverAgainMs = 2000;
constexpr int64_t kHandOverPatienceMs = 5000;
constexpr int64_t kReconfigurePatienceMs = 120'000;
constexpr uint64_t kStopId = 1;  // of the hand-over that node_stop.cpp asks for

bool says(const std::string& error, std::string_view words) {
  return error.find(words) != std::string::npos;
}

// The core's word for what passes by itself: try again.
bool passes(const std::string& error) {
  return says(error, "under way") || says(error, "not committed an entry") ||
         says(error, "not the leader") || says(error, "leadership was lost") ||
         says(error, "nothing would change");
}

// The core's word for what it began and does not know the end of.
bool has_begun(const std::string& error) {
  return says(error, "leadership was lost") || says(error, "in time");
}

}  // namespace

void Node::State::set_up_admin() {
  resp::Admin& admin = context.admin;
  admin.compact = [this](resp::AdminDone done) { cut_now(Cut::kAll, std::move(done)); };
  admin.save = [this](resp::AdminDone done) { cut_now(Cut::kUsual, std::move(done)); };
  admin.backup = [this](std::string directory, resp::AdminDone done) {
    back_up(std::move(directory), std::move(done));
  };
  admin.add_node = [this](resp::NodeAddress address, resp::AdminDone done) {
    add_node(std::move(address), std::move(done));
  };
  admin.remove_node = [this](NodeId id, resp::AdminDone done) {
    order(RemoveMember{id}, std::move(done));
  };
  admin.reconfigure = [this](std::vector<resp::NodeAddress> nodes, resp::AdminDone done) {
    reconfigure(std::move(nodes), std::move(done));
  };
  admin.transfer_leadership = [this](NodeId target, resp::AdminDone done) {
    order(HandOver{target}, std::move(done));
  };
  admin.timeout_now = [this](resp::AdminDone done) {
    order(HandOver{options.node_id()}, std::move(done));
  };
  admin.set_voting = [this](NodeId id, bool voting, const resp::AdminDone& done) {
    const raft::Member* member = committed.find(id);
    if (member == nullptr) {
      done({.error = "ERR node does not exist", .node = {}, .cluster = {}, .detail = {}});
    } else if (voting == committed.is_voter(id)) {
      done({});
    } else {
      done({.error = voting ? "ERR it becomes a voter by itself as soon as it has caught up"
                            : "ERR a voter stays one; RAFT.NODE REMOVE takes it out",
            .node = {},
            .cluster = {},
            .detail = {}});
    }
  };
  admin.join = [this](std::vector<std::string> addresses, resp::AdminDone done) {
    join_by_hand(addresses, std::move(done));
  };
  admin.used_node_ids = [this] {
    std::vector<NodeId> ids = committed.removed_ids;
    for (const raft::Member& member : committed.members) {
      ids.push_back(member.id);
    }
    std::ranges::sort(ids);
    const auto twice = std::ranges::unique(ids);  // a node that was replaced
    ids.erase(twice.begin(), twice.end());
    return ids;
  };
  admin.shutdown = [this] { client_loop->post([this] { stop("SHUTDOWN"); }); };
  admin.shutdown_now = [this] { client_loop->post([this] { finish(); }); };
}

// ---------------------------------------------------------------- orders

void Node::State::order(AdminOrder what, resp::AdminDone done) {
  if (!replica_actor) {
    done({.error = "NOCLUSTER No Raft Cluster", .node = {}, .cluster = {}, .detail = {}});
    return;
  }
  Order one;
  one.id = next_order++;
  one.what = std::move(what);
  one.done = std::move(done);
  one.begun_ms = ClientLoop::monotonic_ms();
  one.first_leader = raft_status.leader;
  const bool hands_over = std::holds_alternative<HandOver>(one.what);
  one.deadline_ms =
      one.begun_ms + (hands_over ? kHandOverPatienceMs : options.raft_response_timeout);
  if (std::holds_alternative<Reconfigure>(one.what)) {
    one.deadline_ms = one.begun_ms + kReconfigurePatienceMs;  // new nodes have to catch up
  }
  orders.push_back(std::move(one));
  drive_orders();
}

void Node::State::drive_orders() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  for (size_t i = 0; i < orders.size();) {
    const std::optional<std::string> answer = drive(orders[i], now_ms);
    if (!answer) {
      ++i;
      continue;
    }
    const Order finished = std::move(orders[i]);
    orders.erase(orders.begin() + static_cast<ptrdiff_t>(i));
    resp::AdminAnswer said;
    said.error = *answer;
    said.cluster = storage->identity().cluster;
    if (const auto* add = std::get_if<AddMember>(&finished.what)) {
      said.node = add->member.id;
    } else if (const auto* move = std::get_if<MoveMember>(&finished.what)) {
      said.node = move->member.id;
    }
    finished.done(said);
  }
}

// What to answer; nullopt: it goes on.
std::optional<std::string> Node::State::drive(Order& order, int64_t now_ms) {
  const NodeId self = options.node_id();
  const NodeId leader = raft_status.leader;
  if (is_done(order.what, committed)) {
    return std::string();
  }
  if (!order.first_leader) {
    order.first_leader = leader;
  }
  if (const auto* hand_over = std::get_if<HandOver>(&order.what)) {
    if (leader && (hand_over->target ? leader == hand_over->target
                                     : order.first_leader && leader != order.first_leader)) {
      return std::string();
    }
  }
  if (!order.error.empty()) {
    return order.fate.refused(order.error);
  }
  if (now_ms >= order.deadline_ms) {
    return order.fate.too_late(!leader      ? OrderFate::Lacks::kLeader
                               : order.busy ? OrderFate::Lacks::kTurn
                                            : OrderFate::Lacks::kAnswer);
  }
  if (!leader || now_ms < order.again_ms) {
    return std::nullopt;
  }
  if (leader != self) {
    order.again_ms = now_ms + kForwardAgainMs;
    order.fate.begun(leader);
    caf::anon_send(replica_actor,
                   PeerNote{leader, encode_word({false, order.id, encode_order(order.what)})});
    return std::nullopt;
  }
  if (!raft_status.ready) {
    return std::nullopt;
  }
  if (std::string error = order_error(order.what, committed); !error.empty()) {
    return order.fate.refused(error);
  }
  lead(order, now_ms);
  return std::nullopt;
}

// This node leads: the order's next step, unless one is under way.
void Node::State::lead(Order& order, int64_t now_ms) {
  if (order.stepping) {
    return;
  }
  order.again_ms = now_ms + 100;
  const NodeId self = options.node_id();
  raft::MembershipChange change;
  if (const auto* hand_over = std::get_if<HandOver>(&order.what)) {
    order.again_ms = now_ms + kHandOverAgainMs;
    order.stepping = true;
    order.fate.begun(self);
    caf::anon_send(replica_actor, TransferLeadership{order.id, hand_over->target});
    return;
  }
  if (const auto* remove = std::get_if<RemoveMember>(&order.what)) {
    if (remove->id == self && committed.voters.size() > 1) {  // hands over first
      order.again_ms = now_ms + kHandOverAgainMs;
      order.stepping = true;
      caf::anon_send(replica_actor, TransferLeadership{order.id, NodeId{0}});
      return;
    }
    change.remove.push_back(remove->id);
  } else if (const auto* add = std::get_if<AddMember>(&order.what)) {
    if (committed.find(add->member.id) != nullptr) {  // wiped: the leader replaces it (F1)
      order.fate.begun(self);                         // nobody says what becomes of it
      caf::anon_send(replica_actor, MemberReturned{add->member});
      return;
    }
    change.add_learners.push_back(add->member);
    change.promote.push_back(add->member.id);
  } else if (const auto* move = std::get_if<MoveMember>(&order.what)) {
    if (!committed.has(move->member.id, move->member.incarnation)) {  // a new life of it, elsewhere
      caf::anon_send(replica_actor, MemberReturned{move->member});
      return;
    }
    change.add_learners.push_back(move->member);  // it stays what it is
  } else if (!plan(std::get<Reconfigure>(order.what), change)) {
    return;  // new members catch up
  }
  order.stepping = true;
  order.fate.begun(self);
  caf::anon_send(replica_actor, ChangeMembership{order.id, std::move(change)});
}

// First all new members come in as learners; when they have caught up, all voters change at once,
// through a joint configuration. False: nothing can be done now.
bool Node::State::plan(const Reconfigure& wanted, raft::MembershipChange& change) const {
  for (const raft::Member& member : wanted.members) {
    if (!committed.has(member.id, member.incarnation)) {
      change.add_learners.push_back(member);
    }
  }
  if (!change.add_learners.empty()) {
    return true;
  }
  for (const raft::Member& member : wanted.members) {
    if (committed.is_voter(member.id)) {
      continue;
    }
    const auto peer = std::ranges::find_if(raft_status.peers, [&](const raft::PeerStatus& status) {
      return status.member.id == member.id;
    });
    if (peer == raft_status.peers.end() || peer->state != std::string_view("replicate") ||
        peer->match < raft_status.commit) {
      return false;
    }
    change.promote.push_back(member.id);
  }
  for (const raft::Member& member : committed.members) {
    if (std::ranges::none_of(wanted.members,
                             [&](const raft::Member& kept) { return kept.id == member.id; })) {
      change.remove.push_back(member.id);
    }
  }
  return true;
}

void Node::State::membership_done(const raft::MembershipDone& done) {
  if (done.id == kStopId) {
    if (stopping == Stopping::kHandingOver) {
      log_notice(done.error.empty() ? "leadership was handed over"
                                    : "leadership was not handed over: " + done.error);
      stop_step();
    }
    return;
  }
  for (Order& order : orders) {
    if (order.id != done.id) {
      continue;
    }
    order.stepping = false;
    order.busy = says(done.error, "under way");
    settle(order, done.error);
    if (!done.error.empty() && !passes(done.error) &&
        !std::holds_alternative<RemoveMember>(order.what)) {
      order.error = std::holds_alternative<HandOver>(order.what) && says(done.error, "in time")
                        ? "TIMEOUT transfer timed out"
                        : "ERR " + done.error;
    }
  }
  drive_orders();
}

// This node's core is through with a step of it. To hand over on the way to something else changes
// nothing that was asked for.
void Node::State::settle(Order& order, const std::string& error) const {
  const bool hands_over_first = std::holds_alternative<RemoveMember>(order.what) &&
                                std::get<RemoveMember>(order.what).id == options.node_id();
  if (hands_over_first || (!error.empty() && !has_begun(error))) {
    order.fate.ended(options.node_id());
  } else if (error.empty()) {
    order.fate.in_part(options.node_id());
  }
}

void Node::State::configuration_committed(const raft::Configuration& now) {
  committed = now;
  known_marks.keep_members_of(configuration);
  advise_join_option();
  drive_orders();
}

// ---------------------------------------------------------------- words between nodes

void Node::State::take_note(const PeerNote& note) {
  Result<AdminWord> word = decode_word(note.bytes);
  if (!word) {
    return;
  }
  if (word->id == kPressureWord) {
    take_pressure(note.peer, word->bytes);
    return;
  }
  if (word->id == kDiskWord) {
    take_disk(note.peer, word->bytes);
    return;
  }
  if (word->answer && word->id == kMarksWord) {
    take_marks(note.peer, word->bytes);
    return;
  }
  if (word->answer) {
    const auto asked = std::ranges::find(orders, word->id, &Order::id);
    if (asked != orders.end() && !word->bytes.empty()) {
      asked->error = word->bytes;
      if (!asked->error.starts_with("TIMEOUT")) {
        asked->fate.ended(note.peer);
      }
    }
    drive_orders();
    return;
  }
  // Told again and again by a node that has no answer yet: one order is enough.
  const auto key = std::make_pair(note.peer, word->id);
  Result<AdminOrder> what = decode_order(word->bytes);
  if (!what || !forwarded.insert(key).second) {
    return;
  }
  order(std::move(*what), [this, key](const resp::AdminAnswer& answer) {
    forwarded.erase(key);
    if (!answer.error.empty() && replica_actor) {
      caf::anon_send(replica_actor,
                     PeerNote{key.first, encode_word({true, key.second, answer.error})});
    }
  });
}

}  // namespace kiwi::actors
