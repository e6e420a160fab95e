#include "actors/node/snapshots_shell.hpp"

#include <string>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/node/storage.hpp"
#include "config/base/log.hpp"
#include "resp/texts.hpp"
#include "rocks/room.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kCutRounds = 10;  // of the node's timer: a second

}  // namespace

void SnapshotsShell::fill(resp::Admin& admin) {
  admin.compact = [this](resp::AdminDone done) { cut_now(LogCutter::Cut::kAll, std::move(done)); };
  admin.save = [this](resp::AdminDone done) { cut_now(LogCutter::Cut::kUsual, std::move(done)); };
  admin.backup = [this](std::string directory, resp::AdminDone done) {
    back_up(std::move(directory), std::move(done));
  };
}

void SnapshotsShell::core_runs() {
  keeper_.core_runs();
  start_worker();
}

// What the state's files hold need not take room twice.
void SnapshotsShell::disk_is_full() {
  if (node_.facts.core_runs) {
    cutter_.disk_is_full(ClientLoop::monotonic_ms());
    carry_out(cutter_.take_effects());
  }
}

void SnapshotsShell::start_worker() {
  SnapshotWorkerOptions worker;
  worker.dir = node_.storage->group_dir();
  worker.live_state = node_.storage->live_state();
  worker.self = node_.storage->identity().incarnation;
  worker.seed = random_seed();
  worker.bytes_per_second = static_cast<uint64_t>(node_.options.raft_snapshot_max_bytes_per_second);
  worker.state_machine = node_.state_machine;
  worker.replica = node_.replica;
  worker.now_ms = ClientLoop::monotonic_ms;
  worker.open_state = [this](const std::string& name) { return node_.storage->open_state(name); };
  worker.room_for = [this](uint64_t bytes) { return room_for(bytes); };
  worker.board = &board_;
  worker.life = keeper_.started();
  worker.died = [this](const std::string& why) {
    node_.client_loop->post([this, why] { worker_died(why); });
  };
  worker.in_background = true;
  // On CAF's scheduler, alone there: it reads and writes files.
  worker_ = spawn_snapshot_worker(*node_.system, Hosting{}, std::move(worker));
  const SnapshotWorkerStarted started{worker_};
  caf::anon_send(node_.state_machine, started);
  caf::anon_send(node_.log_store, started);
  caf::anon_send(node_.replica, started);
}

// For the files of a snapshot that comes here. Any thread.
Result<void> SnapshotsShell::room_for(uint64_t bytes) const {
  const uint64_t free = rocks::free_bytes(node_.options.dir);
  const uint64_t reserve = node_.disk_reserve;
  if (free >= reserve && free - reserve >= bytes) {
    return {};
  }
  return Error{Errc::kIo, std::to_string(bytes) + " bytes of it are to come, " +
                              std::to_string(free) + " are free on the disk of " +
                              node_.options.dir + ", and " + std::to_string(reserve) +
                              " must stay so (disk-free-min and what is still to be written): make "
                              "room, it is tried again"};
}

void SnapshotsShell::worker_died(const std::string& why) {
  log_error("the snapshot worker died (" + why + "); another one starts in a second");
  worker_ = nullptr;
  board_.set(board_.get().counters());
  for (const BackupAnswer& answer : keeper_.died(ClientLoop::monotonic_ms())) {
    answer_backup(answer);
  }
}

void SnapshotsShell::timer() {
  if (!node_.facts.core_runs) {
    return;
  }
  const int64_t now_ms = ClientLoop::monotonic_ms();
  const SnapshotReport report = board_.get();
  node_.gate.set_receiving(report.receiving);
  look_at_damage(report, now_ms);
  const auto due = keeper_.tick(report.receiving || !report.sending.empty(), now_ms);
  if (due == SnapshotKeeper::Due::kStart) {
    start_worker();
  } else if (due == SnapshotKeeper::Due::kWake) {
    caf::anon_send(worker_, timer_atom_v);
  }
  const LogIndex flushed = node_.storage->keyspace().flushed_index();
  if (report.sending.empty() && cutter_.is_news(flushed)) {
    // Not while a checkpoint's way is through the log.
    cutter_.state_is_at(flushed, log_now());
  }
  if (node_.timer_rounds % kCutRounds == 0) {
    cutter_.tick(log_now(), now_ms);
  }
  carry_out(cutter_.take_effects());
}

void SnapshotsShell::look_at_damage(const SnapshotReport& report, int64_t now_ms) {
  if (report.damage.empty()) {
    return;
  }
  DamagedState::Due due = damaged_.look(now_ms);
  if (due.say) {
    log_error("this node sends no snapshots: " + report.damage);
  }
  if (due.transfer) {
    log_notice("the state of this node is damaged: handing leadership to node " +
               std::to_string(due.transfer->target.value));
    ReplicaRequests requests;
    requests.emplace_back(*due.transfer);
    node_.ask_replica(std::move(requests));
  }
}

LogNow SnapshotsShell::log_now() const {
  return {
      {static_cast<uint64_t>(node_.options.raft_snapshot_entries),
       static_cast<uint64_t>(node_.options.raft_log_keep_entries), node_.options.log_file_bytes(),
       static_cast<uint64_t>(node_.options.raft_log_laggard_max_bytes)},
      {node_.facts.raft.first_index, node_.facts.raft.last_index, node_.facts.raft.snapshot_index,
       node_.storage->executor().applied(), node_.storage->log_disk_bytes(),
       node_.storage->log_stats().entry_bytes}};
}

void SnapshotsShell::carry_out(const LogCutterEffects& effects) {
  for (const LogCutterEffects::Flush& flush : effects.flushes) {
    FlushState order;
    order.write = flush.write;
    order.done = [this, id = flush.id](LogIndex index, Term term) {
      // On the client loop: StateMachine calls it.
      cutter_.flushed(id, index, term, log_now(), ClientLoop::monotonic_ms());
      carry_out(cutter_.take_effects());
    };
    caf::anon_send(node_.state_machine, std::move(order));
  }
  for (const CompactLog& cut : effects.cuts) {
    log_verbose("the state is on disk up to entry " + std::to_string(cut.flushed.value) +
                "; the log is cut behind it");
    caf::anon_send(node_.replica, cut);
  }
  for (const uint64_t request : effects.answered) {
    if (const auto waiting = cut_done_.extract(request)) {
      waiting.mapped()({});
    }
  }
}

// RAFT.DEBUG COMPACT: nothing of the log stays that the state holds. SAVE, BGSAVE: what usually
// stays.
void SnapshotsShell::cut_now(LogCutter::Cut cut, resp::AdminDone done) {
  if (!node_.facts.core_runs) {
    done(refused(std::string(resp::texts::kNoCluster)));
    return;
  }
  cut_done_[cutter_.cut_now(cut, ClientLoop::monotonic_ms())] = std::move(done);
  carry_out(cutter_.take_effects());
}

void SnapshotsShell::back_up(std::string directory, resp::AdminDone done) {
  const BackupAnswer begun = keeper_.back_up(directory);
  backup_done_[begun.id] = std::move(done);
  if (begun.end != BackupEnd::kMade) {
    answer_backup(begun);
    return;
  }
  auto finished = [this, id = begun.id](const std::string& error) {
    node_.client_loop->post([this, id, error] {
      if (const auto answer = keeper_.backup_ended(id, error)) {
        answer_backup(*answer);
      }
    });
  };
  caf::anon_send(worker_, BackUp{std::move(directory), std::move(finished)});
}

void SnapshotsShell::answer_backup(const BackupAnswer& answer) {
  const auto waiting = backup_done_.extract(answer.id);
  resp::AdminAnswer said = refused(sentence(answer));
  said.detail = answer.directory;
  waiting.mapped()(said);
}

void SnapshotsShell::refresh_status() {
  const SnapshotReport report = board_.get();
  resp::SnapshotStatus& status = node_.context.status.snapshot;
  status.last_index = node_.facts.raft.snapshot_index;
  status.last_term = node_.facts.raft.snapshot_term;
  status.created = cutter_.cuts() + report.created;
  status.received = report.received;
  status.sent = report.sent;
  status.sent_deltas = report.sent_deltas;
  status.in_progress = cutter_.running() || report.receiving || !report.sending.empty();
  status.live_state = node_.storage->live_state();
  status.last_seconds = cutter_.last_seconds();
  status.in_progress_index = report.receiving          ? report.receiving_index
                             : !report.sending.empty() ? report.sending.begin()->second.index
                                                       : LogIndex{0};
  status.bytes_received = report.bytes_received;
  status.bytes_sent = report.bytes_sent;
  status.checkpoint_index = report.checkpoint_index;
  status.checkpoint_bytes = report.checkpoint_bytes;
  status.last_received_bytes = report.last_bytes;
  status.last_received_mode = report.last_mode;
  status.worker_restarts = keeper_.restarts();
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
