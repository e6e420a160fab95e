#include "actors/node/faces_shell.hpp"

#include <algorithm>
#include <variant>

#include "actors/client_loop.hpp"
#include "resp/addresses.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

// A link that broke is noticed here: until then clients may be sent to a node that is gone, and ask
// another one.
void FacesShell::look_for_leader() {
  node_.context.advice = resp::advise(node_.context, node_.facts.raft);
}

void FacesShell::timer() {
  look_for_leader();
  node_.context.serving_waits.look(node_.context.status.service, ClientLoop::monotonic_ms());
}

void FacesShell::observe(const RaftReport& report) {
  const bool leader_changed = std::ranges::any_of(report.events, [](const raft::Event& event) {
    return std::holds_alternative<raft::LeaderChanged>(event);
  });
  if (leader_changed) {
    look_for_leader();
  }
}

void FacesShell::options_changed() {
  node_.router->set_follower_proxy(node_.options.raft_follower_proxy, ClientLoop::monotonic_ms());
}

std::string FacesShell::cluster_address(const raft::Member& member) const {
  return resp::face_address(node_.context, member, resp::Face::kCluster);
}

}  // namespace kiwi::actors
