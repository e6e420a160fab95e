// Clients' sockets by each engine: who is finished, held, let in, and left.
#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "tests/actors/engine_world.hpp"

namespace kiwi::actors::engine_tests {

TEST_CASE_TEMPLATE("engines: last words behind which a stream is closed arrive", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  client->stream->write("-ERR ");
  client->stream->write("go away\r\n");
  client->stream->close();
  w.run();
  w.run();
  client->read_what_is_there();
  CHECK(client->answer == "-ERR go away\r\n");
  CHECK(client->ended);
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

TEST_CASE_TEMPLATE("engines: what the kernel takes at once does not wake the loop", E, ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  w.run();
  client->stream->write("answer");
  w.engine->flush();
  w.io.restart();
  CHECK(w.io.poll() <= 1);  // the flush that the write asked for
  client->read_what_is_there();
  CHECK(client->answer == "answer");
  CHECK(client->drained <= 1);
  client->say("question");
  w.run();
  CHECK(client->heard == "question");
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

TEST_CASE_TEMPLATE("engines: without a free descriptor nobody is let in, and the others are served",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  const Listener door;
  const int outside = door.knock();
  REQUIRE(outside >= 0);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int free_one = ::dup(outside);
  REQUIRE(free_one >= 0);
  ::close(free_one);
  const rlimit none{static_cast<rlim_t>(free_one), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::vector<int> in;
  w.engine->accept({door.fd}, [&in](int socket) { in.push_back(socket); });
  for (int i = 0; i < 3; ++i) {
    client->say("x");
    w.run();
  }
  const bool restored = ::setrlimit(RLIMIT_NOFILE, &before) == 0;
  REQUIRE(restored);
  CHECK(in.empty());
  CHECK(client->heard == "xxx");
  w.engine->stop_accepting();
  CHECK(in.size() == 1);
  for (const int socket : in) {
    ::close(socket);
  }
  ::close(outside);
  client->stream->close();
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

}  // namespace kiwi::actors::engine_tests
