// Keeps a SnapshotWorker at work: starts it, starts another one when it died, wakes it, and answers
// for the backups that it makes. A worker that dies takes no data with it: followers that were
// being sent a snapshot ask again, and what came here stays in its files for the next transfer.
//
// Plain class; owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kiwi::actors {

enum class BackupEnd : uint8_t {
  kMade,
  kFailed,      // `detail` says why
  kWorkerDied,  // while it was at it
  kNoWorker,    // it is being restarted
  kNoCluster,
};
struct BackupAnswer {
  uint64_t id = 0;
  BackupEnd end = BackupEnd::kMade;
  std::string directory;
  std::string detail;
};
std::string sentence(const BackupAnswer& answer);  // an error reply; empty for kMade

class SnapshotKeeper {
 public:
  enum class Due : uint8_t { kNothing, kStart, kWake };

  // ---- the worker
  void core_runs() { core_runs_ = true; }
  uint64_t started() { return alive_ = true, ++lives_; }  // its number
  std::vector<BackupAnswer> died(int64_t now_ms);         // what is told of backups
  // Ten times a second. busy: it sends or receives, so it is woken each time, else once a second.
  Due tick(bool busy, int64_t now_ms);
  uint64_t restarts() const { return lives_ > 1 ? lives_ - 1 : 0; }

  // ---- backups. The answer's end is kMade: it is under way, and the worker is to make it.
  BackupAnswer back_up(std::string directory);
  // nullopt: it was answered before, when the worker died.
  std::optional<BackupAnswer> backup_ended(uint64_t id, const std::string& error);

 private:
  bool core_runs_ = false;
  bool alive_ = false;
  uint64_t lives_ = 0;
  int64_t again_ms_ = 0;
  uint64_t rounds_ = 0;
  uint64_t next_backup_ = 1;
  std::map<uint64_t, std::string> backups_;  // their directories
};

}  // namespace kiwi::actors
