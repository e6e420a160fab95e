// A client's socket as the loop sees it: what is written arrives, however slowly it is read, and a
// long answer does not cost more than its length.
#include "actors/clients/asio_stream.hpp"

#include <ctime>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

namespace kiwi::actors {

namespace {

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Fixture {
  Fixture() {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    client = pair[0];
    const int small = 4096;
    ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    boost::asio::ip::tcp::socket socket(io, boost::asio::ip::tcp::v4(), pair[1]);
    socket.non_blocking(true);
    stream =
        make_asio_stream(std::move(socket), sockets, std::make_shared<std::string>(1024, '\0'));
    ByteStream::Events events;
    events.drained = [this] { drained = true; };
    stream->start(std::move(events));
  }
  ~Fixture() {
    stream->close();
    sockets->clear();
    ::close(client);
  }
  void read_what_is_there() {
    char buffer[8192];
    for (ssize_t got = 0; (got = ::recv(client, buffer, sizeof(buffer), 0)) > 0;) {
      received.append(buffer, static_cast<size_t>(got));
    }
  }

  boost::asio::io_context io;
  std::shared_ptr<ReadableSockets> sockets = std::make_shared<ReadableSockets>(io);
  std::shared_ptr<ByteStream> stream;
  std::string received;
  bool drained = false;
  int client = -1;
};

}  // namespace

TEST_CASE("a long answer to a slow client arrives whole and costs no more than its length") {
  Fixture f;
  std::string answer(64 << 20, '\0');
  for (size_t i = 0; i < answer.size(); ++i) {
    answer[i] = static_cast<char>(i * 2654435761U >> 20);
  }
  const std::string behind = "+OK\r\n";
  const double begin = thread_cpu_seconds();
  f.stream->write(answer);
  CHECK(f.stream->unsent_bytes() > answer.size() / 2);
  f.stream->write(behind);
  while (!f.drained) {
    const size_t before = f.received.size();
    const size_t unsent = f.stream->unsent_bytes();
    f.read_what_is_there();
    CHECK(f.received.size() + unsent == answer.size() + behind.size());
    REQUIRE(f.received.size() > before);
    f.io.restart();
    f.io.poll();
  }
  f.read_what_is_there();
  // Some 8,000 portions: to move the rest after each is 270 GB of copies, 10 s and more.
  CHECK(thread_cpu_seconds() - begin < 3);
  CHECK(f.stream->unsent_bytes() == 0);
  CHECK((f.received == answer + behind));
}

TEST_CASE("what is thrown in an event of a socket ends that connection and not the loop") {
  for (const bool while_reading : {true, false}) {
    Fixture thrower;
    bool closed = false;
    ByteStream::Events events;
    events.received = [](std::string_view) { throw std::bad_alloc(); };
    events.drained = [] { throw std::length_error("basic_string::append"); };
    events.closed = [&closed] { closed = true; };
    thrower.stream->start(std::move(events));
    if (while_reading) {
      REQUIRE(::send(thrower.client, "PING\r\n", 6, 0) == 6);
    } else {
      thrower.stream->write(std::string(100'000, 'x'));
    }
    for (int i = 0; i < 1000 && !closed; ++i) {
      thrower.read_what_is_there();
      CHECK_NOTHROW(thrower.io.poll_one());
    }
    CHECK(closed);
  }
}

}  // namespace kiwi::actors
