#include "tests/sim/sim_disk.hpp"

#include "base/check.hpp"

namespace kiwi::sim {

Result<raft::LoadedLog> SimDisk::load() {
  raft::LoadedLog loaded;
  loaded.hard_state = hard_state_;
  loaded.first_index = LogIndex{1};
  loaded.last_index = LogIndex{entries_.size()};
  loaded.last_term = entries_.empty() ? Term{} : entries_.back().term;
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
    uint64_t first = request.entries.front().index.value;
    CHECK_INVARIANT(first >= 1 && first <= entries_.size() + 1);
    entries_.resize(first - 1);
    for (const raft::Entry& entry : request.entries) {
      CHECK_INVARIANT(entry.index.value == entries_.size() + 1);
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
  CHECK_INVARIANT(from.value >= 1 && from <= last && last.value <= entries_.size());
  std::vector<raft::Entry> out;
  size_t bytes = 0;
  for (uint64_t i = from.value; i <= last.value && (out.empty() || bytes < bytes_max); ++i) {
    out.push_back(entries_[i - 1]);
    bytes += out.back().payload.size();
  }
  return out;
}

Result<Term> SimDisk::term_at(LogIndex index) {
  CHECK_INVARIANT(index.value >= 1 && index.value <= entries_.size());
  return entries_[index.value - 1].term;
}

Result<void> SimDisk::cut(const raft::SnapshotMeta&, LogIndex) {
  return Error{Errc::kInvalid, "the simulated log is not cut: there are no snapshots yet"};
}
Result<void> SimDisk::install(const raft::SnapshotMeta&, const std::string&) {
  return Error{Errc::kInvalid, "no snapshots yet"};
}
Result<std::string> SimDisk::live_state() { return std::string(raft::kFirstLiveState); }

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
