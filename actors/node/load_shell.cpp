#include "actors/node/load_shell.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/node/storage.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"
#include "resp/router.hpp"
#include "rocks/room.hpp"

namespace kiwi::actors {

void LoadShell::timer() {
  look_at_disk();
  look_at_pressure();
}

void LoadShell::take(NodeId from, const DiskNote& note) {
  disk_.take(from, note, ClientLoop::monotonic_ms());
}

void LoadShell::take(NodeId from, const PressureNote& note) {
  if (pressure_.counts(from)) {
    node_.router->set_leader_pressure(note.pressure, ClientLoop::monotonic_ms());
  }
}

// The state's part, the log's, and what the log holds and the state does not yet.
uint64_t LoadShell::owed_bytes() const {
  const rocks::RocksLogStats log = node_.storage->log_stats();
  const LogIndex last = node_.facts.raft.last_index;
  const uint64_t unapplied = last - std::min(node_.storage->executor().applied(), last);
  return node_.storage->keyspace().owed_bytes() + log.owed_bytes + unapplied * log.entry_bytes;
}

void LoadShell::look_at_disk() {
  const uint64_t free = rocks::free_bytes(node_.options.dir);
  // A disk that cannot be measured keeps no entries waiting for room.
  node_.log_room = DiskWatch::room_for_entries(free);
  caf::anon_send(node_.log_store, timer_atom_v);
  if (free == UINT64_MAX) {
    return;  // whoever reads or writes there next has the better sentence
  }
  const uint64_t owed = owed_bytes();
  node_.disk_reserve = owed + static_cast<uint64_t>(node_.options.disk_free_min);
  disk_.look({free, owed, static_cast<uint64_t>(node_.options.disk_free_min)},
             ClientLoop::monotonic_ms());
  node_.context.status.disk = {free, owed, disk_.full()};
  node_.router->set_disk_full(disk_.refuses());
  node_.router->set_builds_refused(node_.options.disk_free_min != 0 &&
                                   free < node_.disk_reserve + config::limits::kEntryBuildBytes);
  DiskEffects effects = disk_.take_effects();
  if (effects.turned) {
    say_disk_turned(free, owed);
    if (disk_.full()) {
      snapshots_.disk_is_full();
    }
  }
  if (effects.tell_members) {
    node_.tell_members(*effects.tell_members);
  }
  if (effects.refuse) {
    RaftOrders orders;
    orders.disk_full = effects.refuse;
    caf::anon_send(node_.replica, std::move(orders));
  }
  if (!effects.requests.empty()) {
    log_notice("the disk is nearly full: handing leadership over");
    node_.ask_replica(std::move(effects.requests));
  }
}

void LoadShell::say_disk_turned(uint64_t free, uint64_t owed) const {
  const std::string bytes =
      std::to_string(free) + " bytes are free on the disk of " + node_.options.dir;
  log_warning(disk_.full() ? bytes + ", fewer than disk-free-min (" +
                                 std::to_string(node_.options.disk_free_min) +
                                 ") and what is still to be written (" + std::to_string(owed) +
                                 "): writes are refused until there is room"
                           : bytes + ": writes are taken again");
}

void LoadShell::look_at_pressure() {
  if (!node_.storage->executor().rests()) {
    keyspace_pressure_ = node_.storage->keyspace().pressure();
  }
  const std::optional<uint32_t> now =
      pressure_.look(keyspace_pressure_, node_.storage->executor().applied());
  if (now) {
    node_.router->set_leader_pressure(*now, ClientLoop::monotonic_ms());
    node_.tell_members(PressureNote{*now});
  }
}

}  // namespace kiwi::actors
