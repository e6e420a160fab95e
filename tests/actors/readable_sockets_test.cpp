// Which sockets are readable, and how long the loop looks for the next client before it sleeps. The
// clock is the test's: it moves when it is asked, so nothing here depends on how fast the machine
// is.
#include "actors/clients/readable_sockets.hpp"

#include <functional>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

namespace kiwi::actors {

namespace {

using namespace std::chrono_literals;

// A microsecond passes whenever somebody looks.
struct FakeClock {
  ReadableSockets::Clock::time_point now{1h};
  std::chrono::microseconds step = 1us;
  int asked = 0;
  std::function<void()> when_asked;

  ReadableSockets::Clock::time_point operator()() {
    ++asked;
    now += step;
    if (when_asked) {
      when_asked();
    }
    return now;
  }
};

// One client: its end of a socket pair, and what the loop does with the other end.
struct Client final : ReadableSockets::Reader {
  Client() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0); }
  ~Client() override {
    ::close(pair[0]);
    ::close(pair[1]);
  }
  void ask() const { REQUIRE(::send(pair[0], "x", 1, 0) == 1); }
  void readable() override {
    ++visits;
    if (reads) {
      char byte = 0;
      REQUIRE(::recv(pair[1], &byte, 1, 0) == 1);
    }
    if (then) {
      then();
    }
  }
  int socket() const { return pair[1]; }

  int pair[2] = {-1, -1};
  int visits = 0;
  bool reads = true;
  std::function<void()> then;
};

struct Loop {
  std::shared_ptr<Client> add() {
    auto client = std::make_shared<Client>();
    REQUIRE(sockets->watch(client->socket(), client));
    return client;
  }
  // One whose second command is there, right behind the first: the loop looks for a third.
  std::shared_ptr<Client> add_twice_asking() {
    auto client = add();
    sockets->expect_requests(true);
    client->ask();
    run();
    client->ask();
    return client;
  }
  // Whatever can be done without going to sleep: how many events there were.
  size_t run() {
    io.restart();
    return io.poll();
  }
  // How often a client is visited in one round of the loop, that is, between two handlers of which
  // the one posted the other.
  int visits_per_round(const Client& client) {
    int visits = 0;
    constexpr int kRounds = 10;
    int rounds = 0;
    std::function<void()> round = [&] {
      if (rounds == 0) {
        visits = client.visits;
      }
      if (++rounds <= kRounds) {
        boost::asio::post(io, round);
      }
    };
    boost::asio::post(io, round);
    io.restart();
    while (rounds <= kRounds) {
      io.poll_one();
    }
    return (client.visits - visits + kRounds / 2) / kRounds;
  }

  boost::asio::io_context io;
  std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
  std::shared_ptr<ReadableSockets> sockets = std::make_shared<ReadableSockets>(
      io, ReadableSockets::Around{}, [clock = clock] { return (*clock)(); });
};

}  // namespace

TEST_CASE(
    "what belongs around the visits comes once around all of one look, and without any never") {
  boost::asio::io_context io;
  std::string order;
  auto sockets =
      std::make_shared<ReadableSockets>(io, ReadableSockets::Around{[&order] {
                                                                      order += '(';
                                                                      return true;
                                                                    },
                                                                    [&order] { order += ')'; }});
  std::vector<std::shared_ptr<Client>> clients;
  for (int i = 0; i < 2; ++i) {
    auto client = std::make_shared<Client>();
    client->then = [&order] { order += 'v'; };
    REQUIRE(sockets->watch(client->socket(), client));
    clients.push_back(std::move(client));
  }
  io.poll();
  CHECK(order.empty());
  for (const auto& client : clients) {
    client->ask();
  }
  io.poll();
  CHECK(order == "(vv)");
  sockets->clear();
}

TEST_CASE("no clock is looked at while nobody is expected") {
  Loop loop;
  const auto client = loop.add();
  for (int i = 0; i < 10; ++i) {
    client->ask();
    loop.run();
  }
  CHECK(client->visits == 10);
  CHECK(loop.clock->asked == 0);
}

TEST_CASE("a client that is expected right behind another one is found without a sleep") {
  Loop loop;
  const auto client = loop.add_twice_asking();
  const auto second = loop.clock->now;
  bool asked = false;
  loop.clock->when_asked = [&] {
    if (client->visits == 2 && loop.clock->now > second + 20us && !asked) {
      asked = true;
      client->ask();
    }
  };
  ReadableSockets::Clock::time_point third;
  client->then = [&] { third = client->visits == 3 ? loop.clock->now : third; };
  loop.run();
  CHECK(client->visits == 3);
  CHECK(third - second > 20us);
  CHECK(third - second < 35us);
}

TEST_CASE("the loop looks no longer than 30 us for a client that does not come") {
  Loop loop;
  const auto client = loop.add_twice_asking();
  const auto begin = loop.clock->now;
  loop.run();
  CHECK(loop.clock->now - begin > 30us);
  CHECK(loop.clock->now - begin < 40us);
  const int asked = loop.clock->asked;
  loop.run();
  CHECK(loop.clock->asked == asked);  // it sleeps
  client->ask();
  loop.run();
  CHECK(client->visits == 3);
}

TEST_CASE("clients that come one by one are not looked for") {
  Loop loop;
  const auto client = loop.add();
  loop.sockets->expect_requests(true);
  for (int i = 0; i < 10; ++i) {
    client->ask();
    loop.run();
    loop.clock->now += 1ms;
  }
  CHECK(client->visits == 10);
  CHECK(loop.clock->asked == 10);  // one look each: nobody was waited for
}

TEST_CASE("clients that connect while the loop is awake do not make it look more often") {
  Loop loop;
  loop.clock->step = 0us;  // so it stays awake
  const auto busy = loop.add();
  busy->reads = false;
  loop.sockets->expect_requests(true);
  busy->ask();
  REQUIRE(loop.visits_per_round(*busy) == 1);
  std::vector<std::shared_ptr<Client>> others;
  for (int i = 0; i < 20; ++i) {
    others.push_back(loop.add());
    for (int k = 0; k < 5; ++k) {
      loop.io.poll_one();
    }
  }
  CHECK(loop.visits_per_round(*busy) == 1);
  for (const auto& other : others) {
    other->ask();
  }
  (void)loop.visits_per_round(*busy);
  for (const auto& other : others) {
    CHECK(other->visits == 1);
  }
  loop.sockets->clear();
}

TEST_CASE("a visit may end the clients that come behind it, and itself") {
  Loop loop;
  const auto one = loop.add();
  auto two = loop.add();
  one->then = [&] {
    loop.sockets->unwatch(two->socket());
    loop.sockets->unwatch(one->socket());
  };
  two->then = [&] {
    loop.sockets->unwatch(two->socket());
    loop.sockets->unwatch(one->socket());
  };
  one->ask();
  two->ask();
  loop.run();
  CHECK(one->visits + two->visits == 1);
  const auto three = loop.add();
  const auto four = loop.add();
  three->then = four->then = [&] { loop.sockets->clear(); };
  three->ask();
  four->ask();
  loop.run();
  CHECK(three->visits + four->visits == 1);
}

TEST_CASE("while they are held nobody is visited but with the look behind a commit") {
  Loop loop;
  const auto one = loop.add();
  const auto two = loop.add();
  loop.run();
  loop.sockets->hold(true);
  one->ask();
  loop.run();
  two->ask();
  loop.run();
  CHECK(one->visits + two->visits == 0);
  loop.sockets->look();
  CHECK(one->visits == 1);
  CHECK(two->visits == 1);
  CHECK(loop.sockets->looks() == 1);
}

TEST_CASE("who comes while they are held wakes the loop once, and the next time nobody does") {
  Loop loop;
  const auto one = loop.add();
  const auto two = loop.add();
  loop.run();
  loop.sockets->hold(true);
  one->ask();
  CHECK(loop.run() == 1);
  two->ask();
  CHECK(loop.run() == 0);
  loop.sockets->look();
  one->ask();
  CHECK(loop.run() == 0);  // the next group is under way at once
  loop.sockets->look();
  CHECK(one->visits == 2);
  loop.sockets->hold(false);
  loop.run();
  loop.sockets->hold(true);
  loop.run();
  one->ask();
  CHECK(loop.run() == 0);
  loop.sockets->look();
  CHECK(one->visits == 3);
  SUBCASE("until nobody came") {
    loop.sockets->look();
    CHECK(loop.sockets->looks() == 3);
    loop.sockets->hold(false);
    loop.run();
    loop.sockets->hold(true);
    one->ask();
    CHECK(loop.run() == 1);
  }
}

TEST_CASE("a client that never comes while they are held costs no look") {
  Loop loop;
  const auto client = loop.add();
  for (int i = 0; i < 10; ++i) {
    client->ask();
    CHECK(loop.run() == 1);
    loop.sockets->hold(true);
    loop.sockets->look();
    loop.sockets->hold(false);
  }
  CHECK(client->visits == 10);
  CHECK(loop.sockets->looks() == 0);
}

TEST_CASE("who came while they were held is visited when they are held no more") {
  Loop loop;
  const auto one = loop.add();
  const auto two = loop.add();
  loop.run();
  loop.sockets->hold(true);
  SUBCASE("and woke the loop") {
    one->ask();
    loop.run();
  }
  SUBCASE("or had no time to") { one->ask(); }
  two->ask();
  loop.sockets->hold(false);
  loop.run();
  CHECK(one->visits == 1);
  CHECK(two->visits == 1);
  one->ask();
  loop.run();
  CHECK(one->visits == 2);
}

TEST_CASE("a visit may hold them, and the loop that was awake for more does not go on") {
  Loop loop;
  const auto client = loop.add_twice_asking();
  client->then = [&] { loop.sockets->hold(true); };
  loop.run();
  CHECK(client->visits == 2);
  client->ask();
  loop.run();
  CHECK(client->visits == 2);
  loop.sockets->look();
  CHECK(client->visits == 3);
}

TEST_CASE("who is watched while they are held is found with the others") {
  Loop loop;
  const auto one = loop.add();
  loop.sockets->hold(true);
  one->ask();
  loop.run();
  const auto late = loop.add();
  late->ask();
  CHECK(loop.run() == 0);
  loop.sockets->look();
  CHECK(late->visits == 1);
  loop.sockets->unwatch(one->socket());
  loop.sockets->hold(false);
  loop.run();
  late->ask();
  loop.run();
  CHECK(late->visits == 2);
}

TEST_CASE("a look behind a commit finds all of several hundred, and may end them") {
  Loop loop;
  std::vector<std::shared_ptr<Client>> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(loop.add());
  }
  loop.run();
  loop.sockets->hold(true);
  for (const auto& client : clients) {
    client->ask();
  }
  loop.run();
  loop.sockets->look();
  for (const auto& client : clients) {
    REQUIRE(client->visits == 1);
  }
  for (const auto& client : clients) {
    client->then = [&loop] { loop.sockets->clear(); };
    client->ask();
  }
  loop.sockets->look();
  int again = 0;
  for (const auto& client : clients) {
    again += client->visits - 1;
  }
  CHECK(again == 1);
  loop.sockets->hold(false);
  CHECK(loop.run() == 0);
}

}  // namespace kiwi::actors
