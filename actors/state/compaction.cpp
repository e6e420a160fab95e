#include "actors/state/compaction.hpp"

#include <algorithm>

namespace kiwi::actors {

namespace {
// Files shrink a while after the cut, when RocksDB has got round to it.
constexpr int64_t kSizeAgainMs = 5000;
constexpr uint64_t kEntriesMin = 16;  // a cut for less gains nothing
constexpr uint64_t kKeptPart = 8;     // of log_bytes stays at most
constexpr uint64_t kWorthPart = 4;    // of log_bytes is worth a cut that costs no flush
}  // namespace

bool CompactionPolicy::due(const CompactionLimits& limits, const LogSize& log, int64_t now_ms) {
  const uint64_t since = log.applied > log.snapshot ? log.applied - log.snapshot : 0;
  if (running_ || since == 0) {
    return false;
  }
  const bool by_size =
      log.disk_bytes >= limits.log_bytes && since >= kEntriesMin && now_ms >= next_by_size_ms_;
  if (since < limits.entries && !by_size) {
    return false;
  }
  running_ = true;
  return true;
}

void CompactionPolicy::cut_done(int64_t now_ms) {
  running_ = false;
  next_by_size_ms_ = now_ms + kSizeAgainMs;
}

namespace {
uint64_t usual_bytes(const LogSize& log) {
  if (log.entry_bytes > 0) {
    return log.entry_bytes;
  }
  const uint64_t entries = log.last >= log.first ? log.last - log.first + 1 : 0;
  return std::max<uint64_t>(1, log.disk_bytes / std::max<uint64_t>(1, entries));
}
}  // namespace

bool CompactionPolicy::due_behind(const CompactionLimits& limits,
                                  const LogSize& log,
                                  LogIndex flushed) const {
  return !running_ && flushed > log.snapshot &&
         flushed - log.snapshot >= limits.log_bytes / kWorthPart / usual_bytes(log);
}

uint64_t CompactionPolicy::kept_entries(const CompactionLimits& limits, const LogSize& log) {
  return std::min(limits.keep_entries, limits.log_bytes / kKeptPart / usual_bytes(log));
}

uint64_t CompactionPolicy::laggard_entries(const CompactionLimits& limits, const LogSize& log) {
  return limits.laggard_bytes / usual_bytes(log);
}

}  // namespace kiwi::actors
