#include "actors/node/storage.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sys/random.h>
#include <system_error>
#include <utility>

#include "actors/data_directory.hpp"
#include "actors/node/directory_marks.hpp"
#include "config/base/check.hpp"
#include "config/base/clock.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"
#include "resp/script_engine.hpp"
#include "rocks/files.hpp"
#include "rocks/snapshot_target.hpp"

namespace kiwi::actors {

namespace {

constexpr size_t kTailBytes = 16 << 20;  // of one read of the log's end

// More records than this in one read would hold up the loop's other clients.
constexpr uint64_t kLongReadElements = 20'000;

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
  state_.reset();
  log_.reset();
}

Result<std::unique_ptr<Storage>> Storage::open(const config::Options& options,
                                               resp::Measures* measures,
                                               RefusalTold on_refusal) {
  std::unique_ptr<Storage> storage(new Storage);
  storage->dir_ = options.dir;
  storage->group_dir_ = data_directory::group(options.dir, kFirstGroup);
  std::error_code failed;
  std::filesystem::create_directories(options.dir, failed);
  if (failed) {
    return Error{Errc::kIo, "cannot create the data directory " + options.dir + ": " +
                                failed.message() + "; set dir to a place this user may write"};
  }
  const Result<std::optional<std::string>> note = old_copy_note(options.dir);
  if (!note) {
    return note.error();
  }
  if (note->has_value()) {
    return Error{Errc::kConflict, **note};
  }
  if (!resp::ScriptEngine::has_place(kFirstGroup)) {
    return Error{
        Errc::kIo,
        "there is no address space for scripts at the place that all nodes of a cluster "
        "have them: something that was loaded into this process stands there, or the limit "
        "on address space (ulimit -v) is too low"};
  }
  auto log = rocks::open_rocks_log(
      {storage->group_dir_ + "/" + data_directory::kLog, options.raft_log_fsync});
  if (!log) {
    return at(options.dir, log.error());
  }
  storage->log_ = std::move(*log);
  if (Result<void> loaded = storage->load_identity(options); !loaded) {
    return loaded.error();
  }
  storage->log_fsync_ = options.raft_log_fsync;
  storage->skip_entry_ = options.skip_entry;
  storage->read_scripts_ = std::make_shared<resp::ReadScripts>();
  storage->measures_ = measures;
  storage->on_refusal_ = std::move(on_refusal);
  storage->cluster_version_max_ = static_cast<uint32_t>(options.raft_test_max_version);
  storage->table_ = options.state_engine == config::StateEngine::kTable;
  storage->table_bytes_ = static_cast<uint64_t>(options.cache_state);
  storage->block_cache_bytes_ = static_cast<uint64_t>(options.cache_blocks);
  Result<std::string> live = storage->log_->live_state();
  if (!live) {
    return at(options.dir, live.error());
  }
  storage->remove_leftovers(*live);
  Result<std::shared_ptr<OpenedState>> state = storage->open_state(*live);
  if (!state) {
    return at(options.dir, state.error());
  }
  storage->state_ = std::move(*state);
  if (Result<void> fits = storage->check_state_fits_log(); !fits) {
    return fits.error();
  }
  return storage;
}

Result<std::shared_ptr<OpenedState>> Storage::open_state(const std::string& name) const {
  auto state = std::make_shared<OpenedState>();
  state->name = name;
  rocks::KeyspaceOptions options;
  options.path = group_dir_ + "/" + name;
  if (!log_fsync_) {
    options.before_flush = [log = log_.get()] {
      if (Result<void> synced = log->sync(); !synced) {
        fatal("syncing the Raft log failed: " + synced.error().text);
      }
    };
  }
  options.table_bytes = table_bytes_;
  options.block_cache_bytes = block_cache_bytes_;
  auto opened = table_ ? rocks::open_table_keyspace(options) : rocks::open_plain_keyspace(options);
  if (!opened) {
    return opened.error();
  }
  state->keyspace = std::move(*opened);
  resp::ExecutorOptions executor;
  executor.node = identity_.node;
  executor.incarnation = identity_.incarnation;
  executor.epoch = identity_.boot_epoch;
  executor.long_read_elements = kLongReadElements;
  executor.now_us = boot_clock_us;
  executor.skip_entry = skip_entry_;
  executor.read_scripts = read_scripts_;
  executor.measures = measures_;
  executor.on_refusal = on_refusal_;
  executor.on_difference = [dir = dir_](const std::string& sentence) {
    // The next start is refused: who cannot write it down stops all the same.
    if (Result<void> left = leave_old_copy_note(dir, sentence); !left) {
      log_error(left.error().text);
    }
  };
  executor.cluster_version_max = cluster_version_max_;
  state->executor = std::make_unique<resp::Executor>(*state->keyspace, executor);
  return state;
}

std::shared_ptr<OpenedState> Storage::adopt(std::shared_ptr<OpenedState> fresh) {
  CHECK_INVARIANT(fresh != nullptr && fresh->name != state_->name);
  std::shared_ptr<OpenedState> old = std::exchange(state_, std::move(fresh));
  failpoint("state-swapped");
  return old;
}

// What an installation, a transfer or a checkpoint left that a crash cut short (F14). Files of an
// unfinished transfer stay: the next one goes on with them.
void Storage::remove_leftovers(const std::string& live) const {
  std::error_code failed;
  std::vector<std::filesystem::path> going;
  const std::string restoring = dir_ + "/" + data_directory::kRestoring;
  if (std::filesystem::exists(restoring, failed)) {
    going.emplace_back(restoring);
  }
  for (const auto& item : std::filesystem::directory_iterator(group_dir_, failed)) {
    const std::string name = item.path().filename().string();
    const bool old_state = name.starts_with(data_directory::kStatePrefix) && name != live;
    const bool old_transfer =
        name == data_directory::kIncoming && !rocks::unfinished_transfer(item.path().string());
    if (old_state || old_transfer || name.starts_with(data_directory::kCheckpoint) ||
        name.starts_with(data_directory::kOwnCopy)) {
      going.push_back(item.path());
    }
  }
  for (const std::filesystem::path& path : going) {
    log_notice("removing " + path.string() + ", which the last run of this node left unfinished");
    if (Result<void> removed = rocks::remove_directory(path.string()); !removed) {
      log_warning(removed.error().text);
    }
  }
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
  // Ahead of the number: a crash between the two leaves no start without a mark.
  if (Result<void> drawn = draw_mark(); !drawn) {
    return at(dir_, drawn.error());
  }
  if (Result<void> synced = log_->set_identity(identity_); !synced) {
    return at(dir_, synced.error());
  }
  return {};
}

// F52: on disk before any peer hears of it.
Result<void> Storage::draw_mark() {
  Result<std::vector<raft::Mark>> marks =
      load_marks(dir_, identity_.incarnation, identity_.boot_epoch);
  if (!marks) {
    return marks.error();
  }
  raft::add_mark(*marks, random_mark());
  if (Result<void> stored = store_marks(dir_, identity_.incarnation, *marks); !stored) {
    return stored;
  }
  marks_ = std::move(*marks);
  return {};
}

// F13, F38: the log must reach down to the state and the state must not be ahead of the log.
Result<void> Storage::check_state_fits_log() {
  Result<raft::LoadedLog> log = log_->load();
  if (!log) {
    return at(dir_, log.error());
  }
  const LogIndex applied = state_->executor->applied();
  if (log->first_index > applied + 1) {
    return Error{Errc::kCorrupt,
                 "the log in " + dir_ + " starts at entry " + number(log->first_index) +
                     " but the state ends at " + number(applied) +
                     ": entries between are missing; wipe this node, the others will refill it"};
  }
  if (skip_entry_.index != 0 && skip_entry_.index <= applied.value) {
    log_warning("skip-entry " + config::option_text(skip_entry_) + " has no effect: the state in " +
                dir_ + " is at entry " + number(applied) + " already; remove the option");
  }
  if (applied > std::max(log->last_index, log->snapshot.index)) {
    return Error{Errc::kCorrupt,
                 "the state in " + dir_ + " is at entry " + number(applied) +
                     " but the log ends at " + number(log->last_index) +
                     ": the log lost its end (raft.log-fsync no, or an old copy); wipe this node, "
                     "the others will refill it"};
  }
  for (const raft::SessionRow& row : state_->executor->session_rows()) {
    if (row.node == identity_.node && row.incarnation == identity_.incarnation &&
        row.epoch >= identity_.boot_epoch) {
      const std::string sentence =
          "the state in " + dir_ +
          " is of a later start than the log: an old copy of the log was put there, or this "
          "directory is "
          "an old copy that the others refilled; wipe this node, they will refill it";
      // Each start has a higher number: one of the next would pass for the later one (F52).
      if (Result<void> left = leave_old_copy_note(dir_, sentence); !left) {
        log_warning(left.error().text);
      }
      return Error{Errc::kCorrupt, sentence};
    }
  }
  return {};
}

uint64_t Storage::log_disk_bytes() const {
  uint64_t bytes = 0;
  std::error_code failed;
  for (const auto& file :
       std::filesystem::directory_iterator(group_dir_ + "/" + data_directory::kLog, failed)) {
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
  start.applied = state_->executor->applied();
  start.applied_stamp_ms = state_->executor->applied_stamp_ms();
  start.sessions = state_->executor->session_rows();
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
