// The logging front. Thread-safe. Redis' four levels; spdlog is behind it (log.cpp only).
#pragma once

#include <string>
#include <string_view>

namespace kiwi {

enum class LogLevel { kDebug, kVerbose, kNotice, kWarning };

// file empty: standard output. Returns false if the file cannot be opened.
bool log_open(const std::string& file, LogLevel level);
void log_set_level(LogLevel level);
LogLevel log_level();
void log_flush();

void log_debug(std::string_view text);
void log_verbose(std::string_view text);
void log_notice(std::string_view text);
void log_warning(std::string_view text);
void log_error(std::string_view text);  // always printed

}  // namespace kiwi
