#include "actors/node/fresh_directory.hpp"

#include <filesystem>
#include <memory>

#include "actors/data_directory.hpp"
#include "actors/node/storage.hpp"
#include "config/base/failpoint.hpp"
#include "rocks/files.hpp"
#include "rocks/rocks_log.hpp"

namespace kiwi::actors {

namespace {

namespace fs = std::filesystem;

Result<void> make_room(const fs::path& dir) {
  std::error_code failed;
  fs::create_directories(dir, failed);
  if (fs::exists(dir / data_directory::kRestoring, failed) &&
      !fs::exists(data_directory::group(dir, kFirstGroup), failed)) {
    fs::remove_all(dir / data_directory::kRestoring, failed);
  }
  if (!failed && !fs::is_empty(dir, failed) && !failed) {
    return Error{Errc::kConflict, "the data directory " + dir.string() +
                                      " is not empty: a backup or a dump goes into a new one only"};
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

}  // namespace

FreshDirectory::FreshDirectory(const config::Options& options)
    : options_(options),
      building_(options.dir + "/" + data_directory::kRestoring),
      group_(data_directory::group(building_, kFirstGroup)) {
  configuration_.cluster = random_id<ClusterId>();
  configuration_.members = {{options.node_id(), random_id<Incarnation>(),
                             options.client_address().text(), options.peer_address().text()}};
  configuration_.voters = {options.node_id()};
}

Result<FreshDirectory> FreshDirectory::begin(const config::Options& options) {
  if (Result<void> room = make_room(options.dir); !room) {
    return room.error();
  }
  return FreshDirectory(options);
}

std::string FreshDirectory::state() const { return group_ + "/" + raft::kFirstLiveState; }

Result<void> FreshDirectory::finish(LogIndex index, Term term) {
  const std::string log = group_ + "/" + data_directory::kLog;
  if (Result<void> written = write_log(log, {index, term, configuration_}); !written) {
    return written;
  }
  if (Result<void> synced = rocks::sync_tree(log); !synced) {
    return synced;
  }
  if (Result<void> moved = move_up(); !moved) {
    return moved;
  }
  return rocks::remove_directory(building_);
}

// F42: the log begins right behind the snapshot, in a term that no old leader had.
Result<void> FreshDirectory::write_log(const std::string& path,
                                       const raft::SnapshotMeta& meta) const {
  Result<std::unique_ptr<rocks::RocksLog>> log =
      rocks::open_rocks_log({path, options_.raft_log_fsync});
  if (!log) {
    return log.error();
  }
  raft::PersistRequest request;
  request.hard_state = raft::HardState{meta.term + 1, NodeId{}};
  if (Result<void> written = (*log)->persist(request); !written) {
    return written;
  }
  raft::Identity identity;
  identity.node = options_.node_id();
  identity.incarnation = meta.configuration.members.front().incarnation;
  identity.cluster = meta.configuration.cluster;
  if (Result<void> written = (*log)->set_identity(identity); !written) {
    return written;
  }
  return (*log)->install(meta, raft::kFirstLiveState);
}

Result<void> FreshDirectory::move_up() const {
  std::error_code failed;
  fs::rename(group_, data_directory::group(options_.dir, kFirstGroup), failed);
  if (failed) {
    return Error{Errc::kIo, "cannot rename " + group_ + ": " + failed.message()};
  }
  if (Result<void> synced = rocks::sync_directory(options_.dir); !synced) {
    return synced;
  }
  failpoint("restore-moved");
  return {};
}

}  // namespace kiwi::actors
