// Who waits for whose names: a name server that does not answer.
#include <atomic>
#include <chrono>
#include <cstring>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include "actors/client_loop.hpp"
#include "actors/clients/exchange.hpp"
#include "actors/messages.hpp"
#include "actors/peers/frame_socket.hpp"

namespace {

std::atomic<int> asked{0};
std::atomic<bool> silent{false};

}  // namespace

// Instead of the C library's, for this program: names that begin so are answered when the test
// says.
extern "C" int getaddrinfo(const char* node,
                           const char* service,
                           const addrinfo* hints,
                           addrinfo** found) {
  if (node != nullptr && std::strncmp(node, "silent.", 7) == 0) {
    ++asked;
    while (silent) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return EAI_AGAIN;
  }
  using Real = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const Real real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, found);
}

namespace kiwi::actors {

namespace {

struct Fixture {
  Fixture() {
    config.set("logger.console", caf::atom("none"));
    system.emplace(config);
    loop.emplace(*system);
    port = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(any);
    REQUIRE(::bind(port, reinterpret_cast<sockaddr*>(&any), size) == 0);
    REQUIRE(::listen(port, 8) == 0);
    REQUIRE(::getsockname(port, reinterpret_cast<sockaddr*>(&any), &size) == 0);
    number = ntohs(any.sin_port);
    asked = 0;
    silent = true;
  }
  ~Fixture() {
    silent = false;  // or the resolver's thread would never end
    ::close(port);
  }

  template <class Done>
  bool run_until(Done done, int64_t ms) {
    const int64_t end_ms = ClientLoop::monotonic_ms() + ms;
    while (!done() && ClientLoop::monotonic_ms() < end_ms) {
      loop->io().run_for(std::chrono::milliseconds(5));
      loop->io().restart();
    }
    return done();
  }
  bool connects(const std::string& host) {
    const auto socket = dial_frame_socket(*loop, {host, number}, 3000);
    bool connected = false;
    FrameSocket::Events events;
    events.connected = [&] { connected = true; };
    events.closed = [](const std::string&) {};
    socket->start(std::move(events));
    run_until([&] { return connected; }, 2000);
    socket->close();
    return connected;
  }

  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  std::optional<ClientLoop> loop;
  int port = -1;
  uint16_t number = 0;
};

}  // namespace

TEST_CASE("a peer whose address is in numbers is dialled while another one's name is looked up") {
  Fixture f;
  const auto socket = dial_frame_socket(*f.loop, {"silent.peer", f.number}, 3000);
  FrameSocket::Events events;
  events.closed = [](const std::string&) {};
  socket->start(std::move(events));
  REQUIRE(f.run_until([] { return asked > 0; }, 2000));
  CHECK(f.connects("127.0.0.1"));
  socket->close();
}

TEST_CASE("names that clients say for MIGRATE do not hold up those of peers") {
  Fixture f;
  resp::Exchange what;
  what.host = "silent.target";
  what.port = "1";
  what.replies = 1;
  what.timeout_ms = 60'000;
  const auto cancel = exchange(*f.loop, std::move(what), [](const std::string&) {});
  REQUIRE(f.run_until([] { return asked > 0; }, 2000));
  CHECK(f.connects("localhost"));
  cancel();
}

}  // namespace kiwi::actors
