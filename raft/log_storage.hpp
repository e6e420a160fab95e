// The log storage port. rocks::RocksLog implements it for disks, tests/support/memory_log.hpp for
// tests; tests/rocks/log_storage_suite.hpp holds what both must do.
//
// One caller at a time (the LogStore actor or a test). Every method blocks. An Error of any method
// but open() is fatal to the node: the caller stops and never retries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/base/result.hpp"
#include "raft/types.hpp"

namespace kiwi::raft {

// Attests what is durable once the write that carries it has returned (F12). It counts only while
// the core is still in `term`.
struct PersistToken {
  Term term;            // the core's current term when it was issued
  LogIndex last_index;  // of the whole log, not just of this write
  Term last_term;       // term of the entry at last_index
  NodeId voted_for;     // the vote of `term` that the write made durable (0 = none); without it a
                        // vote given later in the same term would be attested by an older token
  bool operator==(const PersistToken&) const = default;
};

// One turn's write: atomic, in this order: truncate, append, hard state.
struct PersistRequest {
  std::vector<Entry> entries;  // contiguous; if entries[0].index <= last, the old suffix goes
  std::optional<HardState> hard_state;  // always synced, also with log-fsync no (F16)
  LogIndex commit;                      // a hint that may be lost (F39)
  PersistToken token;
  bool operator==(const PersistRequest&) const = default;
};

// Where the log starts: everything at or below is in the state (0,0 = from the beginning).
struct SnapshotMeta {
  LogIndex index;
  Term term;
  Configuration configuration;  // as of index
  bool operator==(const SnapshotMeta&) const = default;
};

// The state directory of a node that has not installed a snapshot yet (F14).
inline constexpr const char* kFirstLiveState = "state-1";

// Who this data directory is (F1, F2, F4). A new directory has incarnation and node only.
struct Identity {
  NodeId node;
  Incarnation incarnation;
  ClusterId cluster;        // unset until bootstrapped or adopted
  uint64_t boot_epoch = 0;  // raised and synced at every start, before the first proposal
  bool operator==(const Identity&) const = default;
};

struct LoadedLog {
  HardState hard_state;
  SnapshotMeta snapshot;
  LogIndex
      first_index;      // snapshot.index + 1 or lower (a tail is kept for laggards); 1 in a new log
  LogIndex last_index;  // first_index - 1 when empty
  Term last_term;       // snapshot.term when empty
  LogIndex commit;      // the last commit hint that reached the disk (F39)
  std::vector<Entry> configurations;  // every kConfiguration entry in [first_index, last_index]
};

class LogStorage {
 public:
  virtual ~LogStorage() = default;

  // Reads what a core needs to start. Verifies that the log is contiguous and its ends' checksums.
  virtual Result<LoadedLog> load() = 0;

  // All or nothing, and durable when it returns (log-fsync no: only hard states are). Entries must
  // follow the log without a gap: entries[0].index <= last_index + 1, and > snapshot index.
  virtual Result<void> persist(const PersistRequest& request) = 0;

  // Entries [from, last] in order, ending early after bytes_max payload bytes, but at least one.
  // first_index <= from <= last <= last_index. A checksum that does not match is kCorrupt.
  virtual Result<std::vector<Entry>> read(LogIndex from, LogIndex last, size_t bytes_max) = 0;
  virtual Result<Term> term_at(LogIndex index) = 0;  // index in [first_index, last_index]

  // Drops entries < keep_from and records meta, in one synced write; keep_from <= meta.index + 1,
  // and an entry that is gone already stays gone. The caller guarantees that meta.index <= the
  // state's flushed applied index, and that the log holds meta.index (F13).
  virtual Result<void> cut(const SnapshotMeta& meta, LogIndex keep_from) = 0;

  // The one commit point of a snapshot's installation (F14), one synced write: the state directory
  // to open from now on, meta, and a log that is empty at meta.index, whatever it held. Hard state
  // and identity stay. live_state is the name of a directory, without its path.
  virtual Result<void> install(const SnapshotMeta& meta, const std::string& live_state) = 0;
  // The name given to the last install(); kFirstLiveState before the first one.
  virtual Result<std::string> live_state() = 0;

  virtual Result<Identity> identity() = 0;                 // kNotFound in a new directory
  virtual Result<void> set_identity(const Identity&) = 0;  // synced
};

}  // namespace kiwi::raft
