// A client of this process: what it asks and what comes back, whatever order it happens in.
#include "actors/clients/memory_stream.hpp"

#include <deque>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

// The loop, and the connection's end of a line.
struct World {
  World()
      : line(std::make_unique<MemoryLine>(
            [this](std::function<void()> w) { work.push_back(std::move(w)); })),
        stream(line->stream()) {
    stream->start({[this](std::string_view bytes) {
                     if (throws) {
                       throw std::bad_alloc();
                     }
                     received += bytes;
                   },
                   [] {}, [this] { ++closed; }});
    run();
  }
  void run() {
    while (!work.empty()) {
      const auto first = std::move(work.front());
      work.pop_front();
      first();
    }
  }
  void ask(const std::string& bytes, size_t replies) {
    line->ask(bytes, replies, [this](std::string reply) { answers.push_back(std::move(reply)); });
  }

  std::deque<std::function<void()>> work;
  std::unique_ptr<MemoryLine> line;
  std::shared_ptr<ByteStream> stream;
  std::string received;
  std::vector<std::string> answers;
  int closed = 0;
  bool throws = false;
};

}  // namespace

TEST_CASE("replies come back whole and in order, however they are cut") {
  World world;
  world.ask("first", 2);
  world.ask("second", 1);
  CHECK(world.received.empty());  // never from inside a call
  world.run();
  CHECK(world.received == "firstsecond");
  world.stream->write("+OK\r");
  world.stream->write("\n$3\r\na");
  world.run();
  CHECK(world.answers.empty());
  world.stream->write("bc\r\n:1\r\n");
  world.run();
  CHECK(world.answers == std::vector<std::string>{"+OK\r\n$3\r\nabc\r\n", ":1\r\n"});
  CHECK(world.stream->unsent_bytes() == 0);
}

TEST_CASE("who does not read is not given more") {
  World world;
  world.stream->pause();
  world.ask("asked", 1);
  world.run();
  CHECK(world.received.empty());
  CHECK(world.stream->has_unread());
  world.stream->resume();
  world.run();
  CHECK(world.received == "asked");
  CHECK_FALSE(world.stream->has_unread());
}

TEST_CASE("a connection that closes answers what is asked with nothing, now and later") {
  World world;
  world.ask("asked", 1);
  world.run();
  world.stream->close();
  world.run();
  CHECK(world.closed == 0);  // it knows
  world.ask("later", 1);
  world.run();
  CHECK(world.answers == std::vector<std::string>{"", ""});
}

TEST_CASE("a line that goes hangs up, and nobody is answered any more") {
  World world;
  world.ask("asked", 1);
  world.run();
  world.line.reset();
  world.run();
  CHECK(world.closed == 1);
  CHECK(world.answers.empty());
  world.stream->close();
  world.run();
}

TEST_CASE("the node ends it behind its answers") {
  World world;
  world.ask("asked", 1);
  world.run();
  world.stream->write("+OK\r\n");
  world.stream->finish();
  world.run();
  CHECK(world.answers == std::vector<std::string>{"+OK\r\n"});
  CHECK(world.closed == 1);
}

TEST_CASE("what a connection throws ends it and nobody else") {
  World world;
  world.throws = true;
  world.ask("asked", 1);
  world.run();
  CHECK(world.closed == 1);
  CHECK(world.answers == std::vector<std::string>{""});
}

TEST_CASE("a reply that is too long, or that nobody asked for, ends it") {
  {
    World world;
    world.ask("asked", 1);
    world.stream->write("$99999999\r\n" + std::string(MemoryLine::kReplyBytes, 'x'));
    world.run();
    CHECK(world.closed == 1);
    CHECK(world.answers == std::vector<std::string>{""});
  }
  World world;
  world.stream->write("+OK\r\n");
  world.run();
  CHECK(world.closed == 1);
}

}  // namespace kiwi::actors
