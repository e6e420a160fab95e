// Node: the orderly end. Stops accepting, hands leadership over while clients are served on, then
// parts with each client behind an answer, so that no command is under way when its connection
// ends; who is silent, or never is, is ended where it stands after what was read is answered.
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include "actors/node/node_state.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {
constexpr int64_t kHandOverMs = 1500;
constexpr int64_t kPartMs = 300;  // a client that says nothing for so long is taken for idle
constexpr int64_t kFinishMs = 2000;
constexpr int64_t kLingerMs = 150;  // for clients to see that the connection ends
constexpr int64_t kStepMs = 20;
// For the flush at the end. Only the length of the next start hangs on it.
constexpr int64_t kFlushMs = 10'000;
// All of the above, and what a busy machine adds to it.
constexpr auto kPatience = std::chrono::seconds(20);
}  // namespace

void Node::State::stop(const char* why) {
  stop_guard.arm(kPatience);
  if (stopping != Stopping::kNo) {
    return;
  }
  log_notice(std::string("stopping: ") + why);
  server->stop_accepting();
  stopping = Stopping::kHandingOver;
  stop_deadline_ms = ClientLoop::monotonic_ms() + kHandOverMs;
  const bool leads = raft_status.role == raft::Role::kLeader;
  if (leads && configuration.voters.size() > 1) {
    caf::anon_send(replica_actor, TransferLeadership{1, NodeId{0}});
  } else {
    stop_step();
  }
  client_loop->every(kStepMs, [this] {
    stop_step();
    return stopping != Stopping::kDone;
  });
}

void Node::State::stop_step() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  const bool leads = raft_status.role == raft::Role::kLeader && configuration.voters.size() > 1;
  if (stopping == Stopping::kHandingOver && (!leads || now_ms >= stop_deadline_ms)) {
    stopping = Stopping::kParting;
    stop_deadline_ms = now_ms + kPartMs;
    server->part();
    return;
  }
  if (stopping == Stopping::kParting && (server->clients() == 0 || now_ms >= stop_deadline_ms)) {
    stopping = Stopping::kFinishing;
    stop_deadline_ms = now_ms + kFinishMs;
    server->finish();
    return;  // looked at again when the connections have heard it
  }
  if (stopping == Stopping::kFinishing) {
    const resp::RouterStatus pending = router->status();
    if ((pending.pending_batches == 0 && pending.waiting_reads == 0 && server->idle()) ||
        now_ms >= stop_deadline_ms) {
      stopping = Stopping::kLingering;
      stop_deadline_ms = now_ms + kLingerMs;
    }
  }
  if (stopping == Stopping::kLingering && (server->clients() == 0 || now_ms >= stop_deadline_ms)) {
    stopping = Stopping::kDone;
    client_loop->post([this] { finish(); });
  }
}

// What is acknowledged is in the log of a majority already; the flush only makes the next start
// short, and is not waited for without end: a disk may be full, or dead. Ending the process without
// unwinding CAF's threads is safe then and cannot hang.
void Node::State::finish() {
  stop_guard.arm(kPatience);
  const auto end = [](const std::string& text) {
    log_notice(text);
    log_flush();
    std::_Exit(0);
  };
  storage->keyspace().flush_async([end](LogIndex) { end("stopped"); });
  client_loop->every(kFlushMs, [this, end] {
    end("stopped; the flush of the state in " + storage->group_dir() + "/" + storage->live_state() +
        " took too long: the next start reads more of the log");
    return false;
  });
}

}  // namespace kiwi::actors
