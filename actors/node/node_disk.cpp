// Node: room on the disk. A node that runs out of it in the middle of a write can only wait, so it
// takes no new writes while there is still room for all that is owed, beside `disk-free-min` (F60):
// not from its clients, and as leader from nobody; nor does a leader when so many others have none
// that no majority could follow. Leadership goes to a node that has room. Entries that others
// replicate are still written and applied, as long as they fit. The log and the state are below the
// same directory.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "actors/node/node_state.hpp"
#include "config/base/log.hpp"
#include "rocks/room.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kDiskTransferId = UINT64_MAX;  // no order of an operator has it
constexpr int64_t kTransferPauseMs = 30'000;      // between attempts
constexpr uint64_t kRoomAgainPart = 8;            // back in service with this part more
constexpr uint64_t kTellRounds = 10;              // a second; an older word counts for nothing
constexpr int64_t kWordMs = 3000;
// What entries may not take: small records of the log, and what RocksDB writes about its files.
constexpr int64_t kNotForEntries = 16 << 20;

}  // namespace

// The state's part, the log's, and what the log holds and the state does not yet.
uint64_t Node::State::owed_bytes() const {
  const rocks::RocksLogStats log = storage->log_stats();
  const LogIndex applied = storage->executor().applied();
  const uint64_t unapplied = raft_status.last_index - std::min(applied, raft_status.last_index);
  return storage->keyspace().owed_bytes() + log.owed_bytes + unapplied * log.entry_bytes;
}

// For the files of a snapshot that comes here. Any thread.
Result<void> Node::State::room_for(uint64_t bytes) const {
  const uint64_t free = rocks::free_bytes(options.dir);
  const uint64_t reserve = disk_reserve;
  if (free >= reserve && free - reserve >= bytes) {
    return {};
  }
  return Error{Errc::kIo, std::to_string(bytes) + " bytes of it are to come, " +
                              std::to_string(free) + " are free on the disk of " + options.dir +
                              ", and " + std::to_string(reserve) +
                              " must stay so (disk-free-min and what is still to be written): make "
                              "room, it is tried again"};
}

void Node::State::disk_timer() {
  const uint64_t free = rocks::free_bytes(options.dir);
  const bool unknown = free == UINT64_MAX;
  // Nobody keeps entries waiting for a room that he cannot measure.
  log_room = unknown ? INT64_MAX
                     : static_cast<int64_t>(std::min<uint64_t>(free, INT64_MAX)) - kNotForEntries;
  caf::anon_send(log_store_actor, timer_atom_v);
  if (unknown) {
    return;  // whoever reads or writes there next has the better sentence
  }
  const auto minimum = static_cast<uint64_t>(options.disk_free_min);
  const uint64_t owed = owed_bytes();
  disk_reserve = minimum + owed;
  const uint64_t again = disk_full ? (minimum + owed) / kRoomAgainPart : 0;
  const bool full = minimum != 0 && free < minimum + owed + again;
  context.status.disk = {free, owed, full};
  if (full != disk_full) {
    disk_full = full;
    const std::string bytes =
        std::to_string(free) + " bytes are free on the disk of " + options.dir;
    log_warning(full ? bytes + ", fewer than disk-free-min (" + std::to_string(minimum) +
                           ") and what is still to be written (" + std::to_string(owed) +
                           "): writes are refused until there is room"
                     : bytes + ": writes are taken again");
    tell_of_disk();
    if (full && replica_actor) {
      cut_log(Cut::kUsual);  // what the state's files hold need not take room twice
    }
  } else if (disk_full && timer_rounds % kTellRounds == 0) {
    tell_of_disk();
  }
  const bool refuses = disk_full || !majority_has_room();
  router->set_disk_full(refuses);
  if (!replica_actor) {
    return;
  }
  if (refuses != disk_full_told) {
    disk_full_told = refuses;
    caf::anon_send(replica_actor, RaftOrders{{}, {}, std::nullopt, refuses});
  }
  if (disk_full) {
    hand_over_on_full_disk();
  }
}

void Node::State::tell_of_disk() {
  if (!replica_actor) {
    return;
  }
  for (const raft::Member& member : configuration.members) {
    if (member.id != options.node_id()) {
      caf::anon_send(replica_actor,
                     PeerNote{member.id, encode_word({true, kDiskWord, disk_full ? "1" : "0"})});
    }
  }
}

void Node::State::take_disk(NodeId peer, const std::string& bytes) {
  if (bytes == "1") {
    full_peers[peer] = ClientLoop::monotonic_ms();
  } else {
    full_peers.erase(peer);
  }
}

bool Node::State::is_full(NodeId peer) const {
  const auto word = full_peers.find(peer);
  return peer == options.node_id()
             ? disk_full
             : word != full_peers.end() && ClientLoop::monotonic_ms() - word->second < kWordMs;
}

// Of both halves of a joint configuration.
bool Node::State::majority_has_room() const {
  const auto has_room = [this](const std::vector<NodeId>& voters) {
    const auto full = std::ranges::count_if(voters, [this](NodeId id) { return is_full(id); });
    return voters.empty() || static_cast<size_t>(full) < (voters.size() + 1) / 2;
  };
  return has_room(configuration.voters) && has_room(configuration.outgoing_voters);
}

// To the voter with the longest log among those that have room; nobody else is better off with it.
void Node::State::hand_over_on_full_disk() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (raft_status.role != raft::Role::kLeader || now_ms < disk_transfer_ms ||
      !majority_has_room()) {
    return;
  }
  const raft::PeerStatus* best = nullptr;
  for (const raft::PeerStatus& peer : raft_status.peers) {
    if (configuration.is_voter(peer.member.id) && peer.up && !is_full(peer.member.id) &&
        (best == nullptr || peer.match > best->match)) {
      best = &peer;
    }
  }
  if (best == nullptr) {
    return;
  }
  disk_transfer_ms = now_ms + kTransferPauseMs;
  log_notice("the disk is nearly full: handing leadership over to node " +
             std::to_string(best->member.id.value));
  caf::anon_send(replica_actor, TransferLeadership{kDiskTransferId, best->member.id});
}

}  // namespace kiwi::actors
