// io_uring where it is forbidden, wholly or in part: an error with a reason, and nothing else. The
// filters are those of containers, in a child process.
#include "actors/clients/uring.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

namespace kiwi::actors {

namespace {

// From now on that system call fails so, in this process.
bool forbid(long call, int error) {
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What a process hears that opens one under that filter; "it works" if it does.
std::string said_where_forbidden(long call, int error) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string text = "no filter could be set";
    if (call < 0 || forbid(call, error)) {
      const auto ring = Uring::open();
      text = ring ? "it works" : ring.error().text;
    }
    [[maybe_unused]] const ssize_t written = ::write(pipe[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::array<char, 512> buffer{};
  const ssize_t size = ::read(pipe[0], buffer.data(), buffer.size());
  ::close(pipe[0]);
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  return {buffer.data(), static_cast<size_t>(size < 0 ? 0 : size)};
}

bool works_here() {
  const std::string said = said_where_forbidden(-1, 0);
  if (said != "it works") {
    MESSAGE("not tested, for io_uring does not work here: ", said);
  }
  return said == "it works";
}

}  // namespace

TEST_CASE("io_uring that is forbidden gives a reason") {
  CHECK(said_where_forbidden(__NR_io_uring_setup, EPERM) ==
        "io_uring_setup: Operation not permitted (forbidden here: by a container's profile, or by "
        "kernel.io_uring_disabled)");
  CHECK(said_where_forbidden(__NR_io_uring_setup, ENOSYS) ==
        "io_uring_setup: Function not implemented (this kernel has none, or a filter says so)");
  CHECK(said_where_forbidden(__NR_io_uring_setup, EINVAL) ==
        "io_uring_setup: Invalid argument (this kernel is older than 6.1)");
}

TEST_CASE("io_uring that is forbidden in part gives a reason, before anybody relies on it") {
  if (!works_here()) {
    return;
  }
  CHECK(said_where_forbidden(__NR_io_uring_register, EPERM) ==
        "its buffer ring: Operation not permitted");
  CHECK(said_where_forbidden(__NR_io_uring_enter, EPERM) ==
        "io_uring_enter: Operation not permitted");
  CHECK(said_where_forbidden(__NR_eventfd2, EMFILE) == "eventfd: Too many open files");
}

TEST_CASE("one receive goes on, its buffers come back, and a cancelled one ends") {
  if (!works_here()) {
    return;
  }
  auto opened = Uring::open();
  REQUIRE(opened.has_value());
  Uring& ring = **opened;
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  constexpr uint64_t kTag = 7;
  ring.receive(pair[0], kTag);
  ring.submit();
  CHECK_FALSE(ring.has_news());
  for (size_t i = 0; i < 3 * Uring::kBuffers; ++i) {
    REQUIRE(::send(pair[1], "word", 4, MSG_NOSIGNAL) == 4);
    REQUIRE(ring.has_news());
    ring.fetch();
    CHECK(ring.has_received(kTag));
    CHECK_FALSE(ring.has_received(kTag + 1));
    REQUIRE(ring.peek().has_value());
    const auto done = ring.next();
    REQUIRE(done.has_value());
    CHECK(done->tag == kTag);
    CHECK(done->more);
    CHECK(ring.received(*done) == "word");
    ring.give_back(*done);
    CHECK_FALSE(ring.next().has_value());
  }
  ring.cancel(kTag);
  ring.fetch();
  ring.fetch();
  const auto end = ring.next();
  REQUIRE(end.has_value());
  CHECK(end->tag == kTag);
  CHECK(end->result == -ECANCELED);
  CHECK_FALSE(end->more);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_CASE("a receive for which no buffer is left ends, and loses nothing") {
  if (!works_here()) {
    return;
  }
  auto opened = Uring::open();
  REQUIRE(opened.has_value());
  Uring& ring = **opened;
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  ring.receive(pair[0], 7);
  ring.submit();
  std::vector<Uring::Done> taken;
  bool ended = false;
  for (size_t i = 0; i <= Uring::kBuffers && !ended; ++i) {
    REQUIRE(::send(pair[1], "x", 1, MSG_NOSIGNAL) == 1);
    ring.fetch();
    while (const auto done = ring.next()) {
      if (done->has_buffer) {
        taken.push_back(*done);
      } else {
        CHECK(done->result == -ENOBUFS);
        CHECK_FALSE(done->more);
        ended = true;
      }
    }
  }
  CHECK(ended);
  CHECK(taken.size() == Uring::kBuffers);
  ring.give_back(taken.front());
  ring.receive(pair[0], 7);
  ring.fetch();
  const auto last = ring.next();
  REQUIRE(last.has_value());
  CHECK(last->result == 1);
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace kiwi::actors
