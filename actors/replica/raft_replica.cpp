#include "actors/replica/raft_replica.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "config/base/check.hpp"
#include "config/base/checksum.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

namespace {

constexpr uint32_t kClockHeartbeats = 10;
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

// Changes when anything changes that INFO shows, except what moves with every heartbeat.
uint64_t digest(const raft::Status& status) {
  std::string bytes;
  for (const uint64_t value :
       {status.term.value, status.voted_for.value, status.leader.value,
        static_cast<uint64_t>(status.role), status.first_index.value, status.last_index.value,
        status.commit.value, status.persisted.value, status.applied.value,
        static_cast<uint64_t>(status.ready), status.snapshot_index.value,
        static_cast<uint64_t>(status.installing)}) {
    put_le(bytes, value);
  }
  for (const raft::PeerStatus& peer : status.peers) {
    put_le(bytes, peer.member.id.value);
    put_le(bytes, peer.match.value);
    put_le(bytes, peer.applied.value);
    put_u8(bytes, static_cast<uint8_t>((peer.voter ? 1 : 0) | (peer.up ? 2 : 0)));
    bytes.append(peer.state).append(peer.catch_up);
  }
  return checksum64(bytes);
}

}  // namespace

RaftReplica::RaftReplica(caf::actor_config& cfg, const Hosting& hosting, RaftReplicaOptions options)
    : Hosted(cfg, hosting, "RaftReplica", Vital::kYes),
      options_(std::move(options)),
      core_(options_.core, std::move(options_.start)) {
  CHECK_INVARIANT(options_.metrics != nullptr);
  set_down_handler([this](caf::down_msg& down) {
    for (const auto& [peer, link] : links_) {
      if (link.remote && link.remote.address() == down.source) {
        begin_turn();
        drop_link(peer, "connection lost");
        return;
      }
    }
  });
}

RaftReplica::behavior_type RaftReplica::make_behavior() {
  return {
      [this](PeerFrame& frame) { receive(frame); },
      [this](RaftOrders& orders) { obey(orders); },
      [this](Applied& applied) {
        begin_turn();
        core_.applied(applied.index, std::move(applied.sessions));
      },
      [this](const LogPersisted& persisted) {
        begin_turn();
        core_.log_persisted(persisted.token);
      },
      [this](LogReadDone& read) {
        begin_turn();
        core_.log_read(read.request, std::move(read.entries), read.prev_term);
      },
      [this](LinkRegistered& registered) {
        listeners_[registered.peer] = std::move(registered.link);
      },
      [this](LinkExpected& expected) {
        std::erase_if(expected_, [&](const auto& e) { return e.second.peer == expected.peer; });
        expected_[expected.token] = {expected.peer, expected.incarnation};
      },
      [this](LinkDialled& dialled) { greet(dialled); },
      [this](ChangeMembership& change) {
        begin_turn();
        core_.change_membership(change.id, std::move(change.change));
      },
      [this](const TransferLeadership& transfer) {
        begin_turn();
        core_.transfer_leadership(transfer.id, transfer.target);
      },
      [this](MemberReturned& returned) {
        begin_turn();
        core_.member_returned(std::move(returned.member));
      },
      [this](PeerNote& note) {
        if (Link* link = up_link(note.peer)) {
          link->sender.queue_note(std::move(note.bytes));
          flush(*link);
        }
      },
      [this](const CompactLog& cut) {
        begin_turn();
        core_.compact(cut.flushed, cut.term, cut.keep_entries, cut.keep_for_laggards_entries);
      },
      [this](SnapshotWorkerStarted& started) { take(started); },
      [this](SnapshotFrame& frame) { ship(frame); },
      [this](const SnapshotPin& pin) { take(pin); },
      [this](const SnapshotEnded& ended) {
        begin_turn();
        core_.snapshot_done(ended.follower, ended.installed, ended.ok);
      },
      [this](SnapshotArrived& arrived) { judge(arrived); },
      [this](const StateSwapped& swapped) { take(swapped); },
      [this](timer_atom) {
        // Counted at the end of the turn: whatever waits in the mailbox, a leader's heartbeat
        // maybe, is heard before an election timeout can fire; several late ticks count once.
        begin_turn();
        tick_due_ = true;
        drop_stuck_links();
      },
      [this](turn_atom) { end_turn(); },
      [this](stop_atom) { end(); },
  };
}

void RaftReplica::obey(RaftOrders& orders) {
  begin_turn();
  if (orders.disk_full) {
    core_.set_disk_full(*orders.disk_full);
  }
  if (orders.wants_commit) {
    core_.set_wants_commit(*orders.wants_commit);
  }
  for (raft::Proposal& proposal : orders.propose) {
    core_.propose(std::move(proposal));
  }
  for (const resp::ReadIndexAsk& ask : orders.read_index) {
    core_.read_index(ask.id, ask.with_tick);
  }
}

void RaftReplica::greet(LinkDialled& dialled) {
  Link link;
  link.incarnation = dialled.incarnation;
  link.remote = dialled.remote;
  open_link(dialled.peer, std::move(link), dialled.token);
  send(dialled.remote, PeerFrame{static_cast<uint8_t>(FrameKind::kHello), dialled.token});
}

void RaftReplica::stopped() {
  links_.clear();
  peers_by_sender_.clear();
  listeners_.clear();
  options_.router = nullptr;
  options_.state_machine = nullptr;
  options_.log_store = nullptr;
  snapshots_ = nullptr;
}

void RaftReplica::begin_turn() {
  if (!turn_open_) {
    turn_open_ = true;
    core_.set_time(options_.clocks.wall_ms(), options_.clocks.monotonic_ms());
    send(this, turn_atom_v);  // behind everything that is in the mailbox now
  }
}

void RaftReplica::end_turn() {
  turn_open_ = false;
  // F66: the process may have been stopped in the middle of the turn.
  core_.set_time(options_.clocks.wall_ms(), options_.clocks.monotonic_ms());
  if (tick_due_) {
    core_.tick();
  }
  raft::Effects effects = core_.take_effects();
  const bool apply_now = tick_due_ || core_.awaits_applies() || install_ ||
                         !effects.events.empty() || !effects.reads.empty();
  status_due_ = status_due_ || tick_due_ || !effects.events.empty();
  tick_due_ = false;
  ship_messages(std::move(effects.send));
  effects.send.clear();
  effects.apply = apply_hold_.pass(std::move(effects.apply), apply_now);
  ship_local(std::move(effects));
}

void RaftReplica::ship_messages(std::vector<raft::Outgoing> messages) {
  for (raft::Outgoing& outgoing : messages) {
    const auto found = links_.find(outgoing.to);
    if (found == links_.end() || !found->second.up) {
      continue;
    }
    LinkSender& queue = found->second.sender;
    if (queue.has_room(payload_bytes(outgoing.message))) {
      queue.queue(raft::encode_message(outgoing.message), is_urgent(outgoing.message));
      options_.metrics->messages_sent.add();
    }
  }
  for (auto& [peer, link] : links_) {
    if (link.up) {
      flush(link);
    }
  }
}

void RaftReplica::ship_local(raft::Effects effects) {
  if (effects.persist) {
    send(options_.log_store, std::move(*effects.persist));
  }
  if (effects.cut) {
    send(options_.log_store, std::move(*effects.cut));
  }
  if (install_) {
    send(options_.log_store, std::move(*install_));
    install_.reset();
  }
  if (snapshots_) {
    for (const raft::SnapshotWanted& wanted : effects.snapshots) {
      send(snapshots_, wanted);
    }
  }
  for (raft::LogRead& read : effects.log_reads) {
    send(options_.log_store, std::move(read));
  }
  if (!effects.apply.empty()) {
    send(options_.state_machine, ApplyEntries{std::move(effects.apply)});
  }
  for (const raft::Event& event : effects.events) {
    const auto* leader = std::get_if<raft::LeaderChanged>(&event);
    if (leader != nullptr && leader->role == raft::Role::kCandidate) {
      options_.metrics->elections_started.add();
    }
  }
  RaftReport report;
  report.reads = std::move(effects.reads);
  report.refused = std::move(effects.refused);
  report.events = std::move(effects.events);
  report.links_up = std::move(links_up_);
  links_up_.clear();
  report.notes = std::exchange(notes_, {});
  publish_status(report);
  if (report.status) {
    RaftReport copy;
    copy.status = report.status;
    send(options_.state_machine, std::move(copy));
  }
  if (report.status || !report.reads.empty() || !report.refused.empty() || !report.events.empty() ||
      !report.links_up.empty() || !report.notes.empty()) {
    send(options_.router, std::move(report));
  }
}

void RaftReplica::publish_status(RaftReport& report) {
  if (!status_due_) {
    return;
  }
  status_due_ = false;
  raft::Status status = core_.status();
  tell_snapshots(status);
  for (const std::string& warning : clock_watch_.look(status, options_.clocks.monotonic_ms())) {
    log_warning(warning);
  }
  const uint64_t now = digest(status);
  // The leader's clock decides what expires (F8), so it is told now and then also when idle.
  const bool clock_due = status.role == raft::Role::kLeader &&
                         ++ticks_since_status_ >= kClockHeartbeats * options_.core.heartbeat_ticks;
  if (now != last_status_ || !report.events.empty() || clock_due) {
    last_status_ = now;
    ticks_since_status_ = 0;
    report.status = std::move(status);
  }
}

// ---------------------------------------------------------------- links

NodeId RaftReplica::peer_of(const caf::strong_actor_ptr& from) const {
  const auto found = peers_by_sender_.find(from.get());
  return found == peers_by_sender_.end() ? NodeId{} : found->second;
}

void RaftReplica::receive(PeerFrame& frame) {
  const auto kind = static_cast<FrameKind>(frame.kind);
  if (kind == FrameKind::kHello) {
    receive_hello(frame.bytes);
    return;
  }
  const NodeId peer = peer_of(current_sender());
  const auto found = links_.find(peer);
  if (!peer || found == links_.end()) {
    return;
  }
  Link& link = found->second;
  switch (kind) {
    case FrameKind::kHelloAck:
      receive_hello_ack(peer, frame.bytes);
      return;
    case FrameKind::kAck:
      if (const auto received = decode_ack(frame.bytes)) {
        link.sender.acked(*received);
        flush(link);
      }
      return;
    case FrameKind::kWhole:
    case FrameKind::kFirstPart:
    case FrameKind::kPart:
    case FrameKind::kSnapshot:
    case FrameKind::kNote: {
      LinkReceiver::Outcome outcome = link.receiver.receive(kind, std::move(frame.bytes));
      if (outcome.broken) {
        begin_turn();
        drop_link(peer, "it sent a frame that breaks the protocol");
        return;
      }
      if (outcome.ack) {
        send(link.remote,
             PeerFrame{static_cast<uint8_t>(FrameKind::kAck), encode_ack(*outcome.ack)});
      }
      if (!outcome.message) {
        return;
      }
      if (kind == FrameKind::kSnapshot) {
        receive_snapshot(peer, std::move(*outcome.message));
      } else if (kind == FrameKind::kNote) {
        begin_turn();
        notes_.push_back({peer, std::move(*outcome.message)});
      } else {
        receive_message(peer, link, std::move(*outcome.message));
      }
      return;
    }
    default:
      begin_turn();
      drop_link(peer, "it sent a frame of an unknown kind");
  }
}

void RaftReplica::receive_message(NodeId peer, Link& link, std::string bytes) {
  begin_turn();
  Result<raft::Message> message = raft::decode_message(SharedBytes(std::move(bytes)));
  if (!message || message->from != peer || message->to != options_.core.id) {
    drop_link(peer, message ? "it sent a message of another node" : message.error().text.c_str());
    return;
  }
  options_.metrics->messages_received.add();
  if (const auto* append = std::get_if<raft::AppendEntries>(&message->body)) {
    options_.metrics->appendreq_received.add();
    if (!append->entries.empty()) {
      options_.metrics->appendreq_with_entry_received.add();
    }
  }
  message->from_incarnation = link.incarnation;
  core_.step(std::move(*message));
}

void RaftReplica::receive_hello(const LinkToken& token) {
  const auto expected = expected_.find(token);
  const caf::strong_actor_ptr& from = current_sender();
  if (expected == expected_.end() || from == nullptr) {
    return;  // not the peer whose socket was handed over
  }
  const Expected peer = expected->second;
  expected_.erase(expected);
  Link link;
  link.incarnation = peer.incarnation;
  link.remote = caf::actor_cast<PeerPort>(from);
  send(link.remote, PeerFrame{static_cast<uint8_t>(FrameKind::kHelloAck), token});
  open_link(peer.peer, std::move(link), token);
  begin_turn();
  link_is_up(peer.peer, links_.at(peer.peer));
}

void RaftReplica::receive_hello_ack(NodeId peer, const LinkToken& token) {
  Link& link = links_.at(peer);
  if (link.token == token && !link.up) {
    begin_turn();
    link_is_up(peer, link);
  }
}

void RaftReplica::open_link(NodeId peer, Link link, const LinkToken& token) {
  begin_turn();
  drop_link(peer, "replaced by a new connection");
  link.token = token;
  monitor(link.remote);
  peers_by_sender_[caf::actor_cast<caf::strong_actor_ptr>(link.remote).get()] = peer;
  links_[peer] = std::move(link);
}

void RaftReplica::link_is_up(NodeId peer, Link& link) {
  link.up = true;
  log_notice("the link to node " + std::to_string(peer.value) + " is up");
  core_.link_up(peer);
  links_up_.push_back(peer);
  tell_link(peer, link.token, true);
  if (snapshots_) {
    send(snapshots_, SnapshotLink{peer, true});
  }
}

void RaftReplica::drop_link(NodeId peer, const char* why) {
  const auto found = links_.find(peer);
  if (found == links_.end()) {
    return;
  }
  Link link = std::move(found->second);
  links_.erase(found);
  peers_by_sender_.erase(caf::actor_cast<caf::strong_actor_ptr>(link.remote).get());
  if (link.up) {
    log_notice("the link to node " + std::to_string(peer.value) + " is down: " + why);
    core_.link_down(peer);
    if (snapshots_) {
      send(snapshots_, SnapshotLink{peer, false});
    }
  }
  tell_link(peer, link.token, false);
}

void RaftReplica::drop_stuck_links() {
  const int64_t now_ms = options_.clocks.monotonic_ms();
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
    drop_link(peer, "nothing could be sent for ten seconds");
  }
}

void RaftReplica::flush(Link& link) {
  while (std::optional<Frame> frame = link.sender.next()) {
    send(link.remote, PeerFrame{static_cast<uint8_t>(frame->kind), std::move(frame->bytes)});
  }
}

void RaftReplica::tell_link(NodeId peer, const LinkToken& token, bool up) {
  const auto found = listeners_.find(peer);
  if (found != listeners_.end()) {
    send(found->second, LinkState{peer, token, up});
  }
}

ReplicaHandle spawn_raft_replica(caf::actor_system& system,
                                 const Hosting& hosting,
                                 RaftReplicaOptions options) {
  return spawn_hosted<RaftReplica>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
