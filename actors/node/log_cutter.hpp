// When the log is cut, how far, and who is told: the state's files are brought up to date first,
// beside the clients' work; then the core says how far the log may go, and LogStore cuts it.
//
// Plain class: inputs in, effects out. Owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "actors/replica_requests.hpp"
#include "actors/state/compaction.hpp"
#include "config/base/ids.hpp"

namespace kiwi::actors {

struct LogNow {
  CompactionLimits limits;  // options, which change while the node runs
  LogSize size;
};

struct LogCutterEffects {
  struct Flush {
    uint64_t id = 0;    // flushed() follows, with the same number
    bool write = true;  // false: only asks how far the state's files are
  };
  std::vector<Flush> flushes;
  std::vector<CompactLog> cuts;
  std::vector<uint64_t> answered;  // requests; from then on the cut happens by itself
};

class LogCutter {
 public:
  enum class Cut : uint8_t {
    kUsual,  // a tail and what laggards need stays
    kAll,    // nothing that the state holds stays
  };

  // ---- inputs; each may produce effects
  // Once a second or so, while the core runs.
  void tick(const LogNow& log, int64_t now_ms);
  // The state is on disk up to here, for whatever reason. With entries of 16 KiB its table is full
  // twice a second, and what of the log is cut at once need not be written from its memtable, nor
  // compacted. Only news makes a difference.
  bool is_news(LogIndex flushed) const { return flushed != seen_; }
  void state_is_at(LogIndex flushed, const LogNow& log);
  // What the state's files hold need not take room twice.
  void disk_is_full(int64_t now_ms) { flush(Cut::kUsual, now_ms); }
  // For an operator. The number comes back in `answered`.
  uint64_t cut_now(Cut cut, int64_t now_ms);
  // The state's files hold everything up to `index`, an entry of that term; 0: nothing.
  void flushed(uint64_t id, LogIndex index, Term term, const LogNow& log, int64_t now_ms);

  LogCutterEffects take_effects() { return std::exchange(effects_, {}); }

  // ---- for INFO
  bool running() const { return policy_.running(); }
  uint64_t cuts() const { return cuts_; }
  int64_t last_seconds() const { return last_seconds_; }  // that the last flush took; -1: none yet

 private:
  struct Flushing {
    Cut cut = Cut::kUsual;
    bool write = true;
    int64_t begun_ms = 0;
  };
  void flush(Cut cut, int64_t now_ms);

  CompactionPolicy policy_;
  LogIndex seen_;
  uint64_t next_ = 1;
  std::map<uint64_t, Flushing> flushing_;
  std::map<Cut, std::vector<uint64_t>> waiting_;  // requests, by what they asked for
  uint64_t cuts_ = 0;
  int64_t last_seconds_ = -1;
  LogCutterEffects effects_;
};

}  // namespace kiwi::actors
