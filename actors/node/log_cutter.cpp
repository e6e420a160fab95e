#include "actors/node/log_cutter.hpp"

#include "config/base/check.hpp"

namespace kiwi::actors {

void LogCutter::tick(const LogNow& log, int64_t now_ms) {
  if (policy_.due(log.limits, log.size, now_ms)) {
    flush(Cut::kUsual, now_ms);
  }
}

void LogCutter::state_is_at(LogIndex flushed, const LogNow& log) {
  if (!is_news(flushed)) {
    return;
  }
  seen_ = flushed;
  if (policy_.due_behind(log.limits, log.size, flushed)) {
    flushing_[next_] = {Cut::kUsual, false, 0};
    effects_.flushes.push_back({next_++, false});
  }
}

uint64_t LogCutter::cut_now(Cut cut, int64_t now_ms) {
  const uint64_t id = next_++;
  waiting_[cut].push_back(id);
  if (waiting_[cut].size() == 1) {
    flush(cut, now_ms);
  }
  return id;
}

void LogCutter::flush(Cut cut, int64_t now_ms) {
  CHECK_INVARIANT(flushing_.empty() || flushing_.rbegin()->first < next_);
  flushing_[next_] = {cut, true, now_ms};
  effects_.flushes.push_back({next_++, true});
}

void LogCutter::flushed(uint64_t id, LogIndex index, Term term, const LogNow& log, int64_t now_ms) {
  const auto found = flushing_.extract(id);
  CHECK_INVARIANT(!found.empty());
  const Flushing& was = found.mapped();
  if (index != LogIndex{0}) {
    CompactLog order{index, term, 0, 0};
    if (was.cut == Cut::kUsual) {
      order.keep_entries = CompactionPolicy::kept_entries(log.limits, log.size);
      order.keep_for_laggards_entries = CompactionPolicy::laggard_entries(log.limits, log.size);
    }
    effects_.cuts.push_back(order);
    ++cuts_;
  }
  if (was.write) {
    policy_.cut_done(now_ms);
    last_seconds_ = (now_ms - was.begun_ms) / 1000;
    for (const uint64_t request : std::exchange(waiting_[was.cut], {})) {
      effects_.answered.push_back(request);
    }
  }
}

}  // namespace kiwi::actors
