#include "actors/node/disk_watch.hpp"

#include <algorithm>

namespace kiwi::actors {

namespace {

constexpr int64_t kTransferPauseMs = 30'000;  // between attempts
constexpr uint64_t kRoomAgainPart = 8;        // back in service with this part more
constexpr int64_t kTellMs = 1000;
constexpr int64_t kNoteMs = 3000;  // an older one counts for nothing
constexpr int64_t kNotForEntries = 16 << 20;

}  // namespace

int64_t DiskWatch::room_for_entries(uint64_t free_bytes) {
  return static_cast<int64_t>(std::min<uint64_t>(free_bytes, INT64_MAX)) - kNotForEntries;
}

void DiskWatch::look(const Room& room, int64_t now_ms) {
  const uint64_t needed = room.free_bytes_min + room.owed_bytes;
  const uint64_t again = full_ ? needed / kRoomAgainPart : 0;
  const bool full = room.free_bytes_min != 0 && room.free_bytes < needed + again;
  effects_.turned = full != full_;
  full_ = full;
  if (effects_.turned || (full_ && now_ms - told_ms_ >= kTellMs)) {
    told_ms_ = now_ms;
    effects_.tell_members = DiskNote{full_};
  }
  refuses_ = full_ || !majority_has_room(now_ms);
  if (!cluster_.core_runs) {
    return;
  }
  if (core_told_.value_or(false) != refuses_) {
    core_told_ = refuses_;
    effects_.refuse = refuses_;
  }
  if (full_) {
    hand_over(now_ms);
  }
}

void DiskWatch::take(NodeId peer, const DiskNote& note, int64_t now_ms) {
  if (note.full) {
    full_peers_[peer] = now_ms;
  } else {
    full_peers_.erase(peer);
  }
}

bool DiskWatch::is_full(NodeId peer, int64_t now_ms) const {
  if (peer == cluster_.self) {
    return full_;
  }
  const auto note = full_peers_.find(peer);
  return note != full_peers_.end() && now_ms - note->second < kNoteMs;
}

// Of both halves of a joint configuration.
bool DiskWatch::majority_has_room(int64_t now_ms) const {
  const auto has_room = [&](const std::vector<NodeId>& voters) {
    const auto full = std::ranges::count_if(voters, [&](NodeId id) { return is_full(id, now_ms); });
    return voters.empty() || static_cast<size_t>(full) < (voters.size() + 1) / 2;
  };
  return has_room(cluster_.latest.voters) && has_room(cluster_.latest.outgoing_voters);
}

// To the voter with the longest log among those that have room; nobody else is better off with it.
void DiskWatch::hand_over(int64_t now_ms) {
  if (!cluster_.leads() || now_ms < next_transfer_ms_ || !majority_has_room(now_ms)) {
    return;
  }
  const raft::PeerStatus* best = nullptr;
  for (const raft::PeerStatus& peer : cluster_.raft.peers) {
    if (cluster_.latest.is_voter(peer.member.id) && peer.up && !is_full(peer.member.id, now_ms) &&
        (best == nullptr || peer.match > best->match)) {
      best = &peer;
    }
  }
  if (best != nullptr) {
    next_transfer_ms_ = now_ms + kTransferPauseMs;
    effects_.requests.emplace_back(
        TransferLeadership{{raft::Asker::kFullDisk, 0}, best->member.id});
  }
}

}  // namespace kiwi::actors
