#include "actors/node/restore.hpp"

#include <filesystem>
#include <memory>

#include "actors/node/storage.hpp"
#include "config/base/failpoint.hpp"
#include "rocks/backup.hpp"
#include "rocks/files.hpp"
#include "rocks/rocks_log.hpp"

namespace kiwi::actors {

namespace {

namespace fs = std::filesystem;

// Everything is built here first. The directory is also the mark of a restore under way; the log
// moves up last, and without a log nothing is a data directory.
constexpr const char* kBuilding = "restoring";

Result<void> make_room(const fs::path& dir) {
  std::error_code failed;
  fs::create_directories(dir, failed);
  if (fs::exists(dir / kBuilding, failed) && !fs::exists(dir / "log", failed)) {
    fs::remove_all(dir / kBuilding, failed);
    fs::remove_all(dir / raft::kFirstLiveState, failed);
  }
  if (!failed && !fs::is_empty(dir, failed) && !failed) {
    return Error{Errc::kConflict, "the data directory " + dir.string() +
                                      " is not empty: a backup is restored into a new one only"};
  }
  if (!failed) {
    fs::create_directory(dir / kBuilding, failed);
  }
  if (failed) {
    return Error{Errc::kIo,
                 "cannot prepare the directory " + dir.string() + ": " + failed.message()};
  }
  return {};
}

raft::Member first_member(const config::Options& options) {
  return {options.node_id(), random_id<Incarnation>(), options.client_address().text(),
          options.peer_address().text()};
}

// F42: the log begins right behind the snapshot, in a term that no old leader had.
Result<void> write_log(const config::Options& options,
                       const std::string& path,
                       const raft::SnapshotMeta& meta) {
  Result<std::unique_ptr<rocks::RocksLog>> log =
      rocks::open_rocks_log({path, options.raft_log_fsync});
  if (!log) {
    return log.error();
  }
  raft::PersistRequest request;
  request.hard_state = raft::HardState{meta.term + 1, NodeId{}};
  if (Result<void> written = (*log)->persist(request); !written) {
    return written;
  }
  raft::Identity identity;
  identity.node = options.node_id();
  identity.incarnation = meta.configuration.members.front().incarnation;
  identity.cluster = meta.configuration.cluster;
  if (Result<void> written = (*log)->set_identity(identity); !written) {
    return written;
  }
  return (*log)->install(meta, raft::kFirstLiveState);
}

Result<void> move_up(const fs::path& dir, const char* name) {
  std::error_code failed;
  fs::rename(dir / kBuilding / name, dir / name, failed);
  if (failed) {
    return Error{Errc::kIo,
                 "cannot rename " + (dir / kBuilding / name).string() + ": " + failed.message()};
  }
  if (Result<void> synced = rocks::sync_directory(dir.string()); !synced) {
    return synced;
  }
  failpoint("restore-moved");
  return {};
}

}  // namespace

Result<std::string> restore_backup(const config::Options& options) {
  const fs::path dir(options.dir);
  if (Result<void> room = make_room(dir); !room) {
    return room.error();
  }
  const std::string state = (dir / kBuilding / raft::kFirstLiveState).string();
  Result<rocks::SnapshotInfo> info = rocks::copy_backup(options.restore, state);
  if (!info) {
    return Error{info.error().code,
                 "cannot restore the backup " + options.restore + ": " + info.error().text};
  }
  failpoint("restore-copied");
  raft::SnapshotMeta meta = info->meta();
  meta.configuration = {};
  meta.configuration.cluster = random_id<ClusterId>();
  meta.configuration.members = {first_member(options)};
  meta.configuration.voters = {options.node_id()};
  if (Result<void> reset = rocks::reset_members(state, meta.configuration); !reset) {
    return reset.error();
  }
  failpoint("restore-reset");
  const std::string log = (dir / kBuilding / "log").string();
  if (Result<void> written = write_log(options, log, meta); !written) {
    return written.error();
  }
  if (Result<void> synced = rocks::sync_tree(log); !synced) {
    return synced.error();
  }
  for (const char* name : {raft::kFirstLiveState, "log"}) {
    if (Result<void> moved = move_up(dir, name); !moved) {
      return moved.error();
    }
  }
  if (Result<void> removed = rocks::remove_directory((dir / kBuilding).string()); !removed) {
    return removed.error();
  }
  return "restored the backup " + options.restore + " (entry " + std::to_string(meta.index.value) +
         ") into " + options.dir + " as node " + std::to_string(options.node_id().value) +
         " of the new cluster " + meta.configuration.cluster.hex() +
         "; start it, then let empty nodes join it";
}

}  // namespace kiwi::actors
