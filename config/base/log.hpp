// The logging front. Thread-safe. Redis' four levels; spdlog is behind it (log.cpp only).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi {

enum class LogLevel { kDebug, kVerbose, kNotice, kWarning };
// kJson: an object a line, with time (UTC), level, node, pid, thread and message.
enum class LogFormat { kText, kJson };

// file empty: standard output. Returns false if the file cannot be opened. Once, before there are
// other threads. node: told in JSON, 0: not.
bool log_open(const std::string& file,
              LogLevel level,
              LogFormat format = LogFormat::kText,
              uint64_t node = 0);
// The file was renamed or removed by whoever rotates logs: the next line goes to a new one of its
// name. False: it cannot be opened, and the old one goes on. Any thread; nothing on standard
// output.
bool log_reopen();
void log_set_level(LogLevel level);
LogLevel log_level();
void log_flush();

void log_debug(std::string_view text);
void log_verbose(std::string_view text);
void log_notice(std::string_view text);
void log_warning(std::string_view text);
void log_error(std::string_view text);  // always printed

}  // namespace kiwi
