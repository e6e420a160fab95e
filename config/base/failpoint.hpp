// Named steps at which a test lets the process die as if the machine had: KIWI_FAILPOINT=name, or
// name:n for the n-th time it is reached; name@file or name:n@file counts only while that file
// exists, so that a test can let a node start first. Always compiled in, so that what is tested is
// what runs; it costs a look at the environment at steps that happen a few times a minute. Never on
// a path that runs per command. Any thread.
//
// The steps of a snapshot's life, in order (F14):
//   snapshot-created    a checkpoint was made, nobody uses it yet
//   snapshot-received   a piece of a file, or of a delta, was written
//   snapshot-complete   everything was received and is on disk, nothing is verified
//   snapshot-verified   it was proved and still has its name as incoming
//   snapshot-published  it is called state-<n>, the log does not know it
//   install-committed   the log names it (the one commit point)
//   state-swapped       the process runs on it, the old one is still there
//   old-state-deleting  the old one is partly gone
//   log-cut             the log was cut, its files are still there
//
// The steps of a change of members (F18, F25); restore.cpp has those of --restore:
//   admission-received       a member let this node in, which has noted nothing
//   members-noted            whom it knows is on disk, and its own identity is not
//   join-identity            its identity in the cluster is on disk, its log is empty
//   configuration-arrived    an entry that changes the members came, the log does not have it
//   configuration-persisted  the log has it, nobody was told so
//   configuration-committed  it is committed, and this node acts by it
//   removal-noticed          this node knows that it is no member any more
#pragma once

namespace kiwi {

inline constexpr int kFailpointStatus = 77;  // exit status of a process that died at one

void failpoint(const char* name);

}  // namespace kiwi
