#include "actors/node/faces_shell.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "actors/client_loop.hpp"
#include "resp/addresses.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

// A link that broke is noticed here: until then clients may be sent to a node that is gone, and ask
// another one.
namespace {
constexpr int64_t kMatchesMs = 50;  // between two questions of a follower
}  // namespace

void FacesShell::fill(resp::NodeContext& context) {
  context.replicas_awaited = [this] { watch_replicas(); };
  announcement_.fill(context.admin);
}

void FacesShell::tell(NodeId to, const FaceNote& note) const {
  if (node_.facts.core_runs) {
    caf::anon_send(node_.replica, PeerNote{to, encode_face_note(note)});
  }
}

bool FacesShell::take(const PeerNote& from) {
  const std::optional<FaceNote> note = decode_face_note(from.bytes);
  if (note && node_.facts.latest.has(from.peer, from.incarnation)) {
    std::visit([&](const auto& what) { take(from.peer, what); }, *note);
  }
  return note.has_value();
}

// ---------------------------------------------------------------- who has what

// As long as somebody waits, and no longer.
void FacesShell::watch_replicas() {
  if (std::exchange(watching_replicas_, true)) {
    return;
  }
  const auto ask = [this] {
    if (!node_.facts.leads() && node_.facts.raft.leader) {
      tell(node_.facts.raft.leader, MatchAskNote{});
    }
  };
  ask();
  node_.client_loop->every(kMatchesMs, [this, ask] {
    node_.context.look_after_replica_waits();
    watching_replicas_ = node_.context.replica_waits.any();
    if (watching_replicas_) {
      ask();
    } else {
      node_.context.matches = {};  // a member may be replaced before somebody waits again
    }
    return watching_replicas_;
  });
}

void FacesShell::take(NodeId from, const MatchAskNote&) {
  const raft::Status& raft = node_.facts.raft;
  if (!raft.leads()) {
    return;
  }
  MatchNote note;
  note.matches.term = raft.term;
  note.matches.members.emplace_back(raft.id, raft.persisted);
  for (const raft::PeerStatus& peer : raft.peers) {
    if (peer.member.id != raft.id) {
      note.matches.members.emplace_back(peer.member.id, peer.match);
    }
  }
  tell(from, note);
}

void FacesShell::take(NodeId from, const MatchNote& note) {
  if (from == node_.facts.raft.leader && note.matches.term == node_.facts.raft.term) {
    node_.context.matches = note.matches;
    node_.context.look_after_replica_waits();
  }
}

// ---------------------------------------------------------------- where clients are sent

void FacesShell::look_for_leader() {
  node_.context.advice = resp::advise(node_.context, node_.facts.raft);
}

// Clients hear of a leader that is gone as soon as this node does, and wait for the next one.
void FacesShell::tell_of_failover() {
  const raft::Status& raft = node_.facts.raft;
  // Nobody else could lead a node alone.
  const bool hands_over = raft.leads() && node_.draining && node_.facts.latest.voters.size() > 1;
  const resp::FailoverNews::Sight now{raft.term, raft.leader && raft.ready, hands_over};
  if (const auto message = failover_news_.look(now, node_.options.raft_response_timeout)) {
    node_.context.tell_of_failover(*message);
  }
}

void FacesShell::timer() {
  look_for_leader();
  tell_of_failover();
  announcement_.timer();
  look_after_serving_waits();
}

// Whoever is told OK goes on at once. So it is not told before this node knows where the leader is:
// a new one may serve by a leader's word before the log has come that names the members.
void FacesShell::look_after_serving_waits() {
  const resp::Service service = node_.context.status.service;
  const bool lost =
      service == resp::Service::kUp && node_.facts.latest.find(node_.facts.raft.leader) == nullptr;
  node_.context.serving_waits.look(lost ? resp::Service::kLoading : service,
                                   ClientLoop::monotonic_ms());
}

void FacesShell::observe(const RaftReport& report) {
  const bool leader_changed = std::ranges::any_of(report.events, [](const raft::Event& event) {
    return std::holds_alternative<raft::LeaderChanged>(event);
  });
  if (leader_changed) {
    look_for_leader();
    tell_of_failover();
    announcement_.timer();
  }
  for (const NodeId peer : report.links_up) {
    announcement_.tell_what_is(peer);
  }
}

void FacesShell::options_changed() {
  node_.router->set_follower_proxy(node_.options.raft_follower_proxy, ClientLoop::monotonic_ms());
}

std::string FacesShell::cluster_address(const raft::Member& member) const {
  return resp::face_address(node_.context, member, resp::Face::kCluster);
}

}  // namespace kiwi::actors
