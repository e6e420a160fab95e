// KIWI.FAULT: answers that are lost on purpose, and what it tells of each.
#include <doctest/doctest.h>

#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

TEST_SUITE_BEGIN("session faults");

struct Tested {
  Tested() { node.options.enable_debug_command = config::DebugAccess::kYes; }
  TestNode node;
  TestClient client{node};
  std::string truth() {
    TestClient other(node, 99);
    return other.send("KIWI.FAULT STATS\r\n");
  }
};

TEST_CASE("without enable-debug-command nobody loses answers on purpose") {
  TestNode node;
  node.options.enable_debug_command = config::DebugAccess::kNo;
  TestClient client(node);
  CHECK(client.send("KIWI.FAULT ON lost-reply\r\n").starts_with("-ERR DEBUG command not allowed"));
  CHECK_FALSE(node.context.faults.any());
}

TEST_CASE("a lost request is never handed on, and its connection ends") {
  Tested t;
  CHECK(t.client.send("KIWI.FAULT ON lost-request COUNT 1\r\n") == "+OK\r\n");
  CHECK(t.client.send("PING\r\n") == "+PONG\r\n");  // asks for no data
  t.client.send("SET k v\r\n");
  CHECK(t.client.forwarded().empty());
  CHECK(t.node.closed == std::vector<ConnectionId>{7});
  CHECK(t.truth().find("not-executed") != std::string::npos);
}

TEST_CASE("a lost reply: executed, then the connection ends without a byte") {
  Tested t;
  t.client.send("KIWI.FAULT ON lost-reply COUNT 1 COMMANDS set\r\n");
  CHECK(t.client.send("GET k\r\n") == "");
  const std::vector<Request> read = t.client.forwarded();
  CHECK(t.client.answer(read.at(0).slot, "$-1\r\n") == "$-1\r\n");
  t.client.send("SET k v\r\n");
  const std::vector<Request> requests = t.client.forwarded();
  REQUIRE(requests.size() == 1);
  CHECK(t.client.answer(requests[0].slot, "+OK\r\n") == "");
  CHECK(t.node.closed == std::vector<ConnectionId>{7});
  CHECK(t.truth() == "*1\r\n*4\r\n:1\r\n$10\r\nlost-reply\r\n$3\r\nset\r\n$8\r\nexecuted\r\n");
}

TEST_CASE("half an answer is the last that a client gets") {
  Tested t;
  t.client.send("KIWI.FAULT ON cut-reply COUNT 1\r\n");
  t.client.send("SET k v\r\nSET k w\r\n");
  const std::vector<Request> requests = t.client.forwarded();
  REQUIRE(requests.size() == 2);
  CHECK(t.client.answer(requests[0].slot, "+OK\r\n") == "+O");
  CHECK(t.client.answer(requests[1].slot, "+OK\r\n") == "");
  CHECK(t.client.session.closing());
}

TEST_CASE("TIMEOUT is said of what was executed, and of what was not") {
  Tested t;
  const std::string timeout = "-" + std::string(texts::kTimeout) + "\r\n";
  t.client.send("KIWI.FAULT ON timeout-void COUNT 1\r\n");
  CHECK(t.client.send("SET k v\r\n") == timeout);
  CHECK(t.client.forwarded().empty());
  t.client.send("KIWI.FAULT ON timeout-applied COUNT 2\r\n");
  t.client.send("SET k v\r\n");
  CHECK(t.client.answer(t.client.forwarded().at(0).slot, "+OK\r\n") == timeout);
  t.client.send("MULTI\r\nSET k v\r\nEXEC\r\n");
  CHECK(t.client.answer(t.client.forwarded().at(0).slot, "*1\r\n+OK\r\n") == timeout);
  CHECK(t.client.send("SET k v\r\n") == "");
  CHECK(t.client.answer(t.client.forwarded().at(0).slot, "+OK\r\n") == "+OK\r\n");
}

TEST_CASE("the same seed loses the same answers, by name on any connection") {
  const auto lost = [](const std::string& seed) {
    Tested t;
    t.client.send("KIWI.FAULT NAME worker* ON timeout-void P 0.3 SEED " + seed + "\r\n");
    TestClient worker(t.node, 8);
    worker.send("CLIENT SETNAME worker-1\r\n");
    std::string all;
    for (int i = 0; i < 60; ++i) {
      const bool answered = !worker.send("SET k v\r\n").empty();
      all += answered ? 'x' : '.';
      for (const Request& request : worker.forwarded()) {
        worker.answer(request.slot, "+OK\r\n");
      }
    }
    CHECK(t.client.send("SET k v\r\n") == "");  // it has no name
    return all;
  };
  const std::string first = lost("5");
  CHECK(first == lost("5"));
  CHECK(first != lost("6"));
  CHECK(first.find('x') != std::string::npos);
  CHECK(first.find('.') != std::string::npos);
}

TEST_CASE("OFF ends them, and so does the end of the connection that asked") {
  Tested t;
  t.client.send("KIWI.FAULT ON lost-reply\r\n");
  CHECK(t.client.send("KIWI.FAULT OFF\r\n") == "+OK\r\n");
  CHECK_FALSE(t.node.context.faults.any());
  {
    TestClient other(t.node, 9);
    other.send("KIWI.FAULT ON lost-reply\r\n");
    other.send("KIWI.FAULT NAME x ON lost-reply\r\n");
  }
  CHECK(t.node.context.faults.any());  // what goes by names stays
  t.client.send("KIWI.FAULT OFF ALL\r\n");
  CHECK_FALSE(t.node.context.faults.any());
  for (const char* wrong : {"ON", "ON nonsense", "ON lost-reply P 2", "ON lost-reply P",
                            "ON lost-reply SEED x", "ON lost-reply COMMANDS", "NAME x", "OFF x"}) {
    CAPTURE(wrong);
    CHECK(t.client.send("KIWI.FAULT " + std::string(wrong) + "\r\n").starts_with("-ERR"));
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
