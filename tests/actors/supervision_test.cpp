// What a service manager is told, and how it gets there.
#include "actors/node/supervision.hpp"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "actors/node/notify_socket.hpp"

namespace kiwi::actors {

namespace {

using resp::web::Readiness;

constexpr int64_t kMinuteUs = 60'000'000;

Supervision::Seen seen_at(int64_t now_ms) {
  Supervision::Seen seen;
  seen.vitals.opened = true;
  seen.vitals.now_ms = seen.vitals.client_beat_ms = seen.vitals.raft_beat_ms = now_ms;
  seen.vitals.readiness = Readiness::kReady;
  seen.vitals.election_timeout_ms = 300;
  seen.leader = 2;
  return seen;
}

std::string say(Supervision& supervision, const Supervision::Seen& seen) {
  const std::string text = supervision.step(seen);
  if (!text.empty()) {
    supervision.said();
  }
  return text;
}

// The manager's end of the socket; an abstract name, which no file is left of.
class Manager {
 public:
  Manager() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "kiwi-test-" + std::to_string(::getpid());
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::optional<std::string> received() const {
    std::array<char, 1024> buffer{};
    const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    return size < 0 ? std::nullopt
                    : std::optional(std::string(buffer.data(), static_cast<size_t>(size)));
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("a node is ready once it listens, whether it has a leader or not") {
  Supervision supervision(0);
  Supervision::Seen seen = seen_at(1000);
  seen.vitals.opened = false;
  CHECK(say(supervision, seen) == "STATUS=not ready: the node opens its data\n");
  CHECK(say(supervision, seen).empty());
  seen = seen_at(1100);
  seen.vitals.readiness = Readiness::kNoLeader;
  CHECK(say(supervision, seen) == "READY=1\nSTATUS=not ready: no leader is known\n");
  CHECK(say(supervision, seen).empty());
}

TEST_CASE("the status names the role and the leader, and changes once a second at most") {
  Supervision supervision(0);
  CHECK(say(supervision, seen_at(1000)) == "READY=1\nSTATUS=follows node 2\n");
  Supervision::Seen seen = seen_at(1900);
  seen.vitals.leads = true;
  CHECK(say(supervision, seen).empty());
  seen.vitals.now_ms = seen.vitals.client_beat_ms = seen.vitals.raft_beat_ms = 2000;
  CHECK(say(supervision, seen) == "STATUS=leads\n");
  CHECK(say(supervision, seen).empty());
}

TEST_CASE("what was not taken is said again, and nothing is said twice") {
  Supervision supervision(0);
  const Supervision::Seen seen = seen_at(1000);
  const std::string first = supervision.step(seen);
  CHECK(first == "READY=1\nSTATUS=follows node 2\n");
  CHECK(supervision.step(seen) == first);
  supervision.said();
  CHECK(supervision.step(seen).empty());
}

TEST_CASE("the watchdog is fed thrice a limit, as long as both loops go on") {
  Supervision supervision(kMinuteUs);
  Supervision::Seen opening = seen_at(500);
  opening.vitals.opened = false;
  CHECK(say(supervision, opening).find("WATCHDOG=1") == std::string::npos);
  CHECK(say(supervision, seen_at(1000)) == "READY=1\nSTATUS=follows node 2\nWATCHDOG=1\n");
  CHECK(say(supervision, seen_at(20'900)).empty());
  CHECK(say(supervision, seen_at(21'000)) == "WATCHDOG=1\n");
  Supervision::Seen hangs = seen_at(51'001);
  hangs.vitals.raft_beat_ms = 21'000;
  CHECK(say(supervision, hangs) == "STATUS=not ready: the raft loop stands still for 30 s\n");
  hangs.vitals.raft_on_disk = true;  // no restart would cure the disk
  CHECK(say(supervision, hangs) == "WATCHDOG=1\n");
  hangs.vitals.raft_on_disk = false;
  hangs.vitals.now_ms = hangs.vitals.client_beat_ms = 200'000;
  CHECK(say(supervision, hangs).find("WATCHDOG=1") == std::string::npos);
}

TEST_CASE("without a watchdog nobody is told that it lives") {
  Supervision supervision(0);
  CHECK(say(supervision, seen_at(1000)).find("WATCHDOG") == std::string::npos);
  CHECK(say(supervision, seen_at(100'000)).empty());
}

TEST_CASE("a node that stops says so once, and for how long it needs patience") {
  Supervision supervision(0);
  say(supervision, seen_at(1000));
  Supervision::Seen seen = seen_at(1100);
  seen.stopping = true;
  seen.stop_ms = 25'000;
  CHECK(say(supervision, seen) == "STOPPING=1\nEXTEND_TIMEOUT_USEC=25000000\nSTATUS=stopping\n");
  CHECK(say(supervision, seen).empty());
}

TEST_CASE("the manager's socket is taken out of the environment and gets what is said") {
  const Manager manager;
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const NotifySocket socket = NotifySocket::of_environment();
  REQUIRE(socket.present());
  CHECK(socket.watchdog_us() == kMinuteUs);
  CHECK(std::getenv("NOTIFY_SOCKET") == nullptr);
  CHECK(std::getenv("WATCHDOG_USEC") == nullptr);
  CHECK(std::getenv("WATCHDOG_PID") == nullptr);
  CHECK(socket.send("READY=1\n"));
  CHECK(manager.received() == "READY=1\n");
  int taken = 0;
  while (taken < 100'000 && socket.send("STATUS=leads\n")) {
    ++taken;  // nobody reads: it does not wait
  }
  CHECK(taken < 100'000);
  CHECK(manager.received() == "STATUS=leads\n");
  CHECK(socket.send("WATCHDOG=1\n"));
}

TEST_CASE("a watchdog of another process is not fed, and without a socket nobody is told") {
  {
    const Manager manager;
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);
    const NotifySocket socket = NotifySocket::of_environment();
    CHECK(socket.present());
    CHECK(socket.watchdog_us() == 0);
  }
  CHECK_FALSE(NotifySocket::of_environment().present());
  for (const std::string& name : {std::string("kiwi"), std::string("/"), std::string(200, '/')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    CHECK_FALSE(NotifySocket::of_environment().present());
  }
}

}  // namespace kiwi::actors
