#include "resp/monitors.hpp"

#include <cstdio>

#include "config/base/check.hpp"
#include "config/base/quoted.hpp"
#include "resp/secret_words.hpp"

namespace kiwi::resp {

std::string monitor_line(int64_t wall_us, uint32_t database, std::string_view from, Args words) {
  CHECK_INVARIANT(wall_us >= 0 && !from.empty());
  char stamp[48];
  std::snprintf(stamp, sizeof(stamp), "%lld.%06lld", static_cast<long long>(wall_us / 1'000'000),
                static_cast<long long>(wall_us % 1'000'000));
  std::string line = std::string(stamp) + " [" + std::to_string(database) + " ";
  line.append(from).push_back(']');
  for (const std::string_view word : words) {
    line.push_back(' ');
    if (word.size() < kMonitorLineBytes && line.size() + quoted_size(word) <= kMonitorLineBytes) {
      append_quoted(line, word);
    } else {
      append_quoted(line, "... (" + std::to_string(word.size()) + " more bytes)");
    }
  }
  line += "\r\n";
  return line;
}

bool is_monitored(const CommandSpec& row) {
  // Scripts skip MONITOR in the table, for Redis shows them by itself, ahead of what they call.
  return (row.flags & kAdmin) == 0 && ((row.flags & kSkipMonitor) == 0 || row.is_data());
}

std::vector<std::string_view> words_to_show(const CommandSpec& row, Args args) {
  std::vector<std::string_view> words(args.begin(), args.end());
  const std::vector<bool> secret = secret_words(row, args);
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = secret[i] ? kRedacted : words[i];
  }
  return words;
}

bool is_refused_to_monitors(const CommandSpec& row) {
  const bool reads_or_writes = row.is_data() && (row.flags & kNeutral) == 0;
  const bool runs_scripts = row.is_data() && (row.flags & kSkipMonitor) != 0;
  return reads_or_writes || runs_scripts || (row.flags & kCalledReadonly) != 0;
}

}  // namespace kiwi::resp
