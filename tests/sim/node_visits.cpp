// Visits to other nodes' peer ports, as actors/node/JoiningShell pays and gets them: a leader looks
// at a member's own address before it believes that the member came back with another directory.
#include <algorithm>
#include <utility>

#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kVisitUs = 3'000'000;

}  // namespace

void Node::returned(raft::Member member) {
  client_input([this, member = std::move(member)] {
    home_->returned({member}, monotonic_ms());
    carry_out_visits();
  });
}

void Node::carry_out_visits() {
  actors::HomecomingEffects effects = home_->take_effects();
  for (const actors::HomecomingEffects::Call& call : effects.calls) {
    const auto heard = [this, id = call.visit](const actors::VisitOutcome& outcome) {
      home_->visited(id, outcome);
      carry_out_visits();
    };
    later(kVisitUs, [heard] { heard({}); });
    world_.network.visit(id_, call.address, [this, heard, life = life_](const auto& outcome) {
      if (life == life_) {
        client_input([heard, outcome] { heard(outcome); });
      }
    });
  }
  carry_out(std::move(effects.requests));
}

// In a cluster a node without one has no core before it hears that a committed configuration has
// it: until then it is empty. Here it takes what it is sent.
bool Node::is_empty() const {
  return std::ranges::none_of(world_.checks.committed().configurations, [this](const auto& known) {
    return known.second.has(id_, incarnation_);
  });
}

void Node::visited(std::function<void(actors::VisitReply)> tell) {
  client_input([this, tell = std::move(tell)] {
    actors::VisitReply reply;
    reply.member = member();
    reply.empty_node = is_empty();
    reply.configuration = facts_.committed;
    tell(std::move(reply));
  });
}

}  // namespace kiwi::sim
