// What the outcomes of changes mean, and how they are said to people.
#include "raft/change.hpp"

namespace kiwi::raft {

bool passes(ChangeRefusal refusal) {
  return refusal >= ChangeRefusal::kNotLeader && refusal <= ChangeRefusal::kLostDuringChange;
}

bool has_begun(ChangeRefusal refusal) {
  return refusal == ChangeRefusal::kLostBeforeTransfer ||
         refusal == ChangeRefusal::kLostDuringChange || refusal == ChangeRefusal::kTransferTimedOut;
}

bool is_busy(ChangeRefusal refusal) {
  return refusal == ChangeRefusal::kChangeUnderWay || refusal == ChangeRefusal::kTransferUnderWay;
}

std::string sentence(const ChangeOutcome& outcome) {
  const std::string node = "node " + std::to_string(outcome.about.value);
  switch (outcome.refusal) {
    case ChangeRefusal::kNone:
      return {};
    case ChangeRefusal::kNotLeader:
      return "this node is not the leader";
    case ChangeRefusal::kTermNotCommitted:
      return "the leader has not committed an entry of its term yet";
    case ChangeRefusal::kChangeUnderWay:
      return "another membership change is under way";
    case ChangeRefusal::kTransferUnderWay:
      return "a leadership transfer is under way";
    case ChangeRefusal::kNothingChanges:
      return "nothing would change";
    case ChangeRefusal::kLostBeforeTransfer:
      return "leadership was lost before it could be handed over";
    case ChangeRefusal::kLostDuringChange:
      return "leadership was lost; the change may or may not take place";
    case ChangeRefusal::kTransferTimedOut:
      return "the target did not take over in time";
    case ChangeRefusal::kNoSuccessor:
      return "no other voter answers";
    case ChangeRefusal::kNotVoter:
      return node + " is not a voter";
    case ChangeRefusal::kIncompleteMember:
      return "a member needs an id and an incarnation";
    case ChangeRefusal::kRemovedId:
      return node + " was removed; an id is never used again";
    case ChangeRefusal::kMemberAlready:
      return node + " is a member already";
    case ChangeRefusal::kNotMember:
      return node + " is not a member";
    case ChangeRefusal::kVoterAlready:
      return node + " is a voter already";
    case ChangeRefusal::kReplacesVoter:
      return "replace a wiped voter in a change of its own";
    case ChangeRefusal::kNoVoterLeft:
      return "no voter would be left";
    case ChangeRefusal::kVotersNotHeard:
      return "too few of the voters that would be left are heard: " + node +
             " is silent. Start it again, or remove it first";
  }
  return {};
}

}  // namespace kiwi::raft
