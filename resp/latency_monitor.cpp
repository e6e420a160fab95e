#include "resp/latency_monitor.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "config/base/check.hpp"
#include "config/options.hpp"

namespace kiwi::resp {

namespace {

struct Described {
  std::string_view name;
  std::string_view advice;
};

constexpr std::string_view kDisk =
    "The disk is slow: look at what else uses it, and at raft_fsync_max_microseconds of INFO raft "
    "on every node. A commit waits for the disks of a majority.";
constexpr std::string_view kSlowCommands =
    "See which commands take long with SLOWLOG GET, and lower slowlog-log-slower-than if it is "
    "empty. A command that is executed holds up all others of its node.";

// In the order of the enum.
constexpr std::array<Described, LatencyMonitor::kEvents> kDescribed = {{
    {"command", kSlowCommands},
    {"fast-command",
     "Commands that look at little take long, too: their values are large, or this process gets no "
     "processor time. Compare used_cpu_user with the time that passes."},
    {"script",
     "Scripts take long, and run on every node: have them do less at a time, or lower "
     "lua-steps-max."},
    {"apply-turn",
     "The log brings more at a time than this node executes quickly: large transactions, scripts, "
     "or many records to look at."},
    {"commit",
     "Writes wait for the log: compare with log-sync on every node, and with the network between "
     "them."},
    {"compaction-wait",
     "The state's files cannot take what is written: a faster disk, or more memory for "
     "cache-state."},
    {"election",
     "There was no leader for a while: look at the log of the nodes for the reason, and at "
     "raft.election-timeout if the network is slow."},
    {"expire-cycle", "Many keys end at the same moment: spread their deadlines."},
    {"flush", kDisk},
    {"log-sync", kDisk},
    {"loop-stall",
     "The thread that serves clients was kept from it. If no other event tells of the same moment, "
     "this process got no processor time: swap, a busy machine, or a paused virtual one."},
    {"read-round",
     "Linearizable reads wait for a majority: look at the network between the nodes, or let reads "
     "that may be stale say READONLY."},
}};

// What is left of the reports' words is ours: the advice is about this server.
constexpr std::string_view kOff =
    "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You "
    "may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we "
    "weren't in a deep space mission I'd suggest to take a look at "
    "https://redis.io/topics/latency-monitor.\n";
constexpr std::string_view kNothing =
    "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the "
    "slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think "
    "things over.\n";
constexpr std::string_view kSomething =
    "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, "
    "do you Dave?\n\n";

std::string ago(int64_t seconds) {
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  if (seconds < kMinute) {
    return std::to_string(seconds) + "s";
  }
  if (seconds < kHour) {
    return std::to_string(seconds / kMinute) + "m";
  }
  return seconds < kDay ? std::to_string(seconds / kHour) + "h"
                        : std::to_string(seconds / kDay) + "d";
}

constexpr size_t kColumns = 80;
constexpr int64_t kRows = 4;
constexpr std::string_view kLevels = "_o#";  // of the top of a column; below it stands |

// One block of the graph: columns, an empty row, and when each was, downwards.
void draw(std::string& out,
          std::vector<std::pair<int64_t, std::string>> columns,
          int64_t low,
          int64_t high) {
  const auto levels = static_cast<int64_t>(kLevels.size());
  const int64_t steps = kRows * levels;
  const int64_t range = std::max<int64_t>(1, high - low);
  for (int64_t row = kRows - 1; row >= 0; --row) {
    for (const auto& [ms, label] : columns) {
      const int64_t step = std::min(steps - 1, (ms - low) * steps / range);
      const int64_t level = step - row * levels;
      out += level < 0 ? ' ' : level < levels ? kLevels[static_cast<size_t>(level)] : '|';
    }
    out += '\n';
  }
  out.append(columns.size(), ' ');
  out += '\n';
  size_t longest = 0;
  for (const auto& [ms, label] : columns) {
    longest = std::max(longest, label.size());
  }
  for (size_t at = 0; at < longest; ++at) {
    for (const auto& [ms, label] : columns) {
      out += at < label.size() ? label[at] : ' ';
    }
    out += '\n';
  }
}

}  // namespace

std::string_view name_of(LatencyEvent event) {
  CHECK_INVARIANT(static_cast<size_t>(event) < kDescribed.size());
  return kDescribed[static_cast<size_t>(event)].name;
}

std::optional<LatencyEvent> latency_event(std::string_view name) {
  for (size_t i = 0; i < kDescribed.size(); ++i) {
    if (kDescribed[i].name == name) {
      return static_cast<LatencyEvent>(i);
    }
  }
  return std::nullopt;
}

LatencyMonitor::LatencyMonitor(const config::Options* options, std::function<int64_t()> wall_us)
    : options_(options), wall_us_(std::move(wall_us)) {
  CHECK_INVARIANT(options_ == nullptr || wall_us_);
}

bool LatencyMonitor::on() const {
  return options_ != nullptr && options_->latency_monitor_threshold > 0;
}

int64_t LatencyMonitor::now_s() const { return wall_us_ ? wall_us_() / 1'000'000 : 0; }

void LatencyMonitor::add(LatencyEvent event, int64_t ms) {
  CHECK_INVARIANT(static_cast<size_t>(event) < kEvents);
  if (!on() || ms < options_->latency_monitor_threshold) {
    return;
  }
  std::unique_ptr<Series>& series = series_[static_cast<size_t>(event)];
  if (!series) {
    series = std::make_unique<Series>();
  }
  series->most_ms = std::max(series->most_ms, ms);
  std::vector<Sample>& samples = series->samples;
  const int64_t at_s = now_s();
  if (!samples.empty() && samples.back().at_s == at_s) {
    samples.back().ms = std::max(samples.back().ms, ms);
    return;
  }
  if (samples.size() == kSamples) {
    samples.erase(samples.begin());
  }
  samples.push_back({at_s, ms});
  CHECK_INVARIANT(samples.size() <= kSamples);
}

bool LatencyMonitor::reset(LatencyEvent event) {
  return std::exchange(series_[static_cast<size_t>(event)], nullptr) != nullptr;
}

size_t LatencyMonitor::reset_all() {
  size_t gone = 0;
  for (std::unique_ptr<Series>& series : series_) {
    gone += std::exchange(series, nullptr) != nullptr ? 1 : 0;
  }
  return gone;
}

std::string LatencyMonitor::graph(LatencyEvent event) const {
  const Series* series = find(event);
  CHECK_INVARIANT(series != nullptr && !series->samples.empty());
  const auto [low, high] = std::ranges::minmax(series->samples, {}, &Sample::ms);
  std::string out(name_of(event));
  out += " - high " + std::to_string(high.ms) + " ms, low " + std::to_string(low.ms) +
         " ms (all time high " + std::to_string(series->most_ms) + " ms)\n";
  out.append(kColumns, '-');
  out += '\n';
  std::vector<std::pair<int64_t, std::string>> columns;
  const int64_t now = now_s();
  for (const Sample& sample : series->samples) {
    if (columns.size() == kColumns) {
      draw(out, std::exchange(columns, {}), low.ms, high.ms);
      out += '\n';
    }
    columns.emplace_back(sample.ms, ago(std::max<int64_t>(0, now - sample.at_s)));
  }
  draw(out, std::move(columns), low.ms, high.ms);
  return out;
}

std::string LatencyMonitor::report() const {
  std::string out;
  std::vector<std::string_view> advice;
  size_t number = 0;
  for (size_t i = 0; i < kEvents; ++i) {
    const Series* series = series_[i].get();
    if (series == nullptr) {
      continue;
    }
    const auto count = static_cast<int64_t>(series->samples.size());
    CHECK_INVARIANT(count > 0);
    int64_t sum = 0;
    int64_t deviation = 0;
    for (const Sample& sample : series->samples) {
      sum += sample.ms;
    }
    for (const Sample& sample : series->samples) {
      deviation += std::abs(sample.ms - sum / count);
    }
    const auto period =
        static_cast<double>(std::max<int64_t>(1, now_s() - series->samples.front().at_s));
    char text[64];
    std::snprintf(text, sizeof(text), "%.2f", period / static_cast<double>(count));
    out += number == 0 ? kSomething : std::string_view();
    out += std::to_string(++number) + ". " + std::string(kDescribed[i].name) + ": " +
           std::to_string(count) + " latency spikes (average " + std::to_string(sum / count) +
           "ms, mean deviation " + std::to_string(deviation / count) + "ms, period " + text +
           " sec). Worst all time event " + std::to_string(series->most_ms) + "ms.\n";
    if (std::ranges::find(advice, kDescribed[i].advice) == advice.end()) {
      advice.push_back(kDescribed[i].advice);
    }
  }
  if (number == 0) {
    return std::string(on() ? kNothing : kOff);
  }
  out += "\nI have a few advices for you:\n\n";
  for (const std::string_view line : advice) {
    out += "- ";
    out += line;
    out += '\n';
  }
  return out;
}

}  // namespace kiwi::resp
