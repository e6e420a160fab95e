#include "actors/node/snapshot_keeper.hpp"

#include <utility>

#include "resp/texts.hpp"

namespace kiwi::actors {

namespace {
constexpr uint64_t kIdleRounds = 10;
constexpr int64_t kRestartMs = 1000;  // what kills a worker may kill the next one as well
}  // namespace

std::string sentence(const BackupAnswer& answer) {
  switch (answer.end) {
    case BackupEnd::kMade:
      return {};
    case BackupEnd::kFailed:
      return "ERR backup failed: " + answer.detail;
    case BackupEnd::kWorkerDied:
      return "ERR backup failed: the snapshot worker died";
    case BackupEnd::kNoWorker:
      return "ERR backup failed: the snapshot worker is being restarted";
    case BackupEnd::kNoCluster:
      return std::string(resp::texts::kNoCluster);
  }
  return {};
}

std::vector<BackupAnswer> SnapshotKeeper::died(int64_t now_ms) {
  alive_ = false;
  again_ms_ = now_ms + kRestartMs;
  std::vector<BackupAnswer> answers;
  for (auto& [id, directory] : std::exchange(backups_, {})) {
    answers.push_back({id, BackupEnd::kWorkerDied, directory, {}});
  }
  return answers;
}

SnapshotKeeper::Due SnapshotKeeper::tick(bool busy, int64_t now_ms) {
  if (!core_runs_) {
    return Due::kNothing;
  }
  if (!alive_) {
    return now_ms >= again_ms_ ? Due::kStart : Due::kNothing;
  }
  return busy || ++rounds_ % kIdleRounds == 0 ? Due::kWake : Due::kNothing;
}

BackupAnswer SnapshotKeeper::back_up(std::string directory) {
  BackupAnswer answer{next_backup_++, BackupEnd::kMade, std::move(directory), {}};
  if (!core_runs_ || !alive_) {
    answer.end = core_runs_ ? BackupEnd::kNoWorker : BackupEnd::kNoCluster;
  } else {
    backups_[answer.id] = answer.directory;
  }
  return answer;
}

std::optional<BackupAnswer> SnapshotKeeper::backup_ended(uint64_t id, const std::string& error) {
  const auto found = backups_.extract(id);
  if (found.empty()) {
    return std::nullopt;
  }
  return BackupAnswer{id, error.empty() ? BackupEnd::kMade : BackupEnd::kFailed, found.mapped(),
                      error};
}

}  // namespace kiwi::actors
