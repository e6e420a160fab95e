// Clients' sockets by each engine: what is sent arrives, in order and once, however it is paused,
// ended or thrown at.
#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/actors/engine_world.hpp"

namespace kiwi::actors::engine_tests {

namespace {

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

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

TEST_CASE_TEMPLATE("engines: who ends while it is paused has not ended before it goes on",
                   E,
                   ENGINES) {
  World<E> w;
  if (!w.engine) {
    return;
  }
  const auto client = w.connect();
  client->stream->pause();
  client->say("all that it had to say");
  client->hang_up();
  for (int i = 0; i < 3; ++i) {
    w.run();
  }
  CHECK(client->closed == 0);  // its owner has not looked at what it said
  client->stream->resume();
  for (int i = 0; i < 3; ++i) {
    w.run();
  }
  CHECK(client->heard == "all that it had to say");
  CHECK(client->closed == 1);
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

}  // namespace kiwi::actors::engine_tests
