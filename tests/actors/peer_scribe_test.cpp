// The scribe under BASP, with a broker of its own instead of BASP and a raw socket as the peer: all
// bytes arrive, in order, however they were cut, and a socket that is full loses nothing.
#include "actors/peers/peer_scribe.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <doctest/doctest.h>

#include "tls_pair.hpp"

namespace kiwi::actors {

namespace {

using namespace std::chrono_literals;

// What the broker saw; the test reads it from its own thread.
struct Seen {
  void message(std::string body) {
    const std::lock_guard guard(mutex);
    bodies.push_back(std::move(body));
  }
  size_t count() {
    const std::lock_guard guard(mutex);
    return bodies.size();
  }
  std::mutex mutex;
  std::vector<std::string> bodies;
  std::atomic<bool> closed = false;
};

// As BASP does: exactly a header of four bytes, which says how long exactly the body is.
caf::behavior framed(caf::io::broker* self, const caf::io::scribe_ptr& scribe, Seen* seen) {
  self->add_scribe(scribe);
  const auto header = caf::io::receive_policy::exactly(4);
  self->configure_read(scribe->hdl(), header);
  return {
      [self, seen, header, in_body = false](const caf::io::new_data_msg& data) mutable {
        if (in_body) {
          seen->message(std::string(data.buf.begin(), data.buf.end()));
          in_body = false;
          self->configure_read(data.handle, header);
        } else {
          uint32_t size = 0;
          std::memcpy(&size, data.buf.data(), sizeof(size));
          in_body = true;
          self->configure_read(data.handle, caf::io::receive_policy::exactly(size));
        }
      },
      [seen](const caf::io::connection_closed_msg&) { seen->closed = true; },
      [self, handle = scribe->hdl()](const std::string& text) {
        self->write(handle, text.size(), text.data());
        self->flush(handle);
      },
  };
}

struct Fixture {
  explicit Fixture(std::unique_ptr<TlsEngine> tls = nullptr, std::string plain = {}) {
    config.load<caf::io::middleman>();
    system.emplace(config);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    peer = pair[0];
    const int small = 4096;
    ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    broker = system->middleman().spawn_broker(
        framed, make_peer_scribe(*system, PeerWire{pair[1], std::move(tls), std::move(plain)}),
        &seen);
  }
  ~Fixture() {
    caf::anon_send_exit(broker, caf::exit_reason::user_shutdown);
    broker = nullptr;
    ::close(peer);
  }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(peer, bytes.data(), bytes.size(), 0);
      REQUIRE(sent > 0);
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  static bool wait_for(const std::function<bool()>& done) {
    for (int i = 0; i < 1000 && !done(); ++i) {
      std::this_thread::sleep_for(5ms);
    }
    return done();
  }

  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  Seen seen;
  caf::actor broker;
  int peer = -1;
};

std::string frame(const std::string& body) {
  const auto size = static_cast<uint32_t>(body.size());
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + body;
}

}  // namespace

TEST_CASE("a peer's scribe hands out every message, however the stream is cut") {
  Fixture f;
  std::mt19937 random(7);
  std::vector<std::string> sent;
  std::string stream;
  for (int i = 0; i < 3000; ++i) {
    // Many small ones in one read (more than CAF reads in a row), some longer than the buffer.
    const size_t size = i % 500 == 250 ? 200'000 : 1 + random() % 40;
    sent.push_back(std::string(size, static_cast<char>('a' + i % 26)));
    stream += frame(sent.back());
  }
  size_t at = 0;
  while (at < stream.size()) {
    const size_t cut = std::min<size_t>(stream.size() - at, 1 + random() % 50'000);
    f.send(std::string_view(stream).substr(at, cut));
    at += cut;
    if (random() % 4 == 0) {
      std::this_thread::sleep_for(1ms);  // the reader finds nothing more now and then
    }
  }
  // No later byte brings the loop back to what it read and did not hand out.
  std::string last;
  for (int i = 0; i < 500; ++i) {
    sent.push_back("last");
    last += frame(sent.back());
  }
  f.send(last);
  REQUIRE(Fixture::wait_for([&] { return f.seen.count() == sent.size(); }));
  CHECK(f.seen.bodies == sent);
  CHECK_FALSE(f.seen.closed);
}

TEST_CASE("a peer's scribe sends at once, and the rest of what does not fit in order later") {
  Fixture f;
  std::string expected;
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) {
    texts.emplace_back(i % 10 == 0 ? 30'000 : 100, static_cast<char>('a' + i % 26));
    expected += texts.back();
  }
  std::string got;
  std::thread reader([&] {  // makes room while the broker goes on writing
    std::string buffer(10'000, '\0');
    while (got.size() < expected.size()) {
      const ssize_t n = ::recv(f.peer, buffer.data(), buffer.size(), 0);
      if (n <= 0) {
        return;
      }
      got.append(buffer, 0, static_cast<size_t>(n));
    }
  });
  for (std::string& text : texts) {
    caf::anon_send(f.broker, std::move(text));
  }
  reader.join();
  CHECK((got == expected));
}

TEST_CASE("a write to a peer that is gone is told as the end of the connection") {
  Fixture f;
  ::shutdown(f.peer, SHUT_RD);
  caf::anon_send(f.broker, std::string("into the void"));
  CHECK(Fixture::wait_for([&] { return f.seen.closed.load(); }));
}

TEST_CASE("a peer's scribe tells of the end of the connection, behind what was sent before it") {
  Fixture f;
  f.send(frame("last words"));
  ::shutdown(f.peer, SHUT_RDWR);
  REQUIRE(Fixture::wait_for([&] { return f.seen.closed.load(); }));
  CHECK(f.seen.bodies == std::vector<std::string>{"last words"});
}

// Both ends of a TLS connection that is open: the scribe has one, the test is the other.
TEST_CASE("what is flipped, inserted or sent twice on an encrypted link ends it, unread by BASP") {
  for (const std::string attack : {"flip", "twice", "insert"}) {
    CAPTURE(attack);
    auto engine = std::make_unique<TlsEngine>(made(psk_side(TlsRole::kServer, {psk("name", 'k')})));
    TlsEngine test(made(psk_side(TlsRole::kClient, {psk("name", 'k')})));
    std::string ignored;
    while (test.has_output() || engine->has_output()) {
      engine->receive(test.take_output(), ignored);
      test.receive(engine->take_output(), ignored);
    }
    REQUIRE(engine->state() == TlsState::kOpen);
    // What came with the last frame of the talk is handed out without an event of the socket.
    Fixture f(std::move(engine), frame("before"));
    REQUIRE(Fixture::wait_for([&] { return f.seen.count() == 1; }));
    test.send(frame("good"));
    const std::string good = test.take_output();
    CHECK(good.find("good") == std::string::npos);
    f.send(good);
    REQUIRE(Fixture::wait_for([&] { return f.seen.count() == 2; }));
    test.send(frame("bad"));
    std::string bad = test.take_output();
    if (attack == "flip") {
      bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    } else if (attack == "twice") {
      bad = good;
    } else {
      bad = std::string(32, '\0');  // what ends a bare BASP
    }
    f.send(bad);
    REQUIRE(Fixture::wait_for([&] { return f.seen.closed.load(); }));
    CHECK(f.seen.bodies == std::vector<std::string>{"before", "good"});
  }
}

TEST_CASE("an encrypted link carries what is written in any portions, both ways") {
  auto engine = std::make_unique<TlsEngine>(made(psk_side(TlsRole::kServer, {psk("name", 'k')})));
  TlsEngine test(made(psk_side(TlsRole::kClient, {psk("name", 'k')})));
  std::string got;
  while (test.has_output() || engine->has_output()) {
    engine->receive(test.take_output(), got);
    test.receive(engine->take_output(), got);
  }
  Fixture f(std::move(engine), {});
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string text(i % 10 == 0 ? 30'000 : 100, static_cast<char>('a' + i % 26));
    expected += text;
    caf::anon_send(f.broker, text);
  }
  std::string buffer(10'000, '\0');
  while (got.size() < expected.size()) {
    const ssize_t n = ::recv(f.peer, buffer.data(), buffer.size(), 0);
    REQUIRE(n > 0);
    REQUIRE(test.receive({buffer.data(), static_cast<size_t>(n)}, got) == TlsState::kOpen);
  }
  CHECK((got == expected));
  std::string bytes;
  for (int i = 0; i < 200; ++i) {
    test.send(frame(std::string(1 + static_cast<size_t>(i) * 200, 'x')));
    bytes += test.take_output();
  }
  for (size_t at = 0; at < bytes.size(); at += 777) {
    f.send(std::string_view(bytes).substr(at, 777));
  }
  CHECK(Fixture::wait_for([&] { return f.seen.count() == 200; }));
}

}  // namespace kiwi::actors
