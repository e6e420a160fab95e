// Clients that wait in blocking commands with a token: of two attempts one takes, and both are
// answered with it.
#include <string>

#include <doctest/doctest.h>

#include "tests/resp/once_support.hpp"
#include "tests/resp/origin.hpp"

namespace kiwi::resp {
namespace {

TEST_SUITE_BEGIN("executor once waits");

// As a client that waits: the command goes as it stands.
void block(Origin& origin, ConnectionId connection, const std::string& command, int64_t until = 0) {
  origin.ask(connection, command, RequestKind::kBlocking, until);
}

TEST_CASE("a wait that was served is repeated with the same element, and takes no other") {
  Held world;
  Origin& origin = world.origin;
  const std::string pop = once("1000000-a", {"blpop", "q", "5"});
  block(origin, 7, pop);
  CHECK(origin.serves.empty());
  origin.elsewhere("rpush q one two");
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[7] == popped("q", "one"));
  // Again, by another connection and with another timeout: nothing is taken.
  block(origin, 8, once("1000000-a", {"blpop", "q", "0"}));
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[8] == popped("q", "one"));
  CHECK(origin.node("llen q") == ":1\r\n");
}

TEST_CASE("a repetition is answered although nothing is left to take") {
  Held world;
  Origin& origin = world.origin;
  origin.elsewhere("rpush q one");
  origin.elsewhere_packed(once("1000000-a", {"blpop", "q", "5"}));
  block(origin, 7, once("1000000-a", {"blpop", "q", "5"}));
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[7] == popped("q", "one"));
}

TEST_CASE("who waits is served when another node's attempt with its token counted") {
  Held world;
  Origin& origin = world.origin;
  block(origin, 7, once("1000000-a", {"blpop", "q", "5"}));
  block(origin, 8, once("1000000-b", {"blpop", "q", "5"}));
  // One entry pushes and takes: nothing is there afterwards.
  origin.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1},
                          {packed({"rpush", "q", "one"}), once("1000000-a", {"blpop", "q", "9"})});
  origin.take(origin.node.deliver());
  REQUIRE(origin.serves.size() == 1);
  CHECK(origin.serves[0].to.connection == 7);
  origin.serve_all();
  CHECK(origin.replies[7] == popped("q", "one"));
  CHECK(origin.replies[8].empty());
  CHECK(origin.node.executor().waiters().waiting == 1);
}

TEST_CASE("a serve that found nothing leaves its token unused") {
  Held world;
  Origin& origin = world.origin;
  block(origin, 7, once("1000000-a", {"blpop", "q", "5"}));
  origin.elsewhere("rpush q one");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("lpop q");
  origin.apply_serves(number);
  CHECK(origin.replies[7].empty());
  CHECK(origin.node.executor().once().records == 0);
  origin.elsewhere("rpush q two");
  origin.serve_all();
  CHECK(origin.replies[7] == popped("q", "two"));
  CHECK(origin.node.executor().once().records == 1);
}

TEST_CASE("a token that was closed ends the wait that comes with it") {
  Held world;
  Origin& origin = world.origin;
  origin.elsewhere("kiwi.token close 1000000-a");
  block(origin, 7, once("1000000-a", {"blpop", "q", "5"}));
  origin.serve_all();
  CHECK(origin.replies[7] == "-ONCECLOSED the token was closed before it was used\r\n");
}

TEST_CASE("a wait ends when its token is closed meanwhile") {
  Held world;
  Origin& origin = world.origin;
  block(origin, 7, once("1000000-a", {"blpop", "q", "0"}));
  block(origin, 8, once("1000000-b", {"blpop", "q", "0"}));
  origin.elsewhere("kiwi.token close 1000000-a");
  REQUIRE(origin.serves.size() == 1);
  CHECK(origin.serves[0].to.connection == 7);
  origin.serve_all();
  CHECK(origin.replies[7].starts_with("-ONCECLOSED"));
  CHECK(origin.replies[8].empty());
}

TEST_CASE("a wait ends, too, when its token is closed inside a fence") {
  Held world;
  Origin& origin = world.origin;
  block(origin, 7, once("1000000-a", {"blpop", "q", "0"}));
  origin.elsewhere("kiwi.fence kiwi.token close 1000000-b");
  CHECK(origin.serves.empty());
  origin.elsewhere("kiwi.fence kiwi.token close");  // refused, and harmless
  CHECK(origin.serves.empty());
  origin.elsewhere("kiwi.fence kiwi.token close 1000000-a");
  REQUIRE(origin.serves.size() == 1);
  CHECK(origin.serves[0].to.connection == 7);
  origin.serve_all();
  CHECK(origin.replies[7].starts_with("-ONCECLOSED"));
}

TEST_CASE("entries of a group's stream are repeated, too, whatever COUNT a wait added") {
  Held world;
  Origin& origin = world.origin;
  origin.elsewhere("xgroup create s g $ mkstream");
  const std::vector<std::string> read{"xreadgroup", "group",   "g", "c", "block",
                                      "0",          "streams", "s", ">"};
  block(origin, 7, once("1000000-a", read));
  origin.elsewhere("xadd s 5-1 f v");
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  const std::string reply = origin.replies[7];
  CHECK(reply.find("5-1") != std::string::npos);
  block(origin, 8, once("1000000-a", read));
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[8] == reply);
}

// Applies the serve that was asked for, whose client has left by then, and what its node proposes.
std::vector<std::string> served_to_nobody(Origin& origin, ConnectionId gone) {
  const std::string serve = origin.serves.at(0).packed;
  const raft::ProposalNumber number = origin.expect_serves();
  origin.node.executor().forget_connection(gone);
  origin.node.log().batch(number, {serve});
  return origin.node.deliver().proposals;
}

TEST_CASE("what was taken for a client that had left goes back to its end of the list [F31]") {
  for (const bool many : {false, true}) {
    for (const bool head : {false, true}) {
      CAPTURE(many);
      CAPTURE(head);
      Held world;
      Origin& origin = world.origin;
      origin.block(7, many ? std::string("blmpop 5 1 q ") + (head ? "left" : "right") + " count 2"
                           : std::string(head ? "blpop" : "brpop") + " q 5");
      origin.elsewhere("rpush q a b c");
      const auto proposals = served_to_nobody(origin, 7);
      REQUIRE(proposals.size() == 1);
      CHECK(origin.node("llen q") == (many ? ":1\r\n" : ":2\r\n"));
      origin.elsewhere_packed(proposals[0]);
      CHECK(origin.node("lrange q 0 -1") == "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
      CHECK(origin.node.executor().once().given_back == 1);
    }
  }
}

TEST_CASE("members go back with their scores, and only if they are absent") {
  Held world;
  Origin& origin = world.origin;
  origin.block(7, "bzpopmin z 5");
  origin.elsewhere("zadd z 1.5 a 2 b");
  const auto proposals = served_to_nobody(origin, 7);
  REQUIRE(proposals.size() == 1);
  origin.elsewhere_packed(proposals[0]);
  CHECK(origin.node("zscore z a") == "$3\r\n1.5\r\n");
  origin.elsewhere("zadd z 7 a");
  origin.elsewhere_packed(proposals[0]);
  CHECK(origin.node("zscore z a") == "$1\r\n7\r\n");
}

TEST_CASE("with a token it goes back unless somebody was answered with it") {
  for (const bool asked_again : {false, true}) {
    CAPTURE(asked_again);
    Held world;
    Origin& origin = world.origin;
    const std::string pop = once("1000000-a", {"blpop", "q", "5"});
    block(origin, 7, pop);
    origin.elsewhere("rpush q one");
    const auto proposals = served_to_nobody(origin, 7);
    REQUIRE(proposals.size() == 1);
    if (asked_again) {
      origin.elsewhere_packed(pop);  // answered on another node
    }
    origin.elsewhere_packed(proposals[0]);
    CHECK(origin.node("llen q") == (asked_again ? ":0\r\n" : ":1\r\n"));
    block(origin, 8, pop);
    origin.serve_all();
    CHECK(origin.replies[8] == popped("q", "one"));  // either way it is its job
    CHECK(origin.node("llen q") == ":0\r\n");
  }
}

TEST_CASE("what KIWI.TOKEN CLOSE says is applied stays with its token") {
  Held world;
  Origin& origin = world.origin;
  const std::string pop = once("1000000-a", {"blpop", "q", "5"});
  block(origin, 7, pop);
  origin.elsewhere("rpush q one");
  const auto proposals = served_to_nobody(origin, 7);
  REQUIRE(proposals.size() == 1);
  origin.elsewhere("kiwi.token close 1000000-a");
  origin.elsewhere_packed(proposals[0]);
  CHECK(origin.node("llen q") == ":0\r\n");
  block(origin, 8, pop);
  origin.serve_all();
  CHECK(origin.replies[8] == popped("q", "one"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
