#include "actors/replica/apply_hold.hpp"

#include <iterator>
#include <utility>

#include "config/base/check.hpp"
#include "raft/log_window.hpp"

namespace kiwi::actors {

std::vector<raft::Entry> ApplyHold::pass(std::vector<raft::Entry> committed, bool now) {
  for (const raft::Entry& entry : committed) {
    bytes_ += raft::entry_bytes(entry);
    now = now || entry.kind != raft::EntryKind::kBatch;
  }
  CHECK_INVARIANT(held_.empty() || committed.empty() ||
                  committed.front().index == held_.back().index + 1);
  if (held_.empty()) {
    held_ = std::move(committed);
  } else {
    held_.insert(held_.end(), std::make_move_iterator(committed.begin()),
                 std::make_move_iterator(committed.end()));
  }
  if (!now && bytes_ < kBytesMax) {
    return {};
  }
  bytes_ = 0;
  return std::exchange(held_, {});
}

}  // namespace kiwi::actors
