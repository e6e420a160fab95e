// Snapshots of a node: its SnapshotWorker (SnapshotKeeper), the cutting of the log (LogCutter),
// backups, and what of all that INFO shows. Thin; on the client loop.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "actors/node/damaged_state.hpp"
#include "actors/node/log_cutter.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/snapshot_keeper.hpp"
#include "actors/snapshots/snapshot_worker.hpp"
#include "config/base/result.hpp"
#include "resp/admin.hpp"

namespace kiwi::actors {

class SnapshotsShell {
 public:
  explicit SnapshotsShell(NodeParts& node) : node_(node), damaged_(node.facts) {}

  void fill(resp::Admin& admin);
  void core_runs();
  void timer();
  void disk_is_full();
  void refresh_status();

 private:
  void start_worker();
  Result<void> room_for(uint64_t bytes) const;
  void worker_died(const std::string& why);
  void look_at_damage(const SnapshotReport& report, int64_t now_ms);
  LogNow log_now() const;
  void cut_now(LogCutter::Cut cut, resp::AdminDone done);
  void carry_out(const LogCutterEffects& effects);
  void back_up(std::string directory, resp::AdminDone done);
  void answer_backup(const BackupAnswer& answer);

  NodeParts& node_;
  SnapshotBoard board_;          // outlives the worker: members are destroyed backwards
  SnapshotWorkerHandle worker_;  // null: none runs
  SnapshotKeeper keeper_;
  LogCutter cutter_;
  DamagedState damaged_;
  std::map<uint64_t, resp::AdminDone> backup_done_;  // of those who asked for them
  std::map<uint64_t, resp::AdminDone> cut_done_;
};

}  // namespace kiwi::actors
