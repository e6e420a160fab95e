#include "config/base/log.hpp"

#include <memory>
#include <mutex>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace kiwi {

namespace {

// The process has one log; it is the one thing that fatal() must reach from anywhere.
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made =
        std::make_shared<spdlog::logger>("kiwi", std::make_shared<spdlog::sinks::stdout_sink_mt>());
    made->set_pattern("%P:%t %d %b %Y %H:%M:%S.%e %L %v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::trace;
    case LogLevel::kVerbose:
      return spdlog::level::debug;
    case LogLevel::kNotice:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
  }
  return spdlog::level::info;
}

}  // namespace

bool log_open(const std::string& file, LogLevel level) {
  if (!file.empty()) {
    try {
      auto made = std::make_shared<spdlog::logger>(
          "kiwi", std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
      made->set_pattern("%P:%t %d %b %Y %H:%M:%S.%e %L %v");
      made->flush_on(spdlog::level::info);
      logger() = made;
    } catch (const spdlog::spdlog_ex&) {
      return false;
    }
  }
  log_set_level(level);
  return true;
}

void log_set_level(LogLevel level) { logger()->set_level(to_spdlog(level)); }

LogLevel log_level() {
  switch (logger()->level()) {
    case spdlog::level::trace:
      return LogLevel::kDebug;
    case spdlog::level::debug:
      return LogLevel::kVerbose;
    case spdlog::level::info:
      return LogLevel::kNotice;
    default:
      return LogLevel::kWarning;
  }
}

void log_flush() { logger()->flush(); }
void log_debug(std::string_view text) { logger()->trace("{}", text); }
void log_verbose(std::string_view text) { logger()->debug("{}", text); }
void log_notice(std::string_view text) { logger()->info("{}", text); }
void log_warning(std::string_view text) { logger()->warn("{}", text); }
void log_error(std::string_view text) { logger()->error("{}", text); }

}  // namespace kiwi
