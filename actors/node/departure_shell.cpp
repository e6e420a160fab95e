#include "actors/node/departure_shell.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/node/redisraft_directory.hpp"
#include "actors/node/storage.hpp"
#include "config/address.hpp"
#include "config/base/log.hpp"
#include "resp/addresses.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

namespace {
constexpr int64_t kStepMs = 20;
constexpr uint64_t kHandOverRounds = 10;  // a second
// For the flush at the end. Only the length of the next start hangs on it.
constexpr int64_t kFlushMs = 10'000;
// All of it, and what a busy machine adds to it.
constexpr auto kPatience = std::chrono::seconds(20);
}  // namespace

void DepartureShell::fill(resp::Admin& admin) {
  admin.shutdown = [this] { node_.client_loop->post([this] { begin("SHUTDOWN"); }); };
  admin.drain = [this](resp::AdminDone done) { drain(std::move(done)); };
  admin.shutdown_now = [this] { node_.client_loop->post([this] { finish(); }); };
}

void DepartureShell::begin(const char* why) {
  const int64_t move_s = node_.options.drain_seconds;
  guard_.arm(std::chrono::milliseconds(patience_ms()));
  if (!departure_.begin(ClientLoop::monotonic_ms(), move_s * 1000)) {
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

int64_t DepartureShell::patience_ms() const {
  return std::chrono::milliseconds(kPatience).count() + node_.options.drain_seconds * 1000;
}

// ---------------------------------------------------------------- before it

// It leads no more and is announced no more, and clients go; it serves whoever stays.
void DepartureShell::drain(resp::AdminDone done) {
  if (!std::exchange(node_.draining, true)) {
    log_notice("draining: RAFT.DRAIN");
    timer();
  }
  done({});
}

void DepartureShell::timer() {
  if (!node_.draining) {
    if (std::exchange(clients_sent_, false)) {
      node_.context.clients_stay();  // it was taken back
    }
    return;
  }
  if (departure_.stage() != Departure::Stage::kNotYet) {
    return;
  }
  const std::optional<NodeId> next = node_.facts.leads() ? successor() : std::nullopt;
  if (next && node_.timer_rounds % kHandOverRounds == 0) {
    hand_over(*next);  // it may be elected again
  }
  if (!next && !std::exchange(clients_sent_, true)) {
    move_clients();
  }
}

std::optional<NodeId> DepartureShell::successor() const {
  std::vector<OtherVoter> others;
  for (const raft::PeerStatus& peer : node_.facts.raft.peers) {
    if (!peer.voter || peer.member.id == node_.facts.self) {
      continue;
    }
    const auto link = node_.context.status.links.find(peer.member.id);
    const bool stays = link != node_.context.status.links.end() && link->second.up &&
                       link->second.serves && !link->second.drains;
    others.push_back({peer.member.id, stays, peer.applied, peer.match});
  }
  return choose_successor(others);
}

void DepartureShell::hand_over(NodeId to) const {
  caf::anon_send(node_.replica, TransferLeadership{{raft::Asker::kShutdown, 0}, to});
}

void DepartureShell::move_clients() {
  ++drains_;
  const uint64_t sequence = (node_.facts.boot_epoch << 20) + drains_;
  const size_t told =
      node_.context.move_clients(sequence, node_.options.drain_seconds,
                                 [this](resp::Face face, bool tls) { return targets(face, tls); });
  if (told != 0) {
    log_notice(std::to_string(told) + " clients were told to go to other nodes");
  }
}

std::vector<resp::MovingTarget> DepartureShell::targets(resp::Face face, bool tls) const {
  std::vector<resp::MovingTarget> out;
  for (const raft::Member& member : node_.facts.committed.members) {
    const auto link = node_.context.status.links.find(member.id);
    const bool serves = link != node_.context.status.links.end() && link->second.up &&
                        link->second.serves && !link->second.drains;
    const std::string address =
        tls ? resp::tls_address(node_.context, member) : member.client_address;
    const Result<config::HostPort> client = config::parse_host_port(address);
    if (serves && client) {
      out.push_back({client->host, tls ? static_cast<uint16_t>(client->port)
                                       : resp::face_port(node_.context, member, face)});
    }
  }
  return out;
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
  seen.moving = node_.context.clients_moving();
  seen.clients = node_.server->clients();
  seen.answers_owed =
      pending.pending_batches != 0 || pending.waiting_reads != 0 || !node_.server->idle();
  switch (departure_.step(seen, ClientLoop::monotonic_ms())) {
    case Departure::Do::kNothing:
      return;
    case Departure::Do::kHandOver:
      hand_over(successor().value_or(NodeId{}));  // to anybody: this one goes for certain
      return;
    case Departure::Do::kMove:
      move_clients();
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
