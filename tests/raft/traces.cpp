// Runs tests/raft/traces/*.trace: blocks of commands, `----`, exactly what they print, an empty
// line. `raft_tests --rewrite` writes what was printed into the files instead of comparing.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/raft/trace_env.hpp"

namespace kiwi::raft::testing {

bool rewrite_traces = false;  // set by main()

namespace {

struct Run {
  std::string text;  // the file as it should be
  std::string difference;
};

std::string join(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) {
    out += line + "\n";
  }
  return out;
}

// Lines before the `----` of a block are comments (#) or commands; after it, what is expected.
Run run_file(std::istream& in) {
  TraceEnv env;
  Run run;
  std::vector<std::string> commands;
  std::string line;
  int number = 0;
  while (std::getline(in, line)) {
    ++number;
    if (line == "----") {
      int at = number;
      std::vector<std::string> expected;
      while (std::getline(in, line) && !line.empty()) {
        ++number;
        expected.push_back(line);
      }
      ++number;
      std::string printed = env.run(commands);
      if (printed != join(expected) && run.difference.empty()) {
        run.difference = "line " + std::to_string(at) + ", after:\n" + join(commands) +
                         "expected:\n" + join(expected) + "printed:\n" + printed;
      }
      commands.clear();
      run.text += "----\n" + printed + "\n";
      continue;
    }
    run.text += line + "\n";
    if (!line.empty() && line[0] != '#') {
      commands.push_back(line);
    }
  }
  while (run.text.ends_with("\n\n")) {
    run.text.pop_back();
  }
  return run;
}

}  // namespace

TEST_CASE("every trace prints exactly what its file says") {
  std::vector<std::filesystem::path> files;
  for (const auto& item :
       std::filesystem::directory_iterator(KIWI_SOURCE_DIR "/tests/raft/traces")) {
    if (item.path().extension() == ".trace") {
      files.push_back(item.path());
    }
  }
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 20);
  for (const auto& path : files) {
    CAPTURE(path.filename().string());
    std::ifstream in(path);
    REQUIRE(in.good());
    Run run;
    REQUIRE_NOTHROW(run = run_file(in));
    if (rewrite_traces) {
      std::ofstream(path) << run.text;
      continue;
    }
    CHECK_MESSAGE(run.difference.empty(), path.filename().string() << ": " << run.difference);
  }
}

}  // namespace kiwi::raft::testing
