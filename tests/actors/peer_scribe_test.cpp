// The scribe under BASP, with a broker of its own instead of BASP and a raw socket as the peer: all
// bytes arrive, in order, however they were cut, and a socket that is full loses nothing.
#include "actors/peers/peer_scribe.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
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
  Fixture() {
    config.load<caf::io::middleman>();
    system.emplace(config);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    peer = pair[0];
    const int small = 4096;
    ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    broker = system->middleman().spawn_broker(framed, make_peer_scribe(*system, pair[1]), &seen);
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

}  // namespace kiwi::actors
