// Node: room on the disk. A node that runs out of it in the middle of a write has to stop, so below
// `disk-free-min` it takes no new writes: not from its clients, and as leader from nobody; the
// office goes to another node if one wants it. Entries that others replicate are still written and
// applied. The log and the state are below the same directory.
#include <cstdint>
#include <sys/statvfs.h>

#include "actors/node_state.hpp"
#include "base/log.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kDiskTransferId = UINT64_MAX;  // no order of an operator has it
constexpr int64_t kTransferPauseMs = 30'000;  // between attempts, for the others may be full too
constexpr uint64_t kRoomAgainPart = 8;        // back in service with this part of the minimum more

}  // namespace

void Node::State::disk_timer() {
  struct statvfs disk {};
  const auto minimum = static_cast<uint64_t>(options.disk_free_min);
  if (::statvfs(options.dir.c_str(), &disk) != 0) {
    return;  // whoever reads or writes there next has the better sentence
  }
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  const bool full = free < minimum + (disk_full ? minimum / kRoomAgainPart : 0);
  if (full != disk_full) {
    disk_full = full;
    const std::string bytes =
        std::to_string(free) + " bytes are free on the disk of " + options.dir;
    log_warning(full ? bytes + ", fewer than disk-free-min (" + std::to_string(minimum) +
                           "): writes are refused until there is room"
                     : bytes + ": writes are taken again");
    router->set_disk_full(full);
  }
  if (replica_actor && (disk_full || disk_full_told)) {
    if (disk_full != disk_full_told) {
      disk_full_told = disk_full;
      caf::anon_send(replica_actor, RaftOrders{{}, {}, std::nullopt, disk_full});
    }
    hand_over_on_full_disk();
  }
}

void Node::State::hand_over_on_full_disk() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (!disk_full || raft_status.role != raft::Role::kLeader || configuration.voters.size() < 2 ||
      now_ms < disk_transfer_ms) {
    return;
  }
  disk_transfer_ms = now_ms + kTransferPauseMs;
  log_notice("the disk is nearly full: handing leadership over");
  caf::anon_send(replica_actor, TransferLeadership{kDiskTransferId, NodeId{0}});
}

}  // namespace kiwi::actors
