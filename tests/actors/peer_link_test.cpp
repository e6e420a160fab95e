// A link and its sockets when something goes wrong with them: what throws, what never comes.
#include "actors/peers/peer_link.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include "actors/client_loop.hpp"
#include "actors/messages.hpp"

namespace kiwi::actors {

namespace {

const std::string kSecret = "a secret of the cluster";

// Node 1's link to node 2, on a loop of its own; the test is node 2's machine.
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
    address = {"127.0.0.1", ntohs(any.sin_port)};
  }
  ~Fixture() {
    if (link.handle) {
      caf::anon_send(link.handle, stop_atom_v);
      run_for(50);
    }
    link = {};
    ::close(port);
  }

  void spawn() {
    PeerLinkOptions options;
    options.self = NodeId{1};
    options.peer = NodeId{2};
    options.security = [this] { return security; };
    options.reconnect_interval_ms = 10;
    options.loop = &*loop;
    options.address = [this] {
      if (address_throws-- > 0) {
        throw std::runtime_error("no address");
      }
      return address;
    };
    options.hello = [] {
      PeerHello hello;
      hello.node = NodeId{1};
      return hello;
    };
    options.peer_said = [](const PeerHello&) {};
    options.approves = [](const PeerHello&) { return true; };
    options.peer_gone = [] {};
    options.replica = [] { return ReplicaHandle(); };
    Hosting hosting = loop->hosting();
    hosting.fail_stop = [this](std::string_view why) { failure = why; };
    link = spawn_peer_link(*system, hosting, std::move(options));
    loop->every(20, [this] {
      if (link.handle) {
        caf::anon_send(link.handle, timer_atom_v);
      }
      return static_cast<bool>(link.handle);
    });
  }

  void run_for(int64_t ms) {
    run_until([] { return false; }, ms);
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

  // Node 2 takes a connection, proves itself and says no word more, or one.
  void take_one() {
    const int fd = ::accept4(port, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 || talk) {
      return;
    }
    talk = adopt_frame_socket(*loop, fd);
    handshake.emplace(
        PeerHandshake::acceptor({NodeId{2}, kSecret, [](NodeId) { return true; }, random_nonce()}));
    FrameSocket::Events events;
    events.received = [this](const std::string& frame) {
      if (!handshake->proven()) {
        handshake->receive(frame);
        if (handshake->proven() && says) {
          handshake->say(*says);
        }
        for (const std::string& answer : handshake->take_frames()) {
          talk->send(answer);
        }
      }
    };
    events.closed = [this](const std::string&) { talk_closed = true; };
    talk->start(std::move(events));
  }

  // Another connection of node 2, as the listener hands it over: is it kept?
  bool keeps_newcomer() {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    AcceptedPeer accepted{adopt_frame_socket(*loop, pair[0]),
                          std::make_shared<PeerHandshake>(PeerHandshake::acceptor(
                              {NodeId{1}, kSecret, [](NodeId) { return true; }, random_nonce()}))};
    accepted.socket->start({});
    link.accept(std::move(accepted));
    run_for(30);
    char byte = 0;
    const bool kept = ::recv(pair[1], &byte, 1, 0) != 0;  // 0: it was closed
    ::close(pair[1]);
    return kept;
  }

  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  std::optional<ClientLoop> loop;
  int port = -1;
  config::HostPort address;
  int address_throws = 0;
  std::string failure;
  PeerSecurityPtr security = plain_peer_security(kSecret);
  std::shared_ptr<FrameSocket> talk;
  std::optional<PeerHandshake> handshake;
  std::optional<PeerHello> says;
  bool talk_closed = false;
  SpawnedLink link;
};

}  // namespace

TEST_CASE("what is thrown while a link dials ends that attempt, and not the link") {
  Fixture f;
  f.address_throws = 2;
  f.spawn();
  CHECK(f.run_until(
      [&] {
        f.take_one();
        return f.talk != nullptr;
      },
      3000));
  CHECK(f.address_throws < 0);
  CHECK(f.failure.empty());
}

TEST_CASE("what a socket's owner throws closes that socket, and the loop goes on") {
  Fixture f;
  const auto socket = dial_frame_socket(*f.loop, f.address, 1000);
  std::string why;
  FrameSocket::Events events;
  events.connected = [] { throw std::runtime_error("connected, and what now"); };
  events.closed = [&](std::string said) {
    why = std::move(said);
    throw std::runtime_error("closed, and what now");
  };
  socket->start(std::move(events));
  CHECK_NOTHROW(f.run_until([&] { return !why.empty(); }, 1000));
  CHECK(why == "connected, and what now");
}

TEST_CASE(
    "a node that does not end when it is told an old hello of it begins the talk anew [F52]") {
  Fixture f;
  f.says.emplace();
  f.says->node = NodeId{2};
  f.says->you = PeerHello::You::kOldCopy;
  f.spawn();
  CHECK(f.run_until(
      [&] {
        f.take_one();
        return f.talk_closed;
      },
      3000));
  CHECK(f.failure.empty());
}

TEST_CASE("a talk that went silent gives way to another connection of that peer") {
  Fixture f;
  f.spawn();
  REQUIRE(f.run_until(
      [&] {
        f.take_one();
        return f.handshake && f.handshake->proven();
      },
      3000));
  f.run_for(100);
  CHECK_FALSE(f.keeps_newcomer());  // both dialled: the lower one's is kept
  f.run_for(2300);
  CHECK_FALSE(f.talk_closed);
  CHECK(f.keeps_newcomer());
  CHECK(f.run_until([&] { return f.talk_closed; }, 1000));
}

}  // namespace kiwi::actors
