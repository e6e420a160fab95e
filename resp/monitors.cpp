#include "resp/monitors.hpp"

#include <algorithm>
#include <cstdio>

#include "config/base/check.hpp"
#include "config/base/quoted.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kHidden = "(redacted)";  // Redis' word

void hide(std::vector<std::string_view>& words, size_t begin, size_t count) {
  const size_t end = std::min(words.size(), begin + count);
  for (size_t i = begin; i < end; ++i) {
    words[i] = kHidden;
  }
}

// Behind `word`, which stands at `first` or later and before `stop`; empty: anywhere.
void hide_behind(std::vector<std::string_view>& words,
                 size_t first,
                 std::string_view word,
                 size_t count,
                 std::string_view stop) {
  for (size_t i = first; i < words.size(); ++i) {
    if (!stop.empty() && same_word(words[i], stop)) {
      return;
    }
    if (same_word(words[i], word)) {
      hide(words, i + 1, count);
    }
  }
}

}  // namespace

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
  if (row.name == "auth") {
    hide(words, 1, words.size());
  } else if (row.name == "hello") {
    hide_behind(words, 2, "auth", 2, {});
  } else if (row.name == "migrate") {
    hide_behind(words, 6, "auth", 1, "keys");
    hide_behind(words, 6, "auth2", 2, "keys");
  }
  return words;
}

bool is_refused_to_monitors(const CommandSpec& row) {
  const bool reads_or_writes = row.is_data() && (row.flags & kNeutral) == 0;
  const bool runs_scripts = row.is_data() && (row.flags & kSkipMonitor) != 0;
  return reads_or_writes || runs_scripts || (row.flags & kCalledReadonly) != 0;
}

}  // namespace kiwi::resp
