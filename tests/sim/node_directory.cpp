// A node's data directory: lost, copied, put back, and the marks by which others know how far it
// went (F1, F52).
#include <utility>

#include "config/base/check.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

void Node::wipe(const Incarnation& incarnation) {
  CHECK_INVARIANT(!running());
  if (world_.options.mutant != "wiped-node-keeps-id") {
    incarnation_ = incarnation;
    marks_.clear();
    known_marks_.clear();
  }
  old_copy_ = false;
  disk_ = SimDisk{};
  told_vote_ = {};
  states_.clear();
  states_[raft::kFirstLiveState] = make_store();
  raft::Identity identity;
  identity.node = id_;
  identity.incarnation = incarnation_;
  disk_.set_identity(identity).has_value();
  world_.trace("wipe", id_, 0, 0);
}

Directory Node::copy_directory() { return {disk_, state_->flushed(), marks_}; }

void Node::put_back(const Directory& copy) {
  CHECK_INVARIANT(!running());
  disk_ = copy.disk;
  told_vote_ = {};
  marks_ = copy.marks;
  old_copy_ = true;
  states_.clear();
  auto state = make_store();
  if (const LogIndex index = record_of(copy.maps).index) {
    state->become(copy.maps, index);
  }
  states_[disk_.live_state().value()] = std::move(state);
  world_.trace("put back", id_, disk_.last_index().value, 0);
}

void Node::draw_mark() { raft::add_mark(marks_, world_.prng.next()); }

bool Node::goes_on(const Node& peer) const {
  const auto known = known_marks_.find({peer.id_, peer.incarnation_});
  return known == known_marks_.end() ||
         known->second.judge(peer.marks_) == raft::Lineage::Judgement::kGoesOn;
}

bool Node::hear(const Node& peer) {
  if (!goes_on(peer)) {
    return false;
  }
  known_marks_[{peer.id_, peer.incarnation_}].learn(peer.marks_);
  for (const auto& [life, lineage] : peer.known_marks_) {  // as members tell each other
    if (life.first != id_) {
      known_marks_[life].learn(lineage.marks());
    }
  }
  return true;
}

}  // namespace kiwi::sim
