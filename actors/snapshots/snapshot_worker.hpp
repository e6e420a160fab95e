// SnapshotWorker: makes, sends, receives, installs and deletes snapshots. A shell over
// SnapshotSender (one per follower) and SnapshotReceiver; on CAF's scheduler, whose one thread has
// nothing else to do, so it may read, write and sync files. Speaks to peers through ReplicaHost's
// links only.
//
// Installing (F14, F15): everything here and verified -> named state-<n> -> Raft judges -> LogStore
// records the name (the one commit point) -> StateMachine swaps -> the old state is deleted. It is
// vital from the judgement to the swap (F28).
//
// A checkpoint is made when a follower needs files, serves all that need them, and is deleted when
// nobody has for a while.
//
// Dying at any other time costs the node nothing but the time: Node starts another worker, which
// knows nothing of this one. Its directories go with it, also those that are still being made; the
// files that a transfer brought stay for the next one; RaftReplica lets go of what it held back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "actors/snapshots/signs_of_life.hpp"
#include "actors/snapshots/snapshot_receiver.hpp"
#include "actors/snapshots/snapshot_sender.hpp"
#include "config/base/job_thread.hpp"
#include "config/base/prng.hpp"
#include "resp/node_context.hpp"
#include "rocks/background.hpp"

namespace kiwi::actors {

// What INFO and the log want to know; written by the worker, read by the client loop.
struct SnapshotReport {
  uint64_t created = 0;      // checkpoints made
  uint64_t sent = 0;         // transfers a follower confirmed
  uint64_t sent_deltas = 0;  // of them
  uint64_t received = 0;     // installed
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t last_bytes = 0;  // received by the last one installed
  const char* last_mode = "none";
  bool receiving = false;
  NodeId receiving_from;
  LogIndex receiving_index;
  SnapshotReceiver::Progress receiving_progress;
  struct Sending {
    LogIndex index;
    SnapshotSender::Progress progress;
  };
  std::map<NodeId, Sending> sending;
  LogIndex checkpoint_index;  // of the one that is kept; 0 = none
  uint64_t checkpoint_bytes = 0;
  std::string damage;  // not empty: the own state has it, and nothing is sent of it

  // What is left when the worker is gone: the counters, and what is known of the state.
  SnapshotReport counters() const {
    SnapshotReport kept;
    kept.created = created;
    kept.sent = sent;
    kept.sent_deltas = sent_deltas;
    kept.received = received;
    kept.bytes_sent = bytes_sent;
    for (const auto& [follower, talk] : sending) {
      kept.bytes_sent += talk.progress.bytes_sent;
    }
    kept.bytes_received = bytes_received;
    kept.last_bytes = last_bytes;
    kept.last_mode = last_mode;
    kept.damage = damage;
    return kept;
  }
};

class SnapshotBoard {  // any thread
 public:
  void set(SnapshotReport report) {
    const std::lock_guard lock(mutex_);
    report_ = std::move(report);
  }
  SnapshotReport get() const {
    const std::lock_guard lock(mutex_);
    return report_;
  }

 private:
  mutable std::mutex mutex_;
  SnapshotReport report_;
};

struct SnapshotWorkerOptions {
  std::string dir;         // the group's data directory
  std::string live_state;  // name of the directory the state is in
  Incarnation self;
  GroupId group = kFirstGroup;
  uint64_t seed = 1;
  uint64_t bytes_per_second = 0;  // 0 = as fast as it goes
  StateMachineHandle state_machine;
  ReplicaHandle replica;
  std::function<int64_t()> now_ms;  // monotonic
  // Opens <dir>/<name> as a state of this node. The error is one sentence.
  std::function<Result<std::shared_ptr<OpenedState>>(const std::string& name)> open_state;
  // Whether a snapshot may take so many bytes of the disk; an error says what lacks. Empty: it may.
  std::function<Result<void>(uint64_t bytes)> room_for;
  SnapshotBoard* board = nullptr;  // outlives the actor; counters go on from what it shows
  uint64_t life = 1;               // of the workers of this process: their directories differ by it
  std::function<void(const std::string& why)> died;  // outside an installation; any thread
  SnapshotSenderOptions sender;
  int64_t keep_checkpoint_ms = 60'000;
  bool in_background = false;  // the thread that it runs on has nothing else to do
};

class SnapshotWorker final : public Hosted<SnapshotWorkerHandle> {
 public:
  SnapshotWorker(caf::actor_config& cfg, const Hosting& hosting, SnapshotWorkerOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;
  void died(const std::string& why) override;

 private:
  // A directory that is made for this worker, maybe when it is gone: then who made it removes it.
  struct Making;
  // A checkpoint of the own state and what reads it. The files go when the last sender lets go.
  struct Checkpoint {
    ~Checkpoint();
    std::string directory;
    std::unique_ptr<rocks::SnapshotSource> source;
    int64_t used_ms = 0;
  };
  // Around what may read, write or sync a whole state: peers of transfers hear that this node is at
  // work, and the time does not count as their silence.
  class AtWork {
   public:
    explicit AtWork(SnapshotWorker& worker);
    ~AtWork();
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;

   private:
    SnapshotWorker& worker_;
    int64_t since_ms_;
  };
  void give_way() const;
  struct Sending {
    std::shared_ptr<Checkpoint> checkpoint;
    std::unique_ptr<SnapshotSender> sender;
    LogIndex pinned;
    int64_t said_ms = 0;
  };

  void wanted(const raft::SnapshotWanted& wanted);
  void start_sending(NodeId follower, LogIndex useful_from);
  std::shared_ptr<Making> make_checkpoint(const std::string& directory);
  std::string new_directory(const char* kind);
  void checkpoint_made(const CheckpointMade& made);
  void own_copy_made(const CheckpointMade& made);
  void source_made(const CheckpointMade& made);
  void back_up(BackUp& order);
  void backup_made(const CheckpointMade& made);
  void received(NodeId peer, const std::string& bytes);
  void pump();
  void pump_sender(NodeId follower, Sending& sending);
  void call_off(NodeId follower, const Sending& sending);
  void pump_receiver();
  void arrived(SnapshotReceiver::Arrived arrived);
  void judged(const SnapshotJudged& judged);
  void stored();
  void swapped(StateSwapped& swapped);
  void timer();
  void report();
  std::string path(const std::string& name) const { return options_.dir + "/" + name; }

  SnapshotWorkerOptions options_;
  Prng prng_;
  ByteRate rate_;
  SnapshotReceiver receiver_;
  std::map<NodeId, Sending> sending_;
  std::map<NodeId, LogIndex> waiting_;  // followers that need the checkpoint that is made
  std::shared_ptr<Checkpoint> checkpoint_;
  std::shared_ptr<Making> making_;    // the checkpoint that was ordered
  std::shared_ptr<Making> own_copy_;  // what a delta is applied to
  uint64_t directories_ = 0;          // named so far
  std::map<NodeId, bool> links_;
  SnapshotNews news_;

  // Installing.
  std::optional<raft::SnapshotMeta> installing_;
  std::string installing_name_;
  int64_t receiving_said_ms_ = 0;

  struct Backup {
    std::shared_ptr<Making> making;
    std::function<void(std::string)> done;
  };
  std::map<std::string, Backup> backups_;  // that are being written, by directory
  SnapshotReport report_;
  uint64_t received_before_ = 0;  // bytes, by workers that died
  SignsOfLife signs_;
  JobThread verifier_{JobThread::Start::kWithFirstJob, JobThread::End::kJobAtHand,
                      rocks::work_in_background};
};

SnapshotWorkerHandle spawn_snapshot_worker(caf::actor_system& system,
                                           const Hosting& hosting,
                                           SnapshotWorkerOptions options);

}  // namespace kiwi::actors
