// Who on this node said MONITOR, and what a command looks like to them. Plain; client loop only.
// Which commands are shown, and when, the session knows (session_monitor.cpp). With nobody there a
// command pays one comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/limits.hpp"
#include "resp/command.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

class Monitors {
 public:
  bool any() const { return !connections_.empty(); }
  void add(ConnectionId connection) { connections_.insert(connection); }
  void remove(ConnectionId connection) { connections_.erase(connection); }
  const std::set<ConnectionId>& connections() const { return connections_; }

 private:
  std::set<ConnectionId> connections_;
};

// A line is not longer, but for what stands for the words that do not fit.
inline constexpr size_t kMonitorLineBytes = 16 * config::limits::kMiB;

// As Redis 7.0 prints it, with its line end and without the + in front. `from`: a client's address,
// or "lua".
std::string monitor_line(int64_t wall_us, uint32_t database, std::string_view from, Args words);

// Administrators' commands are not shown.
bool is_monitored(const CommandSpec& row);
// Its words, without passwords. Views into `args`.
std::vector<std::string_view> words_to_show(const CommandSpec& row, Args args);
// What Redis refuses to a monitor, which is a replica to it: what reads or writes keys.
bool is_refused_to_monitors(const CommandSpec& row);

}  // namespace kiwi::resp
