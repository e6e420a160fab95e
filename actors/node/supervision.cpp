#include "actors/node/supervision.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kStatusMs = 1000;    // at most one change of the status a second
constexpr int64_t kBeatsPerLimit = 3;  // so that one may be lost
constexpr int64_t kUsPerMs = 1000;

std::string status_of(const Supervision::Seen& seen) {
  if (seen.stopping) {
    return "stopping";
  }
  const resp::web::Health live = resp::web::live(seen.vitals);
  const resp::web::Health ready = resp::web::ready(seen.vitals);
  if (!live.ok || !ready.ok) {
    return "not ready: " + (live.ok ? ready.text : live.text);
  }
  return seen.vitals.leads ? std::string("leads") : "follows node " + std::to_string(seen.leader);
}

}  // namespace

std::string Supervision::step(const Seen& seen) {
  CHECK_INVARIANT(seen.stop_ms >= 0);
  const int64_t now_ms = seen.vitals.now_ms;
  std::string out;
  next_ = told_;
  if (seen.vitals.opened && !told_.ready) {
    next_.ready = true;
    out += "READY=1\n";
  }
  if (seen.stopping && !told_.stopping) {
    next_.stopping = true;
    // drain-seconds may be longer than the manager's own patience.
    out += "STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(seen.stop_ms * kUsPerMs) + "\n";
  }
  const std::string status = status_of(seen);
  const bool turning = next_.ready != told_.ready || next_.stopping != told_.stopping || !begun_;
  if (status != told_.status && (turning || now_ms - told_.status_ms >= kStatusMs)) {
    next_.status = status;
    next_.status_ms = now_ms;
    out += "STATUS=" + status + "\n";
  }
  const bool watched = watchdog_ms_ > 0 && next_.ready;
  const bool due = !told_.ready || now_ms - told_.alive_ms >= watchdog_ms_ / kBeatsPerLimit;
  if (watched && due && resp::web::live(seen.vitals).ok) {
    next_.alive_ms = now_ms;
    out += "WATCHDOG=1\n";
  }
  return out;
}

void Supervision::said() {
  CHECK_INVARIANT(next_.ready || !told_.ready);
  CHECK_INVARIANT(next_.stopping || !told_.stopping);
  told_ = std::move(next_);
  next_ = told_;
  begun_ = true;
}

}  // namespace kiwi::actors
