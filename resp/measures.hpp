// What this node's clients asked for, how long it took and what failed: INFO commandstats,
// latencystats and errorstats, SLOWLOG and LATENCY. One object of the node, on the client loop; a
// read that runs on another thread has its own, which is added when it is over.
//
// Two times are told of a command, and never mixed. *Execution time* is what a redis-server would
// tell: the processor worked on it, here; it says what is expensive. *Service time* is from the
// socket read that brought the command to its reply, with the way through the log; it says what
// clients wait for. Nothing here decides about a result (F35).
//
// Counting is on the way of every command: no lock, no look-up by name, no memory but that of a
// row's histogram when it is first used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/cycle_clock.hpp"
#include "resp/command.hpp"
#include "resp/histogram.hpp"
#include "resp/latency_monitor.hpp"
#include "resp/request.hpp"
#include "resp/slow_log.hpp"

namespace kiwi::config {
struct Options;
}

namespace kiwi::resp {

class Measures {
 public:
  struct Row {
    uint64_t calls = 0;     // answered, whatever the answer
    uint64_t rejected = 0;  // refused before they ran
    uint64_t failed = 0;    // calls whose answer was an error
    int64_t executed_ns = 0;
    std::unique_ptr<Histogram> service;  // of calls that came on their own

    bool is_used() const { return calls != 0 || rejected != 0; }
  };
  struct Client {
    std::string address;
    std::string name;
  };
  struct Sources {
    std::function<int64_t()> wall_us;
    std::function<Client(ConnectionId)> client;  // who it is, as far as it is there
    std::function<void()> error_counted;
  };

  static constexpr uint16_t kNoRow = UINT16_MAX;  // of what is not to be counted
  static constexpr size_t kErrorWords = 128;
  static constexpr std::string_view kTooManyWords = "ERRORSTATS_DISABLED";

  // For a read elsewhere: nothing is slow, and there is no service time.
  explicit Measures(const CycleClock& clock);
  // Options are read when they are needed: CONFIG SET changes them.
  Measures(const config::Options& options, Sources sources);

  const CycleClock& clock() const { return clock_; }
  void set_clock(const CycleClock& clock) { clock_ = clock; }
  int64_t now_ns() const { return clock_.now_ns(); }

  uint16_t index_of(const CommandSpec& row) const {
    const ptrdiff_t index = &row - first_;
    CHECK_INVARIANT(index >= 0 && static_cast<size_t>(index) < rows_.size());
    return static_cast<uint16_t>(index);
  }
  const Row& row(const CommandSpec& of) const { return rows_[index_of(of)]; }

  // One command was executed on its own, or inside a block or a script. of: 0 = inside a script.
  void executed(const CommandSpec& row, int64_t ns, ConnectionId of, Args args) {
    rows_[index_of(row)].executed_ns += ns > 0 ? ns : 0;
    if (is_slow(ns)) [[unlikely]] {
      slow(row, ns, of, args);
    }
  }
  // The same for what ran on another thread and was added already.
  void executed_elsewhere(const CommandSpec& row, int64_t ns, ConnectionId of, Args args) {
    if (is_slow(ns)) {
      slow(row, ns, of, args);
    }
  }
  // Inside a block or a script: nobody waited for it alone.
  void called_inside(const CommandSpec& row, uint64_t calls, uint64_t failed) {
    CHECK_INVARIANT(failed <= calls);
    Row& counts = rows_[index_of(row)];
    counts.calls += calls;
    counts.failed += failed;
  }
  // A client's command got its answer.
  void answered(uint16_t index, int64_t service_ns, bool failed) {
    if (index == kNoRow) {
      return;
    }
    CHECK_INVARIANT(index < rows_.size());
    Row& counts = rows_[index];
    ++counts.calls;
    counts.failed += failed ? 1 : 0;
    if (limits_.latency_tracking != nullptr && *limits_.latency_tracking) {
      if (!counts.service) [[unlikely]] {
        counts.service = std::make_unique<Histogram>();
      }
      counts.service->add(service_ns / kNsPerUs);
    }
  }
  void rejected(const CommandSpec& row) { ++rows_[index_of(row)].rejected; }

  // `reply` begins with '-'. At most kErrorWords kinds: scripts may make words up. The next one
  // clears them, and no more are told apart until reset(), as later versions of Redis do.
  void count_error(std::string_view reply);
  const std::map<std::string, uint64_t, std::less<>>& errors() const { return errors_; }

  // What ran elsewhere.
  void add(const Measures& other);
  void reset();  // CONFIG RESETSTAT; neither SLOWLOG nor LATENCY

  SlowLog& slow_log() { return slow_log_; }
  LatencyMonitor& latency() { return latency_; }

 private:
  static constexpr int64_t kNsPerUs = 1000;
  static constexpr int64_t kNsPerMs = 1'000'000;

  bool is_slow(int64_t ns) const {
    if (limits_.slow_us == nullptr) {
      return false;
    }
    const int64_t least_us = *limits_.slow_us;
    const int64_t least_ms = *limits_.slow_ms;
    return (least_us >= 0 && ns / kNsPerUs >= least_us) ||
           (least_ms > 0 && ns / kNsPerMs >= least_ms);
  }
  void slow(const CommandSpec& row, int64_t ns, ConnectionId of, Args args);

  const CommandSpec* first_;
  std::vector<Row> rows_;  // of the command table
  // Of the options; a Measures without clients has none. No option is reached from here: an
  // executor holds one of these, and what it executes must not depend on this node's options (F35).
  struct Limits {
    const bool* latency_tracking = nullptr;
    const int64_t* slow_us = nullptr;  // slowlog-log-slower-than
    const int64_t* slow_ms = nullptr;  // latency-monitor-threshold
  };
  const config::Options* options_ = nullptr;
  Limits limits_;
  Sources sources_;
  CycleClock clock_;
  std::map<std::string, uint64_t, std::less<>> errors_;
  bool errors_stopped_ = false;
  SlowLog slow_log_;
  LatencyMonitor latency_;
};

}  // namespace kiwi::resp
