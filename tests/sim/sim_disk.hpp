// A log on a simulated disk. What persist() was called with is durable; the node keeps writes that
// are still on their way in a queue of its own and decides at a crash how many of them made it.
#pragma once

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
  Result<std::string> live_state() override;
  Result<raft::Identity> identity() override;
  Result<void> set_identity(const raft::Identity& identity) override;

  // For the checks: a view without errors. Entry i stands at index i + 1.
  const std::vector<raft::Entry>& entries() const { return entries_; }
  const raft::HardState& hard_state() const { return hard_state_; }

  // A storage bug for the mutant table: votes are not written.
  bool forgets_votes = false;

 private:
  std::vector<raft::Entry> entries_;
  raft::HardState hard_state_;
  LogIndex commit_;
  raft::Identity identity_;
  bool has_identity_ = false;
};

}  // namespace kiwi::sim
