// MemoryLog: raft::LogStorage in memory, for simulation and actor tests. It keeps two pictures:
// what was written and what is durable. crash() goes back to the second, so whoever acknowledges
// before the disk has it is found out. Same conformance suite as RocksLog
// (tests/rocks/log_storage_suite.hpp).
//
// One caller at a time. Deterministic: no clock, no thread, no file.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "raft/log_storage.hpp"

namespace kiwi::test {

class MemoryLog final : public raft::LogStorage {
 public:
  // fsync false = raft.log-fsync no: entries become durable with the next hard state or sync().
  explicit MemoryLog(bool fsync = true) : fsync_(fsync) {}

  Result<raft::LoadedLog> load() override;
  Result<void> persist(const raft::PersistRequest& request) override;
  Result<std::vector<raft::Entry>> read(LogIndex from, LogIndex last, size_t bytes_max) override;
  Result<Term> term_at(LogIndex index) override;
  Result<void> cut(const raft::SnapshotMeta& meta, LogIndex keep_from) override;
  Result<void> install(const raft::SnapshotMeta& meta, const std::string& live_state) override;
  Result<std::string> live_state() override;
  Result<raft::Identity> identity() override;
  Result<void> set_identity(const raft::Identity& identity) override;

  // ---- faults
  // While held, every write returns but is not durable: a disk that has not answered yet. Whoever
  // holds must not report log_persisted() before the matching sync().
  void hold_syncs(bool hold) { hold_ = hold; }
  void sync() { sync(pending_.size()); }  // everything written so far is durable
  void sync(size_t writes);               // only the oldest so many of the writes that are not
  size_t unsynced_writes() const { return pending_.size(); }
  // The machine stops: back to what is durable. A write that was under way is gone whole.
  void crash();
  // The machine stops while writes reach the disk: the oldest `survivors` of them made it, the next
  // one was torn, which recovery sees and drops.
  void crash_torn(size_t survivors);
  // The next so many writes fail with `error` and write nothing.
  void fail_writes(Error error, size_t count = 1);
  // Bit rot: reading the entry is kCorrupt from now on, also after crashes.
  void corrupt(LogIndex index);

  LogIndex last_index() const { return current_.last(); }
  LogIndex durable_last_index() const { return durable_.last(); }

 private:
  struct Cut {
    raft::SnapshotMeta meta;
    LogIndex new_first;
  };
  struct Install {
    raft::SnapshotMeta meta;
    std::string live_state;
  };
  using Write = std::variant<raft::PersistRequest, Cut, Install, raft::Identity>;
  struct Picture {
    raft::HardState hard_state;
    raft::SnapshotMeta snapshot;
    LogIndex first{1};
    std::deque<raft::Entry> entries;  // entries[i].index == first + i
    LogIndex commit;
    std::optional<raft::Identity> identity;
    std::string live_state = raft::kFirstLiveState;
    std::set<LogIndex> corrupted;

    LogIndex last() const { return first + entries.size() - 1; }
    const raft::Entry& at(LogIndex index) const { return entries[index - first]; }
    void apply(const Write& write);
    void apply_persist(const raft::PersistRequest& request);
    void apply_cut(const Cut& cut);
    void apply_install(const Install& install);
  };

  Result<void> write(Write write, bool durable);
  Result<void> check(const raft::PersistRequest& request) const;

  bool fsync_ = true;
  bool hold_ = false;
  Picture current_;
  Picture durable_;
  std::deque<Write> pending_;  // in current_, not yet in durable_
  std::optional<Error> error_;
  size_t errors_left_ = 0;
};

}  // namespace kiwi::test
