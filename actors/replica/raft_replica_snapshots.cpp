// RaftReplica: what goes between the core and SnapshotWorker, and a worker's frames to and from
// peers.
#include <utility>

#include "actors/replica/raft_replica.hpp"

namespace kiwi::actors {

void RaftReplica::receive_snapshot(NodeId peer, std::string bytes) {
  if (snapshots_) {
    send(snapshots_, SnapshotFrame{peer, std::move(bytes)});
  }
}

RaftReplica::Link* RaftReplica::up_link(NodeId peer) {
  const auto found = links_.find(peer);
  return found != links_.end() && found->second.up ? &found->second : nullptr;
}

void RaftReplica::ship(SnapshotFrame& frame) {
  if (Link* link = up_link(frame.peer)) {
    link->sender.queue_snapshot(std::move(frame.bytes));
    flush(*link);
  }
}

void RaftReplica::take(SnapshotWorkerStarted& started) {
  begin_turn();
  core_.snapshots_lost();  // of the worker before it, if there was one
  snapshots_ = std::move(started.worker);
  told_ = {};
  tell_snapshots(core_.status());
  for (const auto& [peer, link] : links_) {
    if (link.up) {
      send(snapshots_, SnapshotLink{peer, true});
    }
  }
}

void RaftReplica::take(const SnapshotPin& pin) {
  begin_turn();
  if (!core_.snapshot_pinned(pin.follower, pin.index)) {
    send(snapshots_, SnapshotUseless{pin.follower});
  }
}

void RaftReplica::take(const StateSwapped& swapped) {
  begin_turn();
  core_.snapshot_installed(swapped.meta, swapped.stamp_ms);
  status_due_ = true;
}

// F15: whether it is installed is decided now, not when it was offered. What the core wants written
// before comes first.
void RaftReplica::judge(SnapshotArrived& arrived) {
  begin_turn();
  const raft::SnapshotVerdict verdict = core_.snapshot_received(arrived.meta, arrived.sender_term);
  if (verdict == raft::SnapshotVerdict::kInstall) {
    install_ = InstallSnapshot{std::move(arrived.meta), std::move(arrived.live_state)};
  }
  status_due_ = true;
  send(snapshots_, SnapshotJudged{verdict, core_.status().commit});
}

void RaftReplica::tell_snapshots(const raft::Status& status) {
  if (snapshots_ && (status.term != told_.term || status.applied != told_.applied)) {
    told_ = {status.term, status.applied, status.commit};
    send(snapshots_, told_);
  }
}

}  // namespace kiwi::actors
