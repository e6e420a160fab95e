// Clients' sockets by each engine: what is sent arrives, in order and once, however it is paused,
// held, ended or thrown at. Where io_uring is forbidden its cases say so and pass.
#include "actors/clients/socket_engine.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include "actors/clients/uring_engine.hpp"

namespace kiwi::actors {

namespace {

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

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

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

std::string numbered_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(i * 2654435761U >> 20);
  }
  return bytes;
}

}  // namespace

#define ENGINES Epoll, IoUring

TEST_CASE_TEMPLATE("engines: what clients say is heard, and what is written arrives", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(w.connect());
  }
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i]->say("hello " + std::to_string(i));
    }
    w.run();
    for (size_t i = 0; i < clients.size(); ++i) {
      Client& client = *clients[i];
      CHECK(client.heard == "hello " + std::to_string(i));
      client.heard.clear();
      client.stream->write("one ");
      client.stream->write("two ");
      client.stream->write("three");
    }
    w.run();
    for (const auto& client : clients) {
      client->read_what_is_there();
      CHECK(client->answer == "one two three");
      CHECK(client->stream->unsent_bytes() == 0);
      client->answer.clear();
    }
  }
  for (const auto& client : clients) {
    client->stream->close();
  }
}

TEST_CASE_TEMPLATE("engines: a long answer to a slow client arrives whole, for its length",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect(4096);
  const std::string answer = numbered_bytes(64 << 20);
  const std::string behind = "+OK\r\n";
  const double begin = thread_cpu_seconds();
  client->stream->write(answer);
  w.engine->flush();
  CHECK(client->stream->unsent_bytes() > answer.size() / 2);
  client->stream->write(behind);
  for (int idle = 0; client->drained == 0 && idle < 10;) {
    const size_t before = client->answer.size();
    client->read_what_is_there();
    idle = client->answer.size() > before ? 0 : idle + 1;
    CHECK(client->answer.size() + client->stream->unsent_bytes() >= answer.size());
    w.run();
  }
  client->read_what_is_there();
  // To move the rest after each portion is 270 GB of copies, 10 s and more.
  CHECK(thread_cpu_seconds() - begin < 3);
  CHECK(client->stream->unsent_bytes() == 0);
  CHECK((client->answer == answer + behind));
  client->stream->close();
}

TEST_CASE_TEMPLATE("engines: a long question arrives whole, in pieces of one read at most",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  const std::string question = numbered_bytes(8 << 20);
  size_t longest = 0;
  ByteStream::Events events = World<E>::events_of(*client);
  events.received = [&](std::string_view bytes) {
    longest = std::max(longest, bytes.size());
    client->heard += bytes;
  };
  client->stream->start(std::move(events));
  for (size_t sent = 0; sent < question.size();) {
    const size_t now = client->say_some(std::string_view(question).substr(sent));
    sent += now;
    w.run();
    REQUIRE((now > 0 || client->heard.size() <= sent));
  }
  w.run();
  CHECK((client->heard == question));
  CHECK(longest <= 64 * 1024);
  client->stream->close();
}

TEST_CASE_TEMPLATE("engines: what is thrown in an event ends that connection and not the loop",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto other = w.connect();
  for (const bool while_reading : {true, false}) {
    const auto client = w.connect(4096);
    ByteStream::Events events = World<E>::events_of(*client);
    events.received = [](std::string_view) { throw std::bad_alloc(); };
    events.drained = [] { throw std::length_error("basic_string::append"); };
    client->stream->start(std::move(events));
    if (while_reading) {
      client->say("PING\r\n");
    } else {
      client->stream->write(std::string(100'000, 'x'));
    }
    for (int i = 0; i < 1000 && client->closed == 0; ++i) {
      client->read_what_is_there();
      CHECK_NOTHROW(w.run());
    }
    CHECK(client->closed == 1);
    w.run();
    client->read_what_is_there();
    CHECK(client->ended);
  }
  other->say("still here");
  w.run();
  CHECK(other->heard == "still here");
  other->stream->close();
}

TEST_CASE_TEMPLATE("engines: who is paused is not read on, and loses nothing", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  const std::string question = numbered_bytes(1 << 20);
  client->stream->pause();
  size_t sent = client->say_some(question);
  for (int i = 0; i < 5; ++i) {
    w.run();
  }
  const size_t taken = client->heard.size();
  CHECK(taken <= sent);
  CHECK(taken < question.size());
  sent += client->say_some(std::string_view(question).substr(sent));
  for (int i = 0; i < 5; ++i) {
    w.run();
  }
  CHECK(client->heard.size() == taken);  // no more than what was on its way
  client->stream->resume();
  for (int i = 0; i < 10'000 && client->heard.size() < question.size(); ++i) {
    w.run();
    sent += client->say_some(std::string_view(question).substr(sent));
  }
  CHECK((client->heard == question));
  // Often, and while words come.
  client->heard.clear();
  std::string said;
  for (int i = 0; i < 200; ++i) {
    i % 3 == 0 ? client->stream->pause() : client->stream->resume();
    said += "word" + std::to_string(i);
    client->say("word" + std::to_string(i));
    w.run();
  }
  client->stream->resume();
  w.run();
  w.run();
  CHECK(client->heard == said);
  client->stream->close();
}

TEST_CASE_TEMPLATE("engines: the end of a client is told once, behind all that it said",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  client->say("last words");
  client->hang_up();
  for (int i = 0; i < 3; ++i) {
    w.run();
  }
  CHECK(client->heard == "last words");
  CHECK(client->closed == 1);
  client->stream->write("to nobody");
  client->stream->resume();
  w.run();
  CHECK(client->closed == 1);
  CHECK(client->stream->unsent_bytes() == 0);
}

TEST_CASE_TEMPLATE("engines: a write to a client that is gone ends its stream", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  client->stream->pause();
  client->hang_up();
  client->stream->write("to nobody");
  for (int i = 0; i < 3; ++i) {
    w.run();
  }
  CHECK(client->closed == 1);
}

TEST_CASE_TEMPLATE("engines: who is closed hears nothing more, whatever is under way", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  for (int round = 0; round < 50; ++round) {
    const auto client = w.connect(4096);
    client->stream->write(std::string(100'000, 'x'));
    if (round % 2 == 0) {
      w.engine->flush();
    }
    client->say("too late");
    client->stream->close();
    client->stream->close();
    for (int i = 0; i < 3; ++i) {
      w.run();
    }
    CHECK(client->heard.empty());
    CHECK(client->closed == 0);
    client->read_what_is_there();
    client->read_what_is_there();
    CHECK(client->ended);
  }
  const auto next = w.connect();  // in the place of another one
  next->say("hello");
  w.run();
  CHECK(next->heard == "hello");
  next->stream->close();
}

TEST_CASE_TEMPLATE("engines: who closes itself in its own event does no harm", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto one = w.connect();
  const auto two = w.connect();
  for (Client* client : {one.get(), two.get()}) {
    ByteStream::Events events = World<E>::events_of(*client);
    events.received = [&](std::string_view) {
      one->stream->close();
      two->stream->close();
    };
    client->stream->start(std::move(events));
  }
  one->say("x");
  two->say("x");
  w.run();
  w.run();
  CHECK(one->closed + two->closed == 0);
  one->read_what_is_there();
  CHECK(one->ended);
}

TEST_CASE_TEMPLATE("engines: who is finished gets all answers, then the end, and is heard no more",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  client->stream->write("the last answer");
  client->stream->finish();
  w.run();
  client->read_what_is_there();
  client->read_what_is_there();
  CHECK(client->answer == "the last answer");
  CHECK(client->ended);
  client->say("is anybody there?");
  w.run();
  CHECK(client->heard.empty());
  CHECK(client->closed == 0);
  client->hang_up();
  w.run();
  w.run();
  CHECK(client->closed == 1);
}

TEST_CASE_TEMPLATE("engines: what came and was not given is told", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  CHECK_FALSE(client->stream->has_unread());
  client->say("a");
  CHECK(client->stream->has_unread());
  w.run();
  CHECK_FALSE(client->stream->has_unread());
  w.engine->hold(true);
  client->say("b");
  client->stream->write("answer");  // its way to the kernel may bring news along
  w.run();
  CHECK(client->heard == "a");
  CHECK(client->stream->has_unread());
  w.engine->look();
  CHECK(client->heard == "ab");
  CHECK_FALSE(client->stream->has_unread());
  client->stream->close();
}

TEST_CASE_TEMPLATE("engines: while they are held nobody is read but by a look", E, ENGINES) {
  std::string order;
  World<E> w({[&order] {
                order += '(';
                return true;
              },
              [&order] { order += ')'; }, nullptr});
  if (!w.engine) {
    return;
  }
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(w.connect());
  }
  w.run();
  order.clear();
  w.engine->hold(true);
  for (int round = 1; round <= 3; ++round) {
    for (const auto& client : clients) {
      client->say("w");
      if (round > 1) {
        client->stream->write("ok");
      }
    }
    w.run();
    w.run();
    const std::string before(static_cast<size_t>(round - 1), 'w');
    CHECK(clients.front()->heard == before);
    CHECK(clients.back()->heard == before);
    w.engine->look();
    for (const auto& client : clients) {
      REQUIRE(client->heard == before + "w");
    }
    CHECK(w.engine->looks() == static_cast<uint64_t>(round));
  }
  CHECK(order.find('(') != std::string::npos);
  CHECK(order.back() == ')');
  for (const auto& client : clients) {
    client->read_what_is_there();
    CHECK(client->answer == "okok");
  }
  w.engine->look();
  CHECK(w.engine->looks() == 3);  // nobody was there
  clients.front()->say("x");
  w.run();
  CHECK(clients.front()->heard == "www");
  w.engine->hold(false);
  w.run();
  CHECK(clients.front()->heard == "wwwx");
  clients.back()->say("x");
  w.run();
  CHECK(clients.back()->heard == "wwwx");
  for (const auto& client : clients) {
    client->stream->close();
  }
}

TEST_CASE_TEMPLATE("engines: what is expected is found, and the loop comes to rest all the same",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  w.engine->expect_requests(true);
  std::string said;
  for (int i = 0; i < 100; ++i) {
    client->say("x");
    said += 'x';
    w.run();
  }
  CHECK(client->heard == said);
  w.engine->expect_requests(false);
  client->say("y");
  w.run();
  CHECK(client->heard == said + "y");
  client->stream->close();
}

namespace {

// A listening socket without a port: of the abstract namespace.
struct Listener {
  Listener() : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address.sun_family = AF_UNIX;
    const std::string name = "kiwi-engine-test-" + std::to_string(::getpid()) + "-" +
                             std::to_string(reinterpret_cast<uintptr_t>(this));
    name.copy(address.sun_path + 1, sizeof(address.sun_path) - 2);
    REQUIRE(::bind(fd, generic(), sizeof(address)) == 0);
    REQUIRE(::listen(fd, 128) == 0);
  }
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&address); }
  // < 0: nobody listens.
  int knock() const {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, generic(), sizeof(address)) == 0) {
      return socket;
    }
    ::close(socket);
    return -1;
  }

  sockaddr_un address{};
  int fd;
};

}  // namespace

TEST_CASE_TEMPLATE("engines: who connects is let in, also while sockets are held, and at the end",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const Listener door;
  const Listener other_door;
  std::vector<int> in;
  std::vector<int> in_by_other_door;
  std::vector<int> out;
  w.engine->accept({door.fd}, [&in](int socket) { in.push_back(socket); });
  w.engine->accept({other_door.fd},
                   [&in_by_other_door](int socket) { in_by_other_door.push_back(socket); });
  w.run();
  const auto knock = [&](const Listener& at) {
    out.push_back(at.knock());
    REQUIRE(out.back() >= 0);
  };
  for (int i = 0; i < 100; ++i) {
    knock(door);
  }
  for (int i = 0; i < 5; ++i) {
    w.run();
  }
  CHECK(in.size() == 100);
  knock(other_door);
  w.run();
  w.run();
  CHECK(in_by_other_door.size() == 1);
  w.engine->hold(true);
  for (size_t i = 1; i <= 3; ++i) {
    knock(door);
    w.run();
    w.run();
    CHECK(in.size() == 100 + i);
  }
  w.engine->hold(false);
  const Listener full;
  w.engine->accept({full.fd}, [](int socket) {
    ::close(socket);
    throw std::bad_alloc();
  });
  w.run();
  knock(full);
  CHECK_NOTHROW(w.run());
  for (int i = 0; i < 10; ++i) {
    knock(door);
  }
  w.engine->stop_accepting();
  CHECK(in.size() == 113);
  CHECK(door.knock() < 0);
  w.run();
  for (const std::vector<int>& sockets : {in, in_by_other_door, out}) {
    for (const int socket : sockets) {
      ::close(socket);
    }
  }
}

TEST_CASE_TEMPLATE("engines: whoever is left is let go at the end, with what is under way",
                   E,
                   ENGINES) {
  std::unique_ptr<Client> left;
  {
    World<E> w;
    if (!w.engine) {
      return;
    }
    left = w.connect(4096);
    left->stream->write(std::string(100'000, 'x'));
    w.engine->flush();
    w.engine->clear();
    left->stream->write("more");
    left->stream->resume();
    left->stream->close();
    w.run();
    left->stream = nullptr;
  }
  CHECK(left->closed == 0);
}

}  // namespace kiwi::actors
