// A log on a simulated disk. What persist(), cut() and install() were called with is durable; the
// node keeps writes that are still on their way in a queue of its own and decides at a crash how
// many of them made it.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "raft/log_storage.hpp"

namespace kiwi::sim {

class SimDisk final : public raft::LogStorage {
 public:
  Result<raft::LoadedLog> load() override;
  Result<void> persist(const raft::PersistRequest& request) override;
  Result<std::vector<raft::Entry>> read(LogIndex from, LogIndex last, size_t bytes_max) override;
  Result<Term> term_at(LogIndex index) override;
  Result<void> cut(const raft::SnapshotMeta& meta, LogIndex keep_from) override;
  Result<void> install(const raft::SnapshotMeta& meta, const std::string& live_state) override;
  Result<std::string> live_state() override { return live_state_; }
  Result<raft::Identity> identity() override;
  Result<void> set_identity(const raft::Identity& identity) override;

  // For the checks: views without errors.
  LogIndex first_index() const { return first_; }
  LogIndex last_index() const { return first_ + entries_.size() - 1; }
  LogIndex snapshot_index() const { return snapshot_.index; }
  const raft::Entry* find(LogIndex index) const;  // nullptr: not in the log
  const std::deque<raft::Entry>& entries() const { return entries_; }
  const raft::HardState& hard_state() const { return hard_state_; }

  // A storage bug for the mutant table: votes are not written.
  bool forgets_votes = false;

 private:
  LogIndex first_{1};
  std::deque<raft::Entry> entries_;  // entries_[i].index == first_ + i
  raft::SnapshotMeta snapshot_;
  std::string live_state_ = raft::kFirstLiveState;
  raft::HardState hard_state_;
  LogIndex commit_;
  raft::Identity identity_;
  bool has_identity_ = false;
};

}  // namespace kiwi::sim
