#include "raft/members_at_start.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "raft/codec.hpp"

namespace kiwi::raft {

LogIndex committed_at_start(const StartState& start) {
  const LoadedLog& log = start.log;
  return std::min(std::max({log.commit, start.applied, log.snapshot.index}), log.last_index);
}

Result<MembersAtStart> members_at_start(const StartState& start) {
  const LogIndex commit = committed_at_start(start);
  MembersAtStart out{start.log.snapshot.configuration, start.log.snapshot.configuration};
  for (const Entry& entry : start.log.configurations) {
    if (entry.index <= start.log.snapshot.index) {
      continue;
    }
    Result<Configuration> one = decode_configuration(entry.payload.view());
    if (!one) {
      return Error{one.error().code, "The configuration entry " +
                                         std::to_string(entry.index.value) +
                                         " of the Raft log cannot be decoded: " + one.error().text};
    }
    out.latest = std::move(*one);
    if (entry.index <= commit) {
      out.committed = out.latest;
    }
  }
  return out;
}

}  // namespace kiwi::raft
