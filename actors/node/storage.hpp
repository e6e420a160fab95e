// What a node has on disk (data_directory.hpp), of itself and of one Raft group, opened and checked
// (F1, F2, F4, F13, F38, F39).
// Plain class; used by Node before and while actors run. After the core started, the log belongs to
// LogStore alone and the keyspace to the executor. Every error is one sentence that says what to
// do.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/opened_state.hpp"
#include "config/base/result.hpp"
#include "config/options.hpp"
#include "raft/core.hpp"
#include "raft/lineage.hpp"
#include "raft/log_storage.hpp"
#include "resp/executor.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/rocks_log.hpp"

namespace kiwi::actors {

class Storage {
 public:
  // Creates what is missing, raises the boot epoch and syncs it before anything can be proposed.
  // measures: what every executor tells; outlives the storage. None: nothing is measured.
  // on_refusal: the same of what it refuses to clients of this node.
  using RefusalTold = std::function<void(const resp::acl::Refusal&)>;
  static Result<std::unique_ptr<Storage>> open(const config::Options& options,
                                               resp::Measures* measures = nullptr,
                                               RefusalTold on_refusal = nullptr);
  ~Storage();

  raft::LogStorage& log() { return *log_; }
  rocks::RocksLogStats log_stats() const { return log_->stats(); }
  uint64_t log_memory_bytes() const { return log_->memory_bytes(); }
  uint64_t log_disk_bytes() const;
  const std::string& group_dir() const { return group_dir_; }  // of the log and the states
  rocks::Keyspace& keyspace() { return *state_->keyspace; }
  resp::Executor& executor() { return *state_->executor; }
  // Outlives each executor: what a snapshot brings does not replace it.
  const std::shared_ptr<resp::ReadScripts>& read_scripts() const { return read_scripts_; }
  const std::string& live_state() const { return state_->name; }
  const raft::Identity& identity() const { return identity_; }
  // Of this directory, the latest last (F52); the client loop's once the node runs.
  const std::vector<raft::Mark>& marks() const { return marks_; }
  void set_marks(std::vector<raft::Mark> marks) { marks_ = std::move(marks); }

  // The first entry of the cluster this node is in, encoded; empty if it was cut away already.
  Result<std::string> first_entry();
  // Becomes a member: of a cluster that this node founds or that admitted it. `first` is the entry
  // that every founder writes at index 1; without it the leader sends everything.
  Result<void> join(const ClusterId& cluster, const std::optional<raft::Entry>& first);
  // Opens another state directory of this node; any thread.
  Result<std::shared_ptr<OpenedState>> open_state(const std::string& name) const;
  // Makes it this node's state and returns the one before. The client loop's to call.
  std::shared_ptr<OpenedState> adopt(std::shared_ptr<OpenedState> fresh);
  // What the core starts from.
  Result<raft::StartState> start_state();

 private:
  Storage() = default;
  Result<void> load_identity(const config::Options& options);
  Result<void> draw_mark();
  Result<void> check_state_fits_log();
  void remove_leftovers(const std::string& live) const;

  std::string dir_;
  std::string group_dir_;
  bool log_fsync_ = true;
  config::SkipEntry skip_entry_;
  std::shared_ptr<resp::ReadScripts> read_scripts_;
  resp::Measures* measures_ = nullptr;
  RefusalTold on_refusal_;
  uint32_t cluster_version_max_ = 0;
  bool table_ = false;  // the engine of the state, and its memory
  uint64_t table_bytes_ = 0;
  uint64_t block_cache_bytes_ = 0;
  std::unique_ptr<rocks::RocksLog> log_;
  std::shared_ptr<OpenedState> state_;
  raft::Identity identity_;
  std::vector<raft::Mark> marks_;
};

// 128 bits from the kernel.
template <class Id>
Id random_id();
extern template ClusterId random_id<ClusterId>();
extern template Incarnation random_id<Incarnation>();

}  // namespace kiwi::actors
