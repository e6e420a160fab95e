#include "tests/sim/sim_disk.hpp"

#include <algorithm>

#include "config/base/check.hpp"

namespace kiwi::sim {

const raft::Entry* SimDisk::find(LogIndex index) const {
  return index < first_ || index > last_index() ? nullptr : &entries_[index - first_];
}

Result<raft::LoadedLog> SimDisk::load() {
  raft::LoadedLog loaded;
  loaded.hard_state = hard_state_;
  loaded.snapshot = snapshot_;
  loaded.first_index = first_;
  loaded.last_index = last_index();
  loaded.last_term = entries_.empty() ? snapshot_.term : entries_.back().term;
  loaded.commit = commit_;
  for (const raft::Entry& entry : entries_) {
    if (entry.kind == raft::EntryKind::kConfiguration) {
      loaded.configurations.push_back(entry);
    }
  }
  return loaded;
}

Result<void> SimDisk::persist(const raft::PersistRequest& request) {
  if (!request.entries.empty()) {
    LogIndex from = request.entries.front().index;
    CHECK_INVARIANT(from >= first_ && from > snapshot_.index && from <= last_index() + 1);
    entries_.resize(from - first_);
    for (const raft::Entry& entry : request.entries) {
      CHECK_INVARIANT(entry.index == last_index() + 1);
      entries_.push_back(entry);
    }
  }
  if (request.hard_state) {
    hard_state_ = *request.hard_state;
    if (forgets_votes) {
      hard_state_.voted_for = NodeId{};
    }
  }
  commit_ = std::max(commit_, request.commit);
  return {};
}

Result<std::vector<raft::Entry>> SimDisk::read(LogIndex from, LogIndex last, size_t bytes_max) {
  CHECK_INVARIANT(from >= first_ && from <= last && last <= last_index());
  std::vector<raft::Entry> out;
  size_t bytes = 0;
  for (LogIndex i = from; i <= last && (out.empty() || bytes < bytes_max); ++i) {
    out.push_back(*find(i));
    bytes += out.back().payload.size();
  }
  return out;
}

Result<Term> SimDisk::term_at(LogIndex index) {
  const raft::Entry* entry = find(index);
  if (entry == nullptr) {
    return Error{Errc::kInvalid, "the index is not in the log"};
  }
  return entry->term;
}

Result<void> SimDisk::cut(const raft::SnapshotMeta& meta, LogIndex keep_from) {
  // Again at the same index: laggards have caught up, more of the tail may go.
  CHECK_INVARIANT(meta.index >= snapshot_.index && keep_from <= meta.index + 1);
  CHECK_INVARIANT(find(meta.index) != nullptr && find(meta.index)->term == meta.term);
  while (first_ < keep_from) {
    entries_.pop_front();
    ++first_;
  }
  snapshot_ = meta;
  commit_ = std::max(commit_, meta.index);
  return {};
}

Result<void> SimDisk::install(const raft::SnapshotMeta& meta, const std::string& live_state) {
  CHECK_INVARIANT(meta.index > snapshot_.index);
  entries_.clear();
  first_ = meta.index + 1;
  snapshot_ = meta;
  commit_ = std::max(commit_, meta.index);
  live_state_ = live_state;
  return {};
}

Result<raft::Identity> SimDisk::identity() {
  if (!has_identity_) {
    return Error{Errc::kNotFound, "a new disk"};
  }
  return identity_;
}

Result<void> SimDisk::set_identity(const raft::Identity& identity) {
  identity_ = identity;
  has_identity_ = true;
  return {};
}

}  // namespace kiwi::sim
