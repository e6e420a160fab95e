#include "config/base/log.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace kiwi {
namespace {

TEST_SUITE("base") {
  TEST_CASE("the log shows its level and above, and every error") {
    std::string path =
        std::filesystem::temp_directory_path() / ("kiwi-log-" + std::to_string(::getpid()));
    pid_t child = ::fork();  // the process has one log: leave this one's alone
    if (child == 0) {
      bool opened = log_open(path, LogLevel::kVerbose);
      log_debug("one");
      log_verbose("two");
      log_set_level(LogLevel::kWarning);
      log_notice("three");
      log_warning("four {} %s");  // text, not a format
      log_error("five");
      log_flush();
      ::_exit(opened && log_level() == LogLevel::kWarning ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    std::filesystem::remove(path);
    CHECK(text.str().find("one") == std::string::npos);
    CHECK(text.str().find(" two\n") != std::string::npos);
    CHECK(text.str().find("three") == std::string::npos);
    CHECK(text.str().find(" four {} %s\n") != std::string::npos);
    CHECK(text.str().find(" five\n") != std::string::npos);
  }

  TEST_CASE("in JSON each line is an object, whatever its message holds") {
    const std::string path =
        std::filesystem::temp_directory_path() / ("kiwi-json-" + std::to_string(::getpid()));
    const pid_t child = ::fork();
    if (child == 0) {
      const bool opened = log_open(path, LogLevel::kNotice, LogFormat::kJson, 7);
      log_verbose("not told");
      log_notice("a \"quoted\"\nline \xff");
      log_error("five");
      ::_exit(opened ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    std::filesystem::remove(path);
    std::string line;
    REQUIRE(std::getline(text, line));
    const std::string pid = std::to_string(child);
    CHECK(line.starts_with("{\"time\":\"2"));
    CHECK(line.find("Z\",\"level\":\"notice\",\"node\":7,\"pid\":" + pid + ",\"thread\":") !=
          std::string::npos);
    CHECK(line.ends_with(",\"message\":\"a \\\"quoted\\\"\\nline \xef\xbf\xbd\"}"));
    const size_t time = line.find("\",\"level\"") - std::string("{\"time\":\"").size();
    CHECK(time == std::string("2026-12-01T01:02:03.456Z").size());
    REQUIRE(std::getline(text, line));
    CHECK(line.find("\"level\":\"error\"") != std::string::npos);
    CHECK_FALSE(std::getline(text, line));
  }

  TEST_CASE("a log file that was renamed is left when it is opened anew") {
    const std::string path =
        std::filesystem::temp_directory_path() / ("kiwi-rotated-" + std::to_string(::getpid()));
    const pid_t child = ::fork();
    if (child == 0) {
      bool good = log_reopen();  // on standard output there is nothing to do
      good = log_open(path, LogLevel::kNotice) && good;
      log_notice("first");
      std::filesystem::rename(path, path + ".1");
      log_notice("second");  // to the file that is open
      good = log_reopen() && good;
      log_notice("third");
      std::filesystem::remove(path);
      std::filesystem::create_directory(path);
      good = !log_reopen() && good;
      log_notice("fourth");
      ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    std::stringstream text;
    text << std::ifstream(path + ".1").rdbuf();
    std::filesystem::remove(path + ".1");
    std::filesystem::remove(path);
    CHECK(text.str().find(" first\n") != std::string::npos);
    CHECK(text.str().find(" second\n") != std::string::npos);
    CHECK(text.str().find("third") == std::string::npos);
  }

  TEST_CASE("a log file that cannot be opened is reported") {
    CHECK(!log_open("/proc/no/such/place", LogLevel::kNotice));
  }
}

}  // namespace
}  // namespace kiwi
