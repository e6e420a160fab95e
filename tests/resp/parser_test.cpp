#include "resp/parser.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"

namespace kiwi::resp {
namespace {

using Event = RequestParser::Event;
using Command = std::vector<std::string>;

struct Parsed {
  std::vector<Command> commands;
  std::string error;
};

// What the parser makes of `stream` when it arrives in pieces of the sizes that next_size() gives.
template <class NextSize>
Parsed parse(std::string_view stream, NextSize next_size) {
  RequestParser parser;
  Parsed out;
  while (!stream.empty() && out.error.empty()) {
    // Each piece lives in memory of its own that is gone afterwards.
    std::string piece(stream.substr(0, next_size()));
    stream.remove_prefix(piece.size());
    parser.feed(piece);
    for (;;) {
      Event event = parser.next();
      if (event == Event::kError) {
        out.error = parser.error();
      }
      if (event != Event::kCommand) {
        break;
      }
      out.commands.emplace_back(parser.args().begin(), parser.args().end());
    }
    parser.keep_rest();
  }
  return out;
}

std::string as_array(const Command& command) {
  std::string out = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) {
    out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return out;
}

std::string random_bytes(Prng& random, size_t size) {
  std::string out(size, '\0');
  for (char& c : out) {
    c = static_cast<char>(random.next());
  }
  return out;
}

std::string error_of(std::string_view stream) {
  return parse(stream, [&] { return stream.size(); }).error;
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("a stream of commands parses the same however it is cut") {
    Prng random(20);
    for (int round = 0; round < 60; ++round) {
      std::vector<Command> commands;
      std::string stream;
      for (int i = 0; i < 12; ++i) {
        Command command(1 + random.below(5));
        for (std::string& arg : command) {
          arg = random_bytes(random, random.below(3) == 0 ? random.below(9000) : random.below(12));
        }
        bool inline_command = random.below(4) == 0;
        if (inline_command) {
          command = {"SET", "key" + std::to_string(i), "a b"};
          stream += "SET  key" + std::to_string(i) + " \"a b\"\r\n";
        } else {
          stream += as_array(command);
        }
        commands.push_back(command);
      }
      CAPTURE(round);
      CHECK(parse(stream, [&] { return stream.size(); }).commands == commands);
      CHECK(parse(stream, [] { return size_t{1}; }).commands == commands);
      CHECK(parse(stream, [&] { return 1 + random.below(700); }).commands == commands);
    }
  }

  TEST_CASE("garbage ends in an error or in nothing, and never in more memory than was sent") {
    Prng random(21);
    const std::string_view kSeeds[] = {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "SET a \"b c\"\r\n",
                                       "*1\r\n$"};
    for (int round = 0; round < 3000; ++round) {
      std::string stream;
      if (random.below(2) == 0) {
        stream = random_bytes(random, random.below(300));
      } else {  // valid bytes with a few broken ones
        for (size_t i = 0; i < 3; ++i) {
          stream += kSeeds[random.below(3)];
        }
        for (size_t i = 0; i < 1 + random.below(4); ++i) {
          stream[random.below(stream.size())] = static_cast<char>(random.next());
        }
      }
      Parsed whole = parse(stream, [&] { return stream.size(); });
      Parsed pieces = parse(stream, [&] { return 1 + random.below(20); });
      CAPTURE(round);
      CHECK(whole.commands == pieces.commands);
      CHECK(whole.error == pieces.error);
      for (const Command& command : whole.commands) {
        CHECK(!command.empty());
      }
    }
  }

  TEST_CASE("after an error nothing more is parsed") {
    RequestParser parser;
    parser.feed("*x\r\nPING\r\n");
    CHECK(parser.next() == Event::kError);
    CHECK(parser.next() == Event::kError);
    CHECK(parser.error() == "ERR Protocol error: invalid multibulk length");
  }

  TEST_CASE("a zero byte hides the end of a length line, as in Redis") {
    for (const std::string& begin :
         {std::string("*1\0\r\n", 5), std::string("*1\r\n$3\0\r\nabc\r\n", 14),
          std::string("*1\r\n\0$3\r\n", 10)}) {
      RequestParser parser;
      parser.feed(begin);
      CHECK(parser.next() == Event::kNeedMore);
      parser.keep_rest();
      parser.feed("\r\n$4\r\nPING\r\n");
      CHECK(parser.next() == Event::kNeedMore);
      parser.keep_rest();
      parser.feed(std::string(65 << 10, ' '));
      CHECK(parser.next() == Event::kError);
      CHECK(parser.error().find("count string") != std::string::npos);
    }
  }

  TEST_CASE("arguments are views into what was fed: nothing is copied") {
    std::string stream = as_array({"SET", "key", std::string(5000, 'v')});
    RequestParser parser;
    parser.feed(stream);
    REQUIRE(parser.next() == Event::kCommand);
    for (std::string_view arg : parser.args()) {
      CHECK(arg.data() >= stream.data());
      CHECK(arg.data() + arg.size() <= stream.data() + stream.size());
    }
    CHECK(parser.memory_bytes() < 200);
  }

  TEST_CASE(
      "a huge argument costs memory as it arrives and is moved a logarithmic number of times") {
    constexpr size_t kSize = 48 << 20;
    RequestParser parser;
    std::string head = "*2\r\n$4\r\nECHO\r\n$" + std::to_string(kSize) + "\r\n";
    parser.feed(head);
    REQUIRE(parser.next() == Event::kNeedMore);
    parser.keep_rest();
    CHECK(parser.memory_bytes() < 1000);  // what is announced is not allocated
    std::string piece(16 << 10, 'x');
    size_t moves = 0;
    size_t fed = 0;
    for (; fed < kSize; fed += piece.size()) {
      size_t before = parser.memory_bytes();
      parser.feed(piece);
      REQUIRE(parser.next() == Event::kNeedMore);
      parser.keep_rest();
      moves += parser.memory_bytes() != before ? 1 : 0;
      REQUIRE(parser.memory_bytes() < 2 * (fed + piece.size()) + 1000);
    }
    CHECK(moves < 16);
    CHECK(parser.memory_bytes() < kSize + 1000);  // the announced end caps the last step
    parser.feed("\r\n");
    REQUIRE(parser.next() == Event::kCommand);
    CHECK(parser.args()[1].size() == kSize);
    parser.keep_rest();
    CHECK(parser.memory_bytes() < 1000);  // and it is given back
  }

  TEST_CASE("lines without an end are refused at 64 KiB") {
    std::string most(64 << 10, 'a');
    CHECK(error_of(most) == "");
    CHECK(error_of(most + "a") == "ERR Protocol error: too big inline request");
    CHECK(error_of("*" + std::string(64 << 10, '1')) ==
          "ERR Protocol error: too big mbulk count string");
    CHECK(error_of("*1\r\n$" + std::string(64 << 10, '1')) ==
          "ERR Protocol error: too big bulk count string");
    CHECK(parse(most + "a", [] { return size_t{4096}; }).error ==
          "ERR Protocol error: too big inline request");
  }

  TEST_CASE("a command has at most 1,048,576 arguments") {
    CHECK(error_of("*1048576\r\n$1\r\na\r\n") == "");
    std::string stream = "*1048576\r\n";
    for (int i = 0; i < 1'048'576; ++i) {
      stream += "$1\r\na\r\n";
    }
    RequestParser parser;
    parser.feed(stream);
    REQUIRE(parser.next() == Event::kCommand);
    CHECK(parser.args().size() == 1'048'576);
    parser.keep_rest();
    CHECK(parser.memory_bytes() < 1000);  // nor does it keep what such a command cost
    CHECK(error_of("*1048577\r\n") == "ERR Protocol error: invalid multibulk length");
  }

  TEST_CASE("proto-max-bulk-len decides how long an argument may be") {
    RequestParser parser;
    parser.set_bulk_max(1 << 20);
    parser.feed("*1\r\n$1048576\r\n");
    CHECK(parser.next() == Event::kNeedMore);
    RequestParser strict;
    strict.set_bulk_max(1 << 20);
    strict.feed("*1\r\n$1048577\r\n");
    CHECK(strict.next() == Event::kError);
    CHECK(strict.error() == "ERR Protocol error: invalid bulk length");
  }

  TEST_CASE("limits for strangers end with their authentication") {
    RequestParser parser;
    parser.set_authenticated(false);
    std::string big = as_array({"ECHO", std::string(20'000, 'x')});
    std::string stream = "PING\r\n" + big;
    parser.feed(stream);
    REQUIRE(parser.next() == Event::kCommand);
    parser.set_authenticated(true);
    REQUIRE(parser.next() == Event::kCommand);
    CHECK(parser.args()[1].size() == 20'000);
  }
}

}  // namespace kiwi::resp
