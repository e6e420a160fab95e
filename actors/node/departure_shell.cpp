#include "actors/node/departure_shell.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "actors/client_loop.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/node/redisraft_directory.hpp"
#include "actors/node/storage.hpp"
#include "config/base/log.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

namespace {
constexpr int64_t kStepMs = 20;
// For the flush at the end. Only the length of the next start hangs on it.
constexpr int64_t kFlushMs = 10'000;
// All of it, and what a busy machine adds to it.
constexpr auto kPatience = std::chrono::seconds(20);
}  // namespace

void DepartureShell::fill(resp::Admin& admin) {
  admin.shutdown = [this] { node_.client_loop->post([this] { begin("SHUTDOWN"); }); };
  admin.shutdown_now = [this] { node_.client_loop->post([this] { finish(); }); };
}

void DepartureShell::begin(const char* why) {
  guard_.arm(kPatience);
  if (!departure_.begin(ClientLoop::monotonic_ms())) {
    return;
  }
  log_notice(std::string("stopping: ") + why);
  node_.draining = true;
  node_.server->stop_accepting();
  peers_.no_more_links();
  step();
  node_.client_loop->every(kStepMs, [this] {
    step();
    return departure_.stage() != Departure::Stage::kGone;
  });
}

void DepartureShell::members_changed() {
  const raft::Configuration& members = node_.facts.committed;
  if (std::ranges::find(members.removed_ids, node_.facts.self) != members.removed_ids.end() &&
      members.find(node_.facts.self) == nullptr) {
    leave_cluster();
  }
}

void DepartureShell::leave_cluster() {
  if (node_.options.raft_dialect != config::Dialect::kRedisRaft ||
      departure_.stage() != Departure::Stage::kNotYet) {
    return;
  }
  const std::string name = node_.own.cluster.hex().substr(0, 8) + "-" +
                           std::to_string(node_.facts.self.value) + "-" +
                           std::to_string(ClientLoop::wall_ms());
  if (Result<void> noted = note_removal(node_.options.dir, name); !noted) {
    log_warning("this node stays, for what it has cannot be set aside: " + noted.error().text);
    return;
  }
  begin("it was removed from its cluster");
}

void DepartureShell::handed_over(const raft::ChangeOutcome& outcome) {
  if (departure_.stage() == Departure::Stage::kHandingOver) {
    log_notice(outcome.done() ? "leadership was handed over"
                              : "leadership was not handed over: " + raft::sentence(outcome));
    step();
  }
}

void DepartureShell::step() {
  const resp::RouterStatus pending = node_.router->status();
  Departure::Seen seen;
  seen.must_hand_over = node_.facts.leads() && node_.facts.latest.voters.size() > 1;
  seen.clients = node_.server->clients();
  seen.answers_owed =
      pending.pending_batches != 0 || pending.waiting_reads != 0 || !node_.server->idle();
  switch (departure_.step(seen, ClientLoop::monotonic_ms())) {
    case Departure::Do::kNothing:
      return;
    case Departure::Do::kHandOver:
      caf::anon_send(node_.replica, TransferLeadership{{raft::Asker::kShutdown, 0}, NodeId{}});
      return;
    case Departure::Do::kPart:
      node_.server->part();
      return;
    case Departure::Do::kFinish:
      node_.server->finish();
      return;
    case Departure::Do::kEnd:
      node_.client_loop->post([this] { finish(); });
      return;
  }
}

// What is acknowledged is in the log of a majority already; the flush only makes the next start
// short, and is not waited for without end: a disk may be full, or dead. Ending the process without
// unwinding CAF's threads is safe then and cannot hang.
void DepartureShell::finish() {
  guard_.arm(kPatience);
  const auto end = [](const std::string& text) {
    log_notice(text);
    log_flush();
    std::_Exit(0);
  };
  node_.storage->keyspace().flush_async([end](LogIndex) { end("stopped"); });
  node_.client_loop->every(kFlushMs, [this, end] {
    end("stopped; the flush of the state in " + node_.storage->group_dir() + "/" +
        node_.storage->live_state() + " took too long: the next start reads more of the log");
    return false;
  });
}

}  // namespace kiwi::actors
