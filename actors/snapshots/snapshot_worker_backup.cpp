// Backups: copies of the own state in new directories, verified before anybody hears of them.
#include <filesystem>
#include <system_error>
#include <utility>

#include "actors/snapshots/snapshot_worker.hpp"
#include "rocks/snapshot_target.hpp"

namespace kiwi::actors {

void SnapshotWorker::back_up(BackUp& order) {
  if (backups_.contains(order.directory)) {
    order.done("a backup to that directory is under way");
    return;
  }
  std::error_code failed;
  if (std::filesystem::exists(order.directory, failed) || failed) {
    order.done(failed ? "cannot look for " + order.directory + ": " + failed.message()
                      : "there is something at " + order.directory + " already");
    return;
  }
  backups_[order.directory] = {make_checkpoint(order.directory), std::move(order.done)};
}

// Every byte of it is read, minutes for a large state: no transfer waits for that.
void SnapshotWorker::backup_made(const CheckpointMade& made) {
  const auto found = backups_.find(made.directory);
  if (found == backups_.end()) {
    return;
  }
  std::function<void(std::string)> tell = std::move(found->second.done);
  backups_.erase(found);
  if (!made.error.empty()) {
    tell(made.error);
    return;
  }
  verifier_.post([directory = made.directory, tell = std::move(tell)] {
    const Result<rocks::SnapshotInfo> info = rocks::verify_state(directory);
    tell(info ? std::string() : info.error().text);
  });
}

}  // namespace kiwi::actors
