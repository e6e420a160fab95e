// Verbs of the operator: change, returned, transfer.
#include "tests/raft/trace_env.hpp"

namespace kiwi::raft::testing {

bool run_membership_verb(TraceEnv& env, const Command& command) {
  if (command.verb == "change") {  // change 1 [id=1] [add=4] [promote=4] [remove=2]
    MembershipChange change;
    for (NodeId id : command.ids("add")) {
      change.add_learners.push_back(member_of(id, std::max<uint8_t>(1, env.lives[id])));
    }
    change.promote = command.ids("promote");
    change.remove = command.ids("remove");
    env.node(command.node())
        .core->change_membership({Asker::kOrder, command.number("id", 1)}, change);
    env.settle(command.node());
  } else if (command.verb == "returned") {  // returned 1 2: node 1 hears that 2 was wiped
    NodeId id = command.node(1);
    env.node(command.node()).core->member_returned(member_of(id, env.lives[id]));
    env.settle(command.node());
  } else if (command.verb == "transfer") {  // transfer 1 [to=2] [id=1]
    env.node(command.node())
        .core->transfer_leadership({Asker::kOrder, command.number("id", 1)},
                                   NodeId{command.number("to")});
    env.settle(command.node());
  } else {
    return false;
  }
  return true;
}

}  // namespace kiwi::raft::testing
