#include "actors/replica/replica_host.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

class ReplicaHost::Remote final : public PeerLinks::Wire {
 public:
  Remote(ReplicaHost& host, PeerPort port) : host_(host), port_(std::move(port)) {
    host_.monitor(port_);
  }
  void send(Frame frame) override {
    CHECK_INVARIANT(frame.group.value <= UINT32_MAX);
    host_.send(port_, PeerFrame{static_cast<uint8_t>(frame.kind),
                                static_cast<uint32_t>(frame.group.value), std::move(frame.bytes)});
  }

 private:
  ReplicaHost& host_;
  PeerPort port_;  // keeps the proxy, and so the link's Speaker, alive
};

ReplicaHost::ReplicaHost(caf::actor_config& cfg, const Hosting& hosting, ReplicaHostOptions options)
    : Hosted(cfg, hosting, "ReplicaHost", Vital::kYes),
      clocks_(std::move(options.clocks)),
      metrics_(*options.groups.at(0).metrics) {
  for (RaftReplicaOptions& group : options.groups) {
    const GroupId id = group.core.group;
    CHECK_INVARIANT(id && id.value <= UINT32_MAX);
    const bool added = groups_.try_emplace(id, RaftReplica(std::move(group), links_), false).second;
    CHECK_INVARIANT(added);
  }
  set_down_handler([this](caf::down_msg& down) { lost(down); });
}

ReplicaHost::behavior_type ReplicaHost::make_behavior() {
  return {
      [this](PeerFrame& frame) { receive(frame); },
      [this](RaftOrders& orders) { turn(orders.group).obey(orders); },
      [this](Applied& applied) { turn(applied.group).take(applied); },
      [this](const LogPersisted& persisted) {
        turn(persisted.group).log_persisted(persisted.token);
      },
      [this](LogReadDone& read) {
        turn(read.group).core().log_read(read.request, std::move(read.entries), read.prev_term);
      },
      [this](LinkRegistered& registered) {
        listeners_[registered.peer] = std::move(registered.link);
      },
      [this](LinkExpected& expected) {
        links_.expect(expected.peer, expected.incarnation, std::move(expected.token));
      },
      [this](LinkDialled& dialled) { greet(dialled); },
      [this](const LinkRefused& refused) {
        links_.refuse(refused.peer);
        links_changed();
      },
      [this](ChangeMembership& change) {
        turn(change.group).core().change_membership(change.id, std::move(change.change));
      },
      [this](const TransferLeadership& transfer) {
        turn(transfer.group).core().transfer_leadership(transfer.id, transfer.target);
      },
      [this](MemberReturned& returned) {
        turn(returned.group).core().member_returned(std::move(returned.member));
      },
      [this](PeerNote& note) { links_.send_note(note.group, note.peer, std::move(note.bytes)); },
      [this](SendFanout& fanout) {
        for (SendFanout::Message& message : fanout.messages) {
          metrics_.pubsub_dropped.add(
              links_.send_fanout(kFirstGroup, message.peer, std::move(message.bytes)));
        }
      },
      [this](const CompactLog& cut) {
        turn(cut.group).core().compact(cut.flushed, cut.term, cut.keep_entries,
                                       cut.keep_for_laggards_entries);
      },
      [this](SnapshotWorkerStarted& started) { turn(started.group).take(started); },
      [this](SnapshotFrame& frame) {
        links_.send_snapshot(frame.group, frame.peer, std::move(frame.bytes));
      },
      [this](const SnapshotPin& pin) { turn(pin.group).take(pin); },
      [this](const SnapshotEnded& ended) {
        turn(ended.group).core().snapshot_done(ended.follower, ended.installed, ended.ok);
      },
      [this](SnapshotArrived& arrived) { turn(arrived.group).take(arrived); },
      [this](const StateSwapped& swapped) { turn(swapped.group).take(swapped); },
      [this](timer_atom) { tick(); },
      [this](turn_atom) { end_turn(); },
      [this](stop_atom) { end(); },
  };
}

void ReplicaHost::stopped() {
  groups_.clear();
  links_ = {};
  listeners_.clear();
}

// ---------------------------------------------------------------- turns

Now ReplicaHost::now() const { return {clocks_.wall_ms(), clocks_.monotonic_ms()}; }

RaftReplica& ReplicaHost::turn(GroupId group) {
  const auto found = groups_.find(group);
  CHECK_INVARIANT(found != groups_.end());
  return begin_turn(found->second);
}

RaftReplica& ReplicaHost::begin_turn(Group& group) {
  if (!group.in_turn) {
    group.in_turn = true;
    group.replica.begin_turn(now());
    if (!std::exchange(turn_open_, true)) {
      send(this, turn_atom_v);  // behind everything that is in the mailbox now
    }
  }
  CHECK_INVARIANT(turn_open_);  // or nobody would end it
  return group.replica;
}

void ReplicaHost::end_turn() {
  turn_open_ = false;
  const bool tick = std::exchange(tick_due_, false);
  const Now then = now();  // F66: the process may have been stopped in the middle of the turn
  for (auto& [id, group] : groups_) {
    if (group.in_turn) {
      group.replica.end_turn(then, tick);
    }
  }
  links_.flush();
  metrics_.peer_bytes_sent.set(links_.traffic().sent_bytes);
  metrics_.peer_bytes_received.set(links_.traffic().received_bytes);
  metrics_.peer_queued_bytes.set(links_.queued_bytes());
  for (auto& [id, group] : groups_) {
    if (std::exchange(group.in_turn, false)) {
      group.replica.ship();
    }
  }
}

// Time is counted at the end of the turn: whatever waits in the mailbox, a leader's heartbeat
// maybe, is heard before an election timeout can fire; several late ticks count once.
void ReplicaHost::tick() {
  for (auto& [id, group] : groups_) {
    begin_turn(group);
  }
  tick_due_ = true;
  links_.tick(clocks_.monotonic_ms());
  links_changed();
}

// ---------------------------------------------------------------- links

void ReplicaHost::receive(PeerFrame& frame) {
  const auto kind = static_cast<FrameKind>(frame.kind);
  if (kind == FrameKind::kHello) {
    receive_hello(frame.bytes);
  } else {
    deliver(links_.receive(current_sender().get(),
                           {kind, GroupId{frame.group}, std::move(frame.bytes)}));
  }
  links_changed();
}

void ReplicaHost::receive_hello(const LinkToken& token) {
  if (const caf::strong_actor_ptr& from = current_sender()) {
    links_.greeted(token, from.get(),
                   std::make_unique<Remote>(*this, caf::actor_cast<PeerPort>(from)));
  }
}

void ReplicaHost::deliver(PeerLinks::Arrived arrived) {
  if (arrived.what == PeerLinks::Arrived::What::kNothing) {
    return;
  }
  const auto found = groups_.find(arrived.group);
  if (found == groups_.end()) {
    return;  // a group that the peer has and this node has not yet: lost, as frames may be
  }
  RaftReplica& replica = begin_turn(found->second);
  if (arrived.what != PeerLinks::Arrived::What::kMessage) {
    replica.relay(arrived);
    return;
  }
  std::string why;
  if (!replica.receive(arrived, why)) {
    links_.drop(arrived.peer, why.c_str());
  }
}

void ReplicaHost::greet(LinkDialled& dialled) {
  const PeerLinks::Speaker speaker = caf::actor_cast<caf::strong_actor_ptr>(dialled.remote).get();
  links_.dialled(dialled.peer, dialled.incarnation, std::move(dialled.token), speaker,
                 std::make_unique<Remote>(*this, std::move(dialled.remote)));
  links_changed();
}

void ReplicaHost::lost(const caf::down_msg& down) {
  if (const auto ended = caf::actor_cast<caf::strong_actor_ptr>(down.source)) {
    links_.lost(ended.get());  // without a link there is nobody to tell
    links_changed();
  }
}

void ReplicaHost::links_changed() {
  for (PeerLinks::Change& change : links_.take_changes()) {
    if (change.up || change.was_up) {
      for (auto& [id, group] : groups_) {
        begin_turn(group).link_changed(change.peer, change.up);
      }
    }
    const auto listener = listeners_.find(change.peer);
    if (listener != listeners_.end()) {
      send(listener->second, LinkState{change.peer, std::move(change.token), change.up});
    }
  }
}

// ---------------------------------------------------------------- start

ReplicaHandle spawn_replica_host(caf::actor_system& system,
                                 const Hosting& hosting,
                                 ReplicaHostOptions options) {
  return spawn_hosted<ReplicaHost>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
