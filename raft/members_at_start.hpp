// The members of the cluster as a start finds them. Until the core reports a change, this is what a
// node knows: a core tells of configurations that are committed after it started, not of earlier
// ones.
#pragma once

#include "config/base/result.hpp"
#include "raft/core.hpp"

namespace kiwi::raft {

struct MembersAtStart {
  Configuration latest;     // in the log, or in the snapshot when the log holds none
  Configuration committed;  // the last one at or below committed_at_start()
};

// What is known to be committed before anybody was heard, and where a core begins: the hint of the
// log, which may be old, the state that was flushed and the snapshot (what was applied was
// committed). Never behind the end of the log.
LogIndex committed_at_start(const StartState& start);

// kCorrupt: a configuration in the log cannot be decoded.
Result<MembersAtStart> members_at_start(const StartState& start);

}  // namespace kiwi::raft
