#include "config/base/log.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <utility>

#include "config/base/json_text.hpp"

namespace kiwi {

namespace {

constexpr const char* kTextPattern = "%P:%t %d %b %Y %H:%M:%S.%e %L %v";

// A file that can be opened anew while others write.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::string path) : path_(std::move(path)) {}
  ~FileSink() override { close(); }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  bool open() {
    std::FILE* fresh = std::fopen(path_.c_str(), "ae");
    if (fresh == nullptr) {
      return false;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    close();
    file_ = fresh;
    return true;
  }

 private:
  void close() {
    if (file_ != nullptr) {
      std::fclose(file_);
      file_ = nullptr;
    }
  }
  // A log that cannot be written is no reason to stop.
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const size_t written = std::fwrite(line.data(), 1, line.size(), file_);
    static_cast<void>(written);
  }
  void flush_() override { std::fflush(file_); }

  const std::string path_;
  std::FILE* file_ = nullptr;  // open() comes before the first line
};

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "debug";
    case spdlog::level::debug:
      return "verbose";
    case spdlog::level::info:
      return "notice";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

class JsonFormatter final : public spdlog::formatter {
 public:
  explicit JsonFormatter(uint64_t node) : node_(node) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since = message.time.time_since_epoch();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 48> time{};
    const size_t size = std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::string line = "{\"time\":\"" + std::string(time.data(), size);
    const std::string fraction = std::to_string(1000 + ms % 1000);
    line.append(".").append(fraction.substr(1)).append("Z\",\"level\":\"");
    line.append(level_name(message.level)).append("\"");
    if (node_ != 0) {
      line.append(",\"node\":").append(std::to_string(node_));
    }
    line.append(",\"pid\":").append(std::to_string(::getpid()));
    line.append(",\"thread\":").append(std::to_string(message.thread_id));
    line.append(",\"message\":");
    append_json_string(line, std::string_view(message.payload.data(), message.payload.size()));
    line.append("}\n");
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(node_);
  }

 private:
  const uint64_t node_;
};

// The process has one log; it is the one thing that fatal() must reach from anywhere.
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made =
        std::make_shared<spdlog::logger>("kiwi", std::make_shared<spdlog::sinks::stdout_sink_mt>());
    made->set_pattern(kTextPattern);
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return instance;
}

std::shared_ptr<FileSink>& file_sink() {
  static std::shared_ptr<FileSink> instance;
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

bool log_open(const std::string& file, LogLevel level, LogFormat format, uint64_t node) {
  if (!file.empty()) {
    auto sink = std::make_shared<FileSink>(file);
    if (!sink->open()) {
      return false;
    }
    auto made = std::make_shared<spdlog::logger>("kiwi", sink);
    made->set_pattern(kTextPattern);
    made->flush_on(spdlog::level::info);
    logger() = made;
    file_sink() = sink;
  }
  if (format == LogFormat::kJson) {
    logger()->set_formatter(std::make_unique<JsonFormatter>(node));
  }
  log_set_level(level);
  return true;
}

bool log_reopen() { return !file_sink() || file_sink()->open(); }

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
