// LATENCY: when something that usually is quick took at least latency-monitor-threshold
// milliseconds. Per event the slowest of each second, of the last 160 seconds in which there was
// one. Client loop only; what other threads take long for, a shell brings here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::config {
struct Options;
}

namespace kiwi::resp {

enum class LatencyEvent : uint8_t {
  kCommand,         // one command was executed, on the node of its client
  kFastCommand,     // one that should look at little
  kScript,          // a script or function; it is a command, too
  kApplyTurn,       // a turn of the state machine, in which no client was heard
  kCommit,          // from the first write of a batch to its place in the state
  kCompactionWait,  // the state's files were not ready to take more
  kElection,        // no leader was ready
  kExpireCycle,     // a turn that removed keys whose time was over
  kFlush,           // a flush of the state to its files
  kLogSync,         // a synced write of the log
  kLoopStall,       // the client loop came late to its timer
  kReadRound,       // from asking for a read's place in the log to the answer
};

std::string_view name_of(LatencyEvent event);
std::optional<LatencyEvent> latency_event(std::string_view name);

class LatencyMonitor {
 public:
  static constexpr size_t kEvents = static_cast<size_t>(LatencyEvent::kReadRound) + 1;
  static constexpr size_t kSamples = 160;  // as in Redis

  struct Sample {
    int64_t at_s = 0;  // since the epoch
    int64_t ms = 0;
  };
  // Of one event.
  struct Series {
    std::vector<Sample> samples;  // the oldest first; never empty
    int64_t most_ms = 0;          // since the start, or since the last reset
  };

  // nullptr: it is off.
  LatencyMonitor(const config::Options* options, std::function<int64_t()> wall_us);

  bool on() const;
  // Adds it if the monitor is on and it was long enough.
  void add(LatencyEvent event, int64_t ms);
  int64_t now_s() const;

  const Series* find(LatencyEvent event) const {  // nullptr: there is nothing
    return series_[static_cast<size_t>(event)].get();
  }
  bool reset(LatencyEvent event);  // true: there was something
  size_t reset_all();

  std::string report() const;                   // LATENCY DOCTOR
  std::string graph(LatencyEvent event) const;  // LATENCY GRAPH; find(event) is there

 private:
  const config::Options* options_;
  std::function<int64_t()> wall_us_;
  std::array<std::unique_ptr<Series>, kEvents> series_;
};

}  // namespace kiwi::resp
