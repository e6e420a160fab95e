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

  TEST_CASE("a log file that cannot be opened is reported") {
    CHECK(!log_open("/proc/no/such/place", LogLevel::kNotice));
  }
}

}  // namespace
}  // namespace kiwi
