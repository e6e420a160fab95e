// Verbs about the disk and the state machine: persisted, token, apply, flush 1 [at=n], log-read.
#include "tests/raft/trace_env.hpp"

namespace kiwi::raft::testing {

bool run_disk_verb(TraceEnv& env, const Command& command) {
  if (command.verb == "persisted") {  // persisted 1 [count=n]
    env.complete_writes(command.node(), command.number("count", UINT64_MAX));
  } else if (command.verb == "write") {  // the write completes, the core does not hear of it
    env.node(command.node()).write_one();
  } else if (command.verb == "token") {  // token 1 term=2 vote=0 index=5 last-term=2
    env.node(command.node())
        .core->log_persisted({Term{command.number("term")}, LogIndex{command.number("index")},
                              Term{command.number("last-term")}, NodeId{command.number("vote")}});
    env.settle(command.node());
  } else if (command.verb == "apply") {
    env.complete_applies(command.node());
  } else if (command.verb == "flush") {
    RaftNode& at = env.node(command.node());
    at.flush_state(LogIndex{command.number("at", at.applied().value)});
  } else if (command.verb == "log-read") {
    RaftNode& at = env.node(command.node());
    while (!at.reads_wanted.empty()) {
      at.answer_log_read();
      env.settle(command.node());
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace kiwi::raft::testing
