// LogStore: makes log records durable, in order, and reads old ones for laggards. A shell over
// raft::LogStorage; vital; on the raft loop, where it blocks for the fsync
// (actors/README.md#two-loops).
//
// What RaftReplica sent to followers in the same turn is on its way while this disk syncs
// (Dissertation §10.2.1): BASP was given its frames before this actor its request, and writes them
// when it gets them (peer_scribe.hpp).
//
// A long write goes to a worker thread instead: it may take longer than an election timeout, and a
// loop that sends no heartbeat meanwhile would be deposed over one large value (F29).
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <variant>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "actors/replica/log_write.hpp"
#include "config/metrics.hpp"
#include "raft/log_storage.hpp"

namespace kiwi::actors {

struct LogStoreOptions {
  raft::LogStorage* storage = nullptr;     // outlives the actor
  config::RaftMetrics* metrics = nullptr;  // outlives the actor
  // Runs a job on another thread; empty: every write blocks the loop.
  std::function<void(std::function<void()>)> elsewhere;
  size_t long_write_bytes = 1 << 20;
  // Bytes of entries that the disk has room for, as far as it was looked at; what is written is
  // taken off. Beyond it entries wait, and what comes behind them (F60). Null: no bound.
  std::atomic<int64_t>* room = nullptr;
  // The slowest synced write since somebody took it (by 0). Null: nobody does.
  std::atomic<uint64_t>* slowest_us = nullptr;
  // True while this loop reads or writes the log: it stands as long as the disk does. Null: nobody
  // asks.
  std::atomic<bool>* on_disk = nullptr;
};

class LogStore final : public Hosted<LogStoreHandle> {
 public:
  LogStore(caf::actor_config& cfg, const Hosting& hosting, LogStoreOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;

 private:
  // In the order in which it was asked for, but for cuts while there is no room.
  using Job = std::variant<LogWrite, raft::LogRead, raft::CutRequest, InstallSnapshot>;

  void queue(Job job);
  void work_all();
  void cut_ahead();
  bool has_room(const Job& job) const;
  size_t joined_bytes_max() const;
  void persist(LogWrite write);
  void cut(const raft::CutRequest& request);
  void install(const InstallSnapshot& order);
  void persist_elsewhere(LogWrite write);
  void written(const LogWritten& result);
  void read(const raft::LogRead& request);

  LogStoreOptions options_;
  ReplicaHandle replica_;
  GroupId group_;
  SnapshotWorkerHandle snapshots_;
  std::deque<Job> waiting_;
  LogIndex first_index_;  // of the log; what is asked for below it was cut
  bool writing_ = false;  // the worker has the storage, which takes one caller at a time
  bool waits_for_room_ = false;
  bool said_that_it_waits_ = false;
};

LogStoreHandle spawn_log_store(caf::actor_system& system,
                               const Hosting& hosting,
                               LogStoreOptions options);

}  // namespace kiwi::actors
