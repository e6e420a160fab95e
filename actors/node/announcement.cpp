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

bool Announcement::is_fit(NodeId node,
                          const std::function<MemberState(NodeId)>& state_of,
                          int64_t now_ms) const {
  if (cluster_.latest.find(node) == nullptr) {
    return false;
  }
  const MemberState state = state_of(node);
  const bool there = state.linked || now_ms - state.unlinked_since_ms < patience_ms_;
  return there && state.serves && !state.drains;
}

// A leader that is about to learn that it leads no more would see everybody gone, and what it
// announces then would win over what the others agree on. Of a joint configuration both halves.
bool Announcement::is_cut_off(const std::function<MemberState(NodeId)>& state_of) const {
  return !raft::has_quorum(cluster_.latest, [&](NodeId voter) {
    return voter == cluster_.self || state_of(voter).linked;
  });
}

bool Announcement::look(const std::function<MemberState(NodeId)>& state_of, int64_t now_ms) {
  const std::optional<NodeId> wished = std::exchange(wished_, std::nullopt);
  // A later term's announcement says that this node leads no more, and has not heard it yet.
  if (!cluster_.leads() || !cluster_.raft.ready || now_.term > cluster_.raft.term) {
    return false;
  }
  if (wished && *wished != now_.node && is_fit(*wished, state_of, now_ms)) {
    announce(*wished);
    return true;
  }
  if (now_.node && is_fit(now_.node, state_of, now_ms)) {
    return false;
  }
  if (is_cut_off(state_of)) {
    return false;
  }
  if (now_.node != cluster_.self && is_fit(cluster_.self, state_of, now_ms)) {
    announce(cluster_.self);
    return true;
  }
  // A leader that drains, or loads: whoever votes and serves.
  for (const NodeId voter : cluster_.latest.voters) {
    if (is_fit(voter, state_of, now_ms)) {
      announce(voter);
      return true;
    }
  }
  return false;  // nobody is better
}

void Announcement::announce(NodeId node) {
  const Term term = cluster_.raft.term;
  CHECK_INVARIANT(node && term >= now_.term);
  now_ = {term, now_.term == term ? now_.counter + 1 : 1, node};
}

}  // namespace kiwi::actors
