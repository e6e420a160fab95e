#include "actors/node/announcement.hpp"

#include <utility>

#include "config/base/check.hpp"
#include "raft/configuration.hpp"

namespace kiwi::actors {

bool Announcement::take(const Announced& told) {
  if (!told.node || told <= now_) {
    return false;
  }
  now_ = told;
  return true;
}

bool Announcement::is_fit(NodeId node, const Sight& sight, bool may_drain) const {
  if (cluster_.latest.find(node) == nullptr) {
    return false;
  }
  const MemberState state = sight.state_of(node);
  const bool there = state.linked || sight.now_ms - state.unlinked_since_ms < patience_ms_;
  return there && state.serves && (may_drain || !state.drains);
}

// A leader that is about to learn that it leads no more would see everybody gone, and what it
// announces then would win over what the others agree on. Of a joint configuration both halves.
bool Announcement::is_cut_off(const Sight& sight) const {
  return !raft::has_quorum(cluster_.latest, [&](NodeId voter) {
    return voter == cluster_.self || sight.state_of(voter).linked;
  });
}

// Whoever is announced, the leader, any voter, in this order; one that drains rather than one that
// is gone. 0: nobody is fit.
NodeId Announcement::fittest(const Sight& sight) const {
  for (const bool may_drain : {false, true}) {
    for (const NodeId node : {now_.node, cluster_.self}) {
      if (node && is_fit(node, sight, may_drain)) {
        return node;
      }
    }
    for (const NodeId voter : cluster_.latest.voters) {
      if (is_fit(voter, sight, may_drain)) {
        return voter;
      }
    }
  }
  return {};
}

bool Announcement::look(const std::function<MemberState(NodeId)>& state_of, int64_t now_ms) {
  const Sight sight{state_of, now_ms};
  const NodeId wished = std::exchange(wished_, NodeId{});
  // A later term's announcement says that this node leads no more, and has not heard it yet.
  if (!cluster_.leads() || !cluster_.raft.ready || now_.term > cluster_.raft.term ||
      is_cut_off(sight)) {
    return false;
  }
  const bool does_wish = wished && is_fit(wished, sight, /*may_drain=*/false);
  const NodeId next = does_wish ? wished : fittest(sight);
  if (!next || next == now_.node) {
    return false;
  }
  announce(next);
  return true;
}

void Announcement::announce(NodeId node) {
  const Term term = cluster_.raft.term;
  CHECK_INVARIANT(node && term >= now_.term);
  now_ = {term, now_.term == term ? now_.counter + 1 : 1, node};
}

}  // namespace kiwi::actors
