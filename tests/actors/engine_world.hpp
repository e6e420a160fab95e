// Clients' ends of socket pairs, and an engine that has the other ends, on a loop that runs when
// the test says so.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include "actors/clients/socket_engine.hpp"
#include "actors/clients/uring_engine.hpp"

namespace kiwi::actors::engine_tests {

// Clients' sockets by each engine. Where io_uring is forbidden its cases say so and pass.
#define ENGINES Epoll, IoUring

struct Epoll {
  static std::shared_ptr<SocketEngine> make(boost::asio::io_context& io, LoopHooks hooks) {
    return make_epoll_engine(io, std::move(hooks));
  }
};
struct IoUring {
  static std::shared_ptr<SocketEngine> make(boost::asio::io_context& io, LoopHooks hooks) {
    auto made = make_uring_engine(io, std::move(hooks));
    if (!made) {
      MESSAGE("not tested, for io_uring does not work here: ", made.error().text);
      return nullptr;
    }
    return *made;
  }
};

// A client's end of a connection, and what the other end's stream was told.
struct Client {
  explicit Client(int fd) : socket(fd) {}
  ~Client() { hang_up(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void say(std::string_view words) const {
    REQUIRE(::send(socket, words.data(), words.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(words.size()));
  }
  // What the kernel takes of it without waiting.
  size_t say_some(std::string_view words) const {
    const ssize_t sent = ::send(socket, words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  void read_what_is_there() {
    char buffer[16384];
    ssize_t got = 0;
    while ((got = ::recv(socket, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
      answer.append(buffer, static_cast<size_t>(got));
    }
    ended = ended || got == 0;
  }
  void hang_up() {
    if (socket >= 0) {
      ::close(std::exchange(socket, -1));
    }
  }

  int socket;
  std::string answer;  // what came
  bool ended = false;  // nothing more will
  std::shared_ptr<ByteStream> stream;
  std::string heard;  // by the stream
  int drained = 0;
  int closed = 0;
};

template <class Engine>
struct World {
  explicit World(LoopHooks hooks = {}) : engine(Engine::make(io, std::move(hooks))) {}
  ~World() {
    if (engine) {
      engine->clear();
    }
    run();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Whatever can be done without going to sleep.
  void run() {
    if (engine) {
      engine->flush();
    }
    io.restart();
    io.poll();
  }
  std::unique_ptr<Client> connect(int send_buffer = 0) {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
    if (send_buffer != 0) {
      ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
    }
    auto client = std::make_unique<Client>(pair[0]);
    client->stream = engine->make_stream(pair[1]);
    REQUIRE(client->stream != nullptr);
    client->stream->start(events_of(*client));
    run();
    return client;
  }
  static ByteStream::Events events_of(Client& client) {
    ByteStream::Events events;
    events.received = [&client](std::string_view bytes) { client.heard += bytes; };
    events.drained = [&client] { ++client.drained; };
    events.closed = [&client] { ++client.closed; };
    return events;
  }

  boost::asio::io_context io;
  std::shared_ptr<SocketEngine> engine;
};

inline std::string numbered_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(i * 2654435761U >> 20);
  }
  return bytes;
}

}  // namespace kiwi::actors::engine_tests
