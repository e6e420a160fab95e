// Node: snapshots. Starts the SnapshotWorker, cuts the log when it is due or asked for, makes
// backups, and shows what goes on.
#include <algorithm>
#include <utility>

#include "actors/node/node_state.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kIdleRounds =
    10;  // of the node's timer: a worker at rest is woken once a second
constexpr int64_t kRestartMs = 1000;  // what kills a worker may kill the next one as well

}  // namespace

void Node::State::start_snapshots() {
  SnapshotWorkerOptions worker;
  worker.dir = options.dir;
  worker.live_state = storage->live_state();
  worker.self = storage->identity().incarnation;
  worker.seed = random_seed();
  worker.bytes_per_second = static_cast<uint64_t>(options.raft_snapshot_max_bytes_per_second);
  worker.state_machine = state_machine_actor;
  worker.replica = replica_actor;
  worker.now_ms = ClientLoop::monotonic_ms;
  worker.open_state = [this](const std::string& name) { return storage->open_state(name); };
  worker.room_for = [this](uint64_t bytes) { return room_for(bytes); };
  worker.board = &snapshot_board;
  worker.life = ++snapshot_lives;
  worker.died = [this](const std::string& why) {
    client_loop->post([this, why] { snapshot_worker_died(why); });
  };
  worker.in_background = true;
  // On CAF's scheduler, alone there: it reads and writes files.
  snapshot_actor = spawn_snapshot_worker(*system, Hosting{}, std::move(worker));
  const SnapshotWorkerStarted started{snapshot_actor};
  caf::anon_send(state_machine_actor, started);
  caf::anon_send(log_store_actor, started);
  caf::anon_send(replica_actor, started);
}

// Nothing of the data is lost with it: followers that were being sent a snapshot ask again, and
// what came here stays in its files for the next transfer.
void Node::State::snapshot_worker_died(const std::string& why) {
  log_error("the snapshot worker died (" + why + "); another one starts in a second");
  snapshot_actor = nullptr;
  snapshot_again_ms = ClientLoop::monotonic_ms() + kRestartMs;
  snapshot_board.set(snapshot_board.get().counters());
  for (const auto& [id, done] : std::exchange(backups, {})) {
    done({.error = "ERR backup failed: the snapshot worker died",
          .node = {},
          .cluster = {},
          .detail = {}});
  }
}

void Node::State::snapshot_timer() {
  if (!replica_actor) {
    return;
  }
  if (!snapshot_actor && ClientLoop::monotonic_ms() >= snapshot_again_ms) {
    start_snapshots();
  }
  const SnapshotReport report = snapshot_board.get();
  gate.set_receiving(report.receiving);
  if (snapshot_actor &&
      (report.receiving || !report.sending.empty() || timer_rounds % kIdleRounds == 0)) {
    caf::anon_send(snapshot_actor, timer_atom_v);
  }
  if (report.sending.empty()) {
    cut_behind_flushes();  // not while a checkpoint's way is through the log
  }
  if (timer_rounds % kIdleRounds == 0) {
    const CompactionLimits limits = compaction_limits();
    if (compaction.due(limits, log_size(), ClientLoop::monotonic_ms())) {
      cut_log(Cut::kUsual);
    }
  }
}

CompactionLimits Node::State::compaction_limits() const {
  return {static_cast<uint64_t>(options.raft_snapshot_entries),
          static_cast<uint64_t>(options.raft_log_keep_entries),
          static_cast<uint64_t>(options.raft_log_max_file_size),
          static_cast<uint64_t>(options.raft_log_laggard_max_bytes)};
}

LogSize Node::State::log_size() const {
  return {raft_status.first_index,    raft_status.last_index,
          raft_status.snapshot_index, storage->executor().applied(),
          storage->log_disk_bytes(),  storage->log_stats().entry_bytes};
}

// The state is also flushed when its table is full. With entries of 16 KiB that is twice a second,
// and what of the log is cut at once need not be written from its memtable, nor compacted.
void Node::State::cut_behind_flushes() {
  const LogIndex flushed = storage->keyspace().flushed_index();
  if (flushed == flushed_seen) {
    return;
  }
  flushed_seen = flushed;
  if (compaction.due_behind(compaction_limits(), log_size(), flushed)) {
    FlushState how_far{.write = false, .done = [this](LogIndex index, Term term) {
                         compact_log(Cut::kUsual, index, term);
                       }};
    caf::anon_send(state_machine_actor, std::move(how_far));
  }
}

void Node::State::compact_log(Cut cut, LogIndex flushed, Term term) {
  if (!replica_actor || flushed == LogIndex{0}) {
    return;
  }
  CompactLog order{flushed, term, 0, 0};
  if (cut == Cut::kUsual) {
    order.keep_entries = CompactionPolicy::kept_entries(compaction_limits(), log_size());
    order.keep_for_laggards_entries =
        CompactionPolicy::laggard_entries(compaction_limits(), log_size());
  }
  caf::anon_send(replica_actor, order);
  ++logs_cut;
}

// The state's files are brought up to date beside the clients' work; then the core says how far the
// log may go, and LogStore cuts it. Everything that waits for the cut is told after the flush: from
// then on it happens by itself.
void Node::State::cut_log(Cut cut) {
  FlushState flush;
  const int64_t begun_ms = ClientLoop::monotonic_ms();
  flush.done = [this, begun_ms, cut](LogIndex flushed, Term term) {
    // On the client loop: StateMachine calls it.
    compact_log(cut, flushed, term);
    const int64_t now_ms = ClientLoop::monotonic_ms();
    compaction.cut_done(now_ms);
    last_cut_seconds = (now_ms - begun_ms) / 1000;
    log_verbose("the state is on disk up to entry " + std::to_string(flushed.value) +
                "; the log is cut behind it");
    for (const resp::AdminDone& done : std::exchange(waiting_for_cut[cut], {})) {
      done({});
    }
  };
  caf::anon_send(state_machine_actor, std::move(flush));
}

// RAFT.DEBUG COMPACT: nothing of the log stays that the state holds. SAVE, BGSAVE: what usually
// stays.
void Node::State::cut_now(Cut cut, resp::AdminDone done) {
  if (!replica_actor) {
    done({.error = "NOCLUSTER No Raft Cluster", .node = {}, .cluster = {}, .detail = {}});
    return;
  }
  waiting_for_cut[cut].push_back(std::move(done));
  if (waiting_for_cut[cut].size() == 1) {
    cut_log(cut);
  }
}

void Node::State::back_up(std::string directory, resp::AdminDone done) {
  if (!snapshot_actor) {
    done({.error = replica_actor ? "ERR backup failed: the snapshot worker is being restarted"
                                 : "NOCLUSTER No Raft Cluster",
          .node = {},
          .cluster = {},
          .detail = {}});
    return;
  }
  const uint64_t id = next_backup++;
  backups[id] = std::move(done);
  auto finished = [this, directory, id](const std::string& error) {
    client_loop->post([this, directory, id, error] {
      const auto found = backups.find(id);
      if (found == backups.end()) {
        return;  // told already that the worker died
      }
      resp::AdminAnswer answer;
      answer.error = error.empty() ? std::string() : "ERR backup failed: " + error;
      answer.detail = directory;
      const resp::AdminDone tell = std::move(found->second);
      backups.erase(found);
      tell(answer);
    });
  };
  caf::anon_send(snapshot_actor, BackUp{std::move(directory), std::move(finished)});
}

void Node::State::refresh_snapshot_status() {
  const SnapshotReport report = snapshot_board.get();
  resp::SnapshotStatus& status = context.status.snapshot;
  status.last_index = raft_status.snapshot_index;
  status.last_term = raft_status.snapshot_term;
  status.created = logs_cut + report.created;
  status.received = report.received;
  status.sent = report.sent;
  status.in_progress = compaction.running() || report.receiving || !report.sending.empty();
  status.live_state = storage->live_state();
  status.last_seconds = last_cut_seconds;
  status.in_progress_index = report.receiving          ? report.receiving_index
                             : !report.sending.empty() ? report.sending.begin()->second.index
                                                       : LogIndex{0};
  status.bytes_received = report.bytes_received;
  status.bytes_sent = report.bytes_sent;
  status.checkpoint_index = report.checkpoint_index;
  status.checkpoint_bytes = report.checkpoint_bytes;
  status.last_received_bytes = report.last_bytes;
  status.last_received_mode = report.last_mode;
  status.worker_restarts = snapshot_lives > 1 ? snapshot_lives - 1 : 0;
  status.receiving = report.receiving;
  status.receiving_from = report.receiving_from;
  status.receiving_index = report.receiving_index;
  status.receiving_mode = report.receiving_progress.mode;
  status.receiving_bytes = report.receiving_progress.bytes_received;
  status.receiving_bytes_total = report.receiving_progress.bytes_total;
  status.sending.clear();
  for (const auto& [follower, sending] : report.sending) {
    status.bytes_sent += sending.progress.bytes_sent;
    status.sending[follower] = {sending.index, sending.progress.mode, sending.progress.bytes_sent,
                                sending.progress.bytes_acknowledged, sending.progress.bytes_total};
  }
}

}  // namespace kiwi::actors
