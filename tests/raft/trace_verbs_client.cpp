// Verbs of the origin beside the core: propose, read, lease, wants-commit, disk-full,
// executed.
#include "tests/raft/trace_env.hpp"

namespace kiwi::raft::testing {

namespace {

// propose 1 "a" "b" [epoch=1] [sequence=n] [deadline=ms] [void], or propose 1 size=n [count=n].
// Numbers go up by themselves unless given.
void propose(TraceEnv& env, const Command& command) {
  NodeId id = command.node();
  RaftNode& at = env.node(id);
  uint64_t epoch = command.number("epoch", 1);
  uint64_t& next = env.next_sequence[id][epoch];
  if (command.named.contains("sequence")) {
    next = command.number("sequence") - 1;
  }
  bool is_void = command.has("void");
  std::vector<std::string> payloads(command.words.begin() + 1, command.words.end());
  if (command.named.contains("size")) {
    payloads.assign(command.number("count", 1), std::string(command.number("size"), '.'));
  }
  for (const std::string& payload : payloads) {
    Proposal proposal;
    proposal.deadline_ms = static_cast<int64_t>(command.number("deadline"));
    proposal.number = {id, at.options.incarnation, epoch, ++next};
    if (is_void) {
      proposal.kind = EntryKind::kVoid;
    } else {
      proposal.payload = SharedBytes(payload);
    }
    at.core->propose(std::move(proposal));
  }
  env.settle(id);
}

}  // namespace

bool run_client_verb(TraceEnv& env, const Command& command) {
  if (command.verb == "propose") {
    propose(env, command);
  } else if (command.verb == "read") {  // read 1 id=7 [tick]
    env.node(command.node()).core->read_index(command.number("id"), command.has("tick"));
    env.settle(command.node());
  } else if (command.verb == "lease") {  // lease 1 id=7
    env.node(command.node()).core->lease_read(command.number("id"));
    env.settle(command.node());
  } else if (command.verb == "wants-commit") {
    env.node(command.node()).core->set_wants_commit(!command.has("off"));
  } else if (command.verb == "disk-full") {  // disk-full 1 [off]
    env.node(command.node()).core->set_disk_full(!command.has("off"));
  } else if (command.verb == "executed") {
    std::string line = std::to_string(command.node().value) + ":";
    for (const std::string& payload : env.nodes.at(command.node()).executed) {
      line += " " + payload;
    }
    env.print(line);
  } else {
    return false;
  }
  return true;
}

}  // namespace kiwi::raft::testing
