#include "actors/node/restore.hpp"

#include <filesystem>
#include <memory>

#include "actors/data_directory.hpp"
#include "actors/node/storage.hpp"
#include "config/base/failpoint.hpp"
#include "rocks/backup.hpp"
#include "rocks/files.hpp"
#include "rocks/rocks_log.hpp"

namespace kiwi::actors {

namespace {

namespace fs = std::filesystem;

// Everything is built below kRestoring first, which is also the mark of a restore under way. Then
// the group's directory moves up, and without it nothing is a data directory.
Result<void> make_room(const fs::path& dir) {
  std::error_code failed;
  fs::create_directories(dir, failed);
  if (fs::exists(dir / data_directory::kRestoring, failed) &&
      !fs::exists(data_directory::group(dir, kFirstGroup), failed)) {
    fs::remove_all(dir / data_directory::kRestoring, failed);
  }
  if (!failed && !fs::is_empty(dir, failed) && !failed) {
    return Error{Errc::kConflict, "the data directory " + dir.string() +
                                      " is not empty: a backup is restored into a new one only"};
  }
  if (!failed) {
    fs::create_directories(data_directory::group(dir / data_directory::kRestoring, kFirstGroup),
                           failed);
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

Result<void> move_up(const std::string& dir, const std::string& building) {
  std::error_code failed;
  const std::string from = data_directory::group(building, kFirstGroup);
  fs::rename(from, data_directory::group(dir, kFirstGroup), failed);
  if (failed) {
    return Error{Errc::kIo, "cannot rename " + from + ": " + failed.message()};
  }
  if (Result<void> synced = rocks::sync_directory(dir); !synced) {
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
  const std::string building = options.dir + "/" + data_directory::kRestoring;
  const std::string group = data_directory::group(building, kFirstGroup);
  const std::string state = group + "/" + raft::kFirstLiveState;
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
  const std::string log = group + "/" + data_directory::kLog;
  if (Result<void> written = write_log(options, log, meta); !written) {
    return written.error();
  }
  if (Result<void> synced = rocks::sync_tree(log); !synced) {
    return synced.error();
  }
  if (Result<void> moved = move_up(options.dir, building); !moved) {
    return moved.error();
  }
  if (Result<void> removed = rocks::remove_directory(building); !removed) {
    return removed.error();
  }
  return "restored the backup " + options.restore + " (entry " + std::to_string(meta.index.value) +
         ") into " + options.dir + " as node " + std::to_string(options.node_id().value) +
         " of the new cluster " + meta.configuration.cluster.hex() +
         "; start it, then let empty nodes join it";
}

}  // namespace kiwi::actors
