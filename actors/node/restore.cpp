#include "actors/node/restore.hpp"

#include "actors/node/fresh_directory.hpp"
#include "config/base/failpoint.hpp"
#include "rocks/backup.hpp"

namespace kiwi::actors {

Result<std::string> restore_backup(const config::Options& options, int64_t now_ms) {
  Result<FreshDirectory> fresh = FreshDirectory::begin(options);
  if (!fresh) {
    return fresh.error();
  }
  const Result<rocks::SnapshotInfo> info = rocks::copy_backup(options.restore, fresh->state());
  if (!info) {
    return Error{info.error().code,
                 "cannot restore the backup " + options.restore + ": " + info.error().text};
  }
  failpoint("restore-copied");
  if (Result<void> reset = rocks::reset_members(fresh->state(), fresh->configuration(), now_ms);
      !reset) {
    return reset.error();
  }
  failpoint("restore-reset");
  const raft::SnapshotMeta meta = info->meta();
  if (Result<void> finished = fresh->finish(meta.index, meta.term); !finished) {
    return finished.error();
  }
  return "restored the backup " + options.restore + " (entry " + std::to_string(meta.index.value) +
         ") into " + options.dir + " as node " + std::to_string(options.node_id().value) +
         " of the new cluster " + fresh->configuration().cluster.hex() +
         "; start it, then let empty nodes join it";
}

}  // namespace kiwi::actors
