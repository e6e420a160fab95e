#include "actors/storage.hpp"

#include <algorithm>
#include <filesystem>
#include <sys/random.h>
#include <system_error>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

namespace {

constexpr size_t kTailBytes = 16 << 20;  // of one read of the log's end

std::string number(NodeId id) { return std::to_string(id.value); }
std::string number(LogIndex index) { return std::to_string(index.value); }

Error at(const std::string& dir, Error error) {
  error.text = "data directory " + dir + ": " + error.text;
  return error;
}

}  // namespace

template <class Id>
Id random_id() {
  Id id;
  CHECK_INVARIANT(::getrandom(id.bytes.data(), id.bytes.size(), 0) ==
                  static_cast<ssize_t>(id.bytes.size()));
  return id;
}
template ClusterId random_id<ClusterId>();
template Incarnation random_id<Incarnation>();

Storage::~Storage() {
  executor_.reset();
  keyspace_.reset();
  log_.reset();
}

Result<std::unique_ptr<Storage>> Storage::open(const config::Options& options) {
  std::unique_ptr<Storage> storage(new Storage);
  storage->dir_ = options.dir;
  const std::filesystem::path dir(options.dir);
  std::error_code failed;
  std::filesystem::create_directories(dir, failed);
  if (failed) {
    return Error{Errc::kIo, "cannot create the data directory " + options.dir + ": " +
                                failed.message() + "; set dir to a place this user may write"};
  }
  auto log = rocks::open_rocks_log({dir / "log", options.raft_log_fsync});
  if (!log) {
    return at(options.dir, log.error());
  }
  storage->log_ = std::move(*log);
  if (Result<void> loaded = storage->load_identity(options); !loaded) {
    return loaded.error();
  }
  rocks::KeyspaceOptions keyspace;
  keyspace.path = dir / "state-1";
  if (!options.raft_log_fsync) {
    keyspace.before_flush = [log = storage->log_.get()] {
      if (Result<void> synced = log->sync(); !synced) {
        fatal("syncing the Raft log failed: " + synced.error().text);
      }
    };
  }
  keyspace.table_bytes = static_cast<uint64_t>(options.cache_state);
  auto opened = options.state_engine == config::StateEngine::kTable
                    ? rocks::open_table_keyspace(keyspace)
                    : rocks::open_plain_keyspace(keyspace);
  if (!opened) {
    return at(options.dir, opened.error());
  }
  storage->keyspace_ = std::move(*opened);
  resp::ExecutorOptions executor;
  executor.node = storage->identity_.node;
  executor.incarnation = storage->identity_.incarnation;
  executor.epoch = storage->identity_.boot_epoch;
  storage->executor_ = std::make_unique<resp::Executor>(*storage->keyspace_, executor);
  if (Result<void> fits = storage->check_state_fits_log(); !fits) {
    return fits.error();
  }
  return storage;
}

Result<void> Storage::load_identity(const config::Options& options) {
  Result<raft::Identity> found = log_->identity();
  if (!found && found.error().code != Errc::kNotFound) {
    return at(dir_, found.error());
  }
  if (found) {
    identity_ = *found;
  } else {
    identity_.node = options.node_id();
    identity_.incarnation = random_id<Incarnation>();
  }
  if (identity_.node != options.node_id()) {
    return Error{Errc::kConflict,
                 "the data directory " + dir_ + " belongs to node " + number(identity_.node) +
                     ", but raft.id says " + number(options.node_id()) +
                     ": give each node its own dir, or set raft.id " + number(identity_.node)};
  }
  // A crash between a founder's first entry and its identity leaves the entry: it decides.
  Result<raft::LoadedLog> log = log_->load();
  if (!log) {
    return at(dir_, log.error());
  }
  ClusterId in_log = log->snapshot.configuration.cluster;
  if (!log->configurations.empty()) {
    Result<raft::Configuration> last =
        raft::decode_configuration(log->configurations.back().payload.view());
    if (!last) {
      return at(dir_, last.error());
    }
    in_log = last->cluster;
  }
  if (in_log.is_set() && identity_.cluster.is_set() && in_log != identity_.cluster) {
    return Error{Errc::kConflict, "the log in " + dir_ + " is of cluster " + in_log.hex() +
                                      " but the directory says it is of cluster " +
                                      identity_.cluster.hex() +
                                      ": files of two clusters were mixed; wipe this node"};
  }
  if (in_log.is_set()) {
    identity_.cluster = in_log;
  }
  // F4: never from a clock, synced before the first proposal. The log is synced and this database
  // is the only one that writes it, so no row of the session table can be ahead.
  ++identity_.boot_epoch;
  if (Result<void> synced = log_->set_identity(identity_); !synced) {
    return at(dir_, synced.error());
  }
  return {};
}

// F13, F38: the log must reach down to the state and the state must not be ahead of the log.
Result<void> Storage::check_state_fits_log() {
  Result<raft::LoadedLog> log = log_->load();
  if (!log) {
    return at(dir_, log.error());
  }
  const LogIndex applied = executor_->applied();
  if (log->first_index > applied + 1) {
    return Error{Errc::kCorrupt,
                 "the log in " + dir_ + " starts at entry " + number(log->first_index) +
                     " but the state ends at " + number(applied) +
                     ": entries between are missing; wipe this node, the others will refill it"};
  }
  if (applied > std::max(log->last_index, log->snapshot.index)) {
    return Error{Errc::kCorrupt,
                 "the state in " + dir_ + " is at entry " + number(applied) +
                     " but the log ends at " + number(log->last_index) +
                     ": the log lost its end (raft.log-fsync no, or an old copy); wipe this node, "
                     "the others will refill it"};
  }
  for (const raft::SessionRow& row : executor_->session_rows()) {
    if (row.node == identity_.node && row.incarnation == identity_.incarnation &&
        row.epoch >= identity_.boot_epoch) {
      return Error{Errc::kCorrupt, "the state in " + dir_ +
                                       " is of a later start than the log: an old copy of the log "
                                       "was put there; wipe this node, the others will refill it"};
    }
  }
  return {};
}

uint64_t Storage::log_disk_bytes() const {
  uint64_t bytes = 0;
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(dir_ + "/log", failed)) {
    const uint64_t size = file.file_size(failed);  // a file may go while this walks
    bytes += failed ? 0 : size;
  }
  return bytes;
}

Result<std::string> Storage::first_entry() {
  Result<raft::LoadedLog> log = log_->load();
  if (!log) {
    return log.error();
  }
  if (log->first_index != LogIndex{1} || log->last_index < LogIndex{1}) {
    return std::string();
  }
  Result<std::vector<raft::Entry>> first = log_->read(LogIndex{1}, LogIndex{1}, kTailBytes);
  if (!first) {
    return first.error();
  }
  std::string bytes;
  raft::append_entry(bytes, first->front());
  return bytes;
}

Result<void> Storage::join(const ClusterId& cluster, const std::optional<raft::Entry>& first) {
  CHECK_INVARIANT(!identity_.cluster.is_set());
  if (first) {
    raft::PersistRequest request;
    request.entries.push_back(*first);
    request.hard_state = raft::HardState{first->term, NodeId{}};
    request.commit = first->index;
    request.token = {first->term, first->index, first->term, NodeId{}};
    if (Result<void> written = log_->persist(request); !written) {
      return written;
    }
  }
  identity_.cluster = cluster;
  return log_->set_identity(identity_);
}

Result<raft::StartState> Storage::start_state() {
  raft::StartState start;
  Result<raft::LoadedLog> log = log_->load();
  if (!log) {
    return log.error();
  }
  start.log = std::move(*log);
  start.applied = executor_->applied();
  start.applied_stamp_ms = executor_->applied_stamp_ms();
  start.sessions = executor_->session_rows();
  const LogIndex last = start.log.last_index;
  LogIndex from = std::max(std::max(start.log.commit, start.applied) + 1, start.log.first_index);
  if (last > start.applied) {
    from = std::min(from, last);
  }
  while (from <= last) {
    Result<std::vector<raft::Entry>> part = log_->read(from, last, kTailBytes);
    if (!part) {
      return part.error();
    }
    from = part->back().index + 1;
    std::ranges::move(*part, std::back_inserter(start.tail));
  }
  return start;
}

}  // namespace kiwi::actors
