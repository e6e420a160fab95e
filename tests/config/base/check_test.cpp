#include "config/base/check.hpp"

#include <array>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "config/base/log.hpp"

namespace kiwi {
namespace {

struct Ending {
  int status = 0;
  std::string said;  // on standard error
};

// Runs what must not return in a child process.
template <class F>
Ending in_child(F&& body) {
  std::array<int, 2> pipe_ends{};
  REQUIRE(::pipe(pipe_ends.data()) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], STDERR_FILENO);
    ::dup2(pipe_ends[1], STDOUT_FILENO);
    ::close(pipe_ends[0]);
    ::signal(SIGABRT, SIG_DFL);  // not doctest's handler
    body();
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  Ending ending;
  std::array<char, 512> buffer{};
  for (ssize_t n = 0; (n = ::read(pipe_ends[0], buffer.data(), buffer.size())) > 0;) {
    ending.said.append(buffer.data(), static_cast<size_t>(n));
  }
  ::close(pipe_ends[0]);
  ::waitpid(child, &ending.status, 0);
  return ending;
}

TEST_SUITE("base") {
  TEST_CASE("a broken invariant aborts the process and says which and where") {
    Ending ending = in_child([] { CHECK_INVARIANT(1 + 1 == 3); });
    CHECK(WIFSIGNALED(ending.status));
    CHECK(WTERMSIG(ending.status) == SIGABRT);
    CHECK(ending.said.find("1 + 1 == 3") != std::string::npos);
    CHECK(ending.said.find("check_test.cpp") != std::string::npos);
  }

  TEST_CASE("an invariant that holds costs nothing visible") {
    Ending ending = in_child([] { CHECK_INVARIANT(1 + 1 == 2); });
    CHECK(WIFEXITED(ending.status));
    CHECK(ending.said.empty());
  }

  TEST_CASE("fatal ends the process with status 70 and its reason") {
    Ending ending = in_child([] { fatal("the disk said no"); });
    REQUIRE(WIFEXITED(ending.status));
    CHECK(WEXITSTATUS(ending.status) == 70);
    CHECK(ending.said.find("stopping: the disk said no") != std::string::npos);
  }
}

}  // namespace
}  // namespace kiwi
