// Verbs about snapshots: compact, copy, pin, receive, install, installed, sent, lost.
#include <stdexcept>

#include "tests/raft/trace_env.hpp"
#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

namespace {

// compact 1 [keep=n] [laggards=n]: the log is cut behind the flushed state.
void compact(TraceEnv& env, const Command& command) {
  RaftNode& at = env.node(command.node());
  const SnapshotMeta flushed = at.snapshot().meta;
  at.core->compact(flushed.index, flushed.term, command.number("keep"), command.number("laggards"));
  env.settle(command.node());
}

// receive 3 a [term=n]: the snapshot is here; term: its sender's.
void receive(TraceEnv& env, const Command& command) {
  static constexpr const char* kVerdicts[] = {"ignored", "commit moved", "install"};
  RaftNode& at = env.node(command.node());
  const Term term{command.number("term", at.core->status().term.value)};
  const Snapshot& snapshot = env.snapshots.at(command.words.at(1));
  const SnapshotVerdict verdict = at.receive(snapshot, term);
  env.print(command.words[0] + ": verdict " + kVerdicts[static_cast<size_t>(verdict)]);
  env.settle(command.node());
}

void installed(TraceEnv& env, const Command& command) {
  RaftNode& at = env.node(command.node());
  at.finish_install();
  env.print(command.words[0] + ": installed, applied=" + std::to_string(at.applied().value));
  env.settle(command.node());
}

// sent 1 to=3 at=5 [failed]: the transfer ended, as its receiver or the link said.
void sent(TraceEnv& env, const Command& command) {
  env.node(command.node())
      .core->snapshot_done(NodeId{command.number("to")}, LogIndex{command.number("at")},
                           !command.has("failed"));
  env.settle(command.node());
}

}  // namespace

bool run_snapshot_verb(TraceEnv& env, const Command& command) {
  if (command.verb == "compact") {
    compact(env, command);
  } else if (command.verb == "copy") {  // copy 1 a: the flushed state, as it will be sent
    const Snapshot& copy = env.snapshots[command.words.at(1)] = env.node(command.node()).snapshot();
    env.print(command.words[0] + ": snapshot " + text_of(copy.meta));
  } else if (command.verb == "pin") {  // pin 1 to=3 at=5
    const bool pinned =
        env.node(command.node())
            .core->snapshot_pinned(NodeId{command.number("to")}, LogIndex{command.number("at")});
    env.print(command.words[0] + (pinned ? ": pinned" : ": of no use to this log"));
  } else if (command.verb == "receive") {
    receive(env, command);
  } else if (command.verb == "install") {  // install 3: the one commit point waits for the disk
    env.node(command.node()).queue_install();
    env.complete_writes(command.node(), env.auto_disk ? UINT64_MAX : 0);
  } else if (command.verb == "installed") {
    installed(env, command);
  } else if (command.verb == "sent") {
    sent(env, command);
  } else if (command.verb == "lost") {  // lost 1: all transfers from this node
    env.node(command.node()).core->snapshots_lost();
    env.settle(command.node());
  } else {
    return false;
  }
  return true;
}

}  // namespace kiwi::raft::testing
