// Changes of members and of leadership that the owner of a core asks for, and what becomes of them.
// Outcomes are values; sentence() is for whoever shows one to an operator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raft/types.hpp"

namespace kiwi::raft {

// §4.3; a change of one voter is a single step, several at once go through a joint configuration.
struct MembershipChange {
  std::vector<Member> add_learners;  // known id with a new incarnation = replacement (F1)
  std::vector<NodeId> promote;       // learner (or one added here) -> voter, once it caught up
  std::vector<NodeId> remove;
  bool operator==(const MembershipChange&) const = default;
};

// Who asked. The core hands it back with the outcome and makes nothing of it.
enum class Asker : uint8_t { kOrder, kShutdown, kFullDisk };
struct ChangeId {
  Asker asker = Asker::kOrder;
  uint64_t number = 0;  // the asker's own
  bool operator==(const ChangeId&) const = default;
};

// ON THE WIRE (an order's answer), never renumber.
enum class ChangeRefusal : uint8_t {
  kNone = 0,  // done: committed and applied here, or the target leads
  // What passes by itself: the same may succeed later.
  kNotLeader = 1,
  kTermNotCommitted = 2,  // the leader has not committed an entry of its term yet
  kChangeUnderWay = 3,
  kTransferUnderWay = 4,
  kNothingChanges = 5,
  kLostBeforeTransfer = 6,  // leadership was lost and nobody was told to take over
  kLostDuringChange = 7,    // leadership was lost; the change may or may not take place
  // What does not.
  kTransferTimedOut = 8,  // the target did not take over in time; it may yet
  kNoSuccessor = 9,       // no other voter answers
  kNotVoter = 10,
  kIncompleteMember = 11,  // a member needs an id and an incarnation
  kRemovedId = 12,         // an id is never used again
  kMemberAlready = 13,
  kNotMember = 14,
  kVoterAlready = 15,
  kReplacesVoter = 16,  // a wiped voter is replaced in a change of its own
  kNoVoterLeft = 17,
  kVotersNotHeard = 18,  // too few of those that would be left: the change would not be committed
};
constexpr uint8_t kChangeRefusals = 19;

struct ChangeOutcome {
  ChangeRefusal refusal = ChangeRefusal::kNone;
  NodeId about;  // whom the refusal is about, if it is about one
  bool done() const { return refusal == ChangeRefusal::kNone; }
  bool operator==(const ChangeOutcome&) const = default;
};

// The same order may succeed later, without anybody doing anything.
bool passes(ChangeRefusal refusal);
// Something was begun, and what becomes of it is not known.
bool has_begun(ChangeRefusal refusal);
// Another change or hand-over was under way.
bool is_busy(ChangeRefusal refusal);
// For people; empty for what is done.
std::string sentence(const ChangeOutcome& outcome);

}  // namespace kiwi::raft
