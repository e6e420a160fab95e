#include "actors/node/damaged_state.hpp"

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kSayMs = 60'000;
constexpr int64_t kTransferPauseMs = 10'000;  // between attempts

bool is_due(const std::optional<int64_t>& last_ms, int64_t pause_ms, int64_t now_ms) {
  CHECK_INVARIANT(!last_ms || *last_ms <= now_ms);
  return !last_ms || now_ms - *last_ms >= pause_ms;
}

}  // namespace

DamagedState::Due DamagedState::look(int64_t now_ms) {
  Due due;
  if (is_due(said_ms_, kSayMs, now_ms)) {
    said_ms_ = now_ms;
    due.say = true;
  }
  if (!cluster_.core_runs || !cluster_.leads() || !is_due(asked_ms_, kTransferPauseMs, now_ms)) {
    return due;
  }
  if (const NodeId target = successor()) {
    CHECK_INVARIANT(target != cluster_.self);
    asked_ms_ = now_ms;
    // Nobody waits for what becomes of it: as with a full disk, it is asked for again.
    due.transfer = TransferLeadership{{raft::Asker::kFullDisk, 0}, target};
  }
  return due;
}

// Of the voters that get entries from the log the one with the longest; who needs a snapshot itself
// has no state to send.
NodeId DamagedState::successor() const {
  const raft::PeerStatus* best = nullptr;
  for (const raft::PeerStatus& peer : cluster_.raft.peers) {
    if (peer.member.id != cluster_.self && cluster_.latest.is_voter(peer.member.id) && peer.up &&
        peer.state == raft::PeerState::kReplicate &&
        (best == nullptr || peer.match > best->match)) {
      best = &peer;
    }
  }
  return best == nullptr ? NodeId{} : best->member.id;
}

}  // namespace kiwi::actors
