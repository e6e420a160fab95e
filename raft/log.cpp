// The log in memory grows at its end and is truncated there, whoever leads.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

void Core::State::append_to_log(Entry entry) {
  CHECK_INVARIANT(entry.term <= term);
  CHECK_INVARIANT(entry.index > commit);
  last_stamp_ms = std::max(last_stamp_ms, entry.stamp_ms);
  uncommitted_bytes += entry_bytes(entry);
  const bool is_configuration = entry.kind == EntryKind::kConfiguration;
  log.append(std::move(entry));
  if (is_configuration) {
    adopt_configuration(log.at(log.last_index()));  // F18: from now on, not from its commit on
    configuration_changed();
  }
}

void Core::State::truncate_after(LogIndex last) {
  CHECK_INVARIANT(last >= commit);
  CHECK_INVARIANT(last < log.last_index());
  for (LogIndex i = last + 1; i <= log.last_index(); ++i) {
    const uint64_t bytes = entry_bytes(log.at(i));
    CHECK_INVARIANT(uncommitted_bytes >= bytes);
    uncommitted_bytes -= bytes;
  }
  log.truncate_after(last);
  issued = std::min(issued, last);
  persisted = std::min(persisted, last);  // F12
  if (log.holds(last)) {
    last_stamp_ms = log.at(last).stamp_ms;
  }
  auto& follower = std::get<Follower>(role);
  follower.matched = std::min(follower.matched, last);
  follower.acknowledged = std::min(follower.acknowledged, last);
  drop_configurations_after(last);
}

}  // namespace kiwi::raft
