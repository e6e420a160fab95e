// MULTI, EXEC and WATCH as the router and the executor see them.
#include <doctest/doctest.h>

#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

WatchToken token(std::string key, uint64_t counter, uint32_t database = 0) {
  return {.database = database,
          .incarnation = 1,
          .key = std::move(key),
          .exists = true,
          .counter = counter};
}

std::string_view command_name(std::string_view packed) {
  static PackedCommand command;
  REQUIRE(unpack_command(packed, command));
  return command.args[0];
}

// WATCHes keys and answers with tokens.
void watch(TestClient& client, const std::string& keys, std::vector<WatchToken> tokens) {
  CHECK(client.send("WATCH " + keys + "\r\n") == "");
  std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].kind == RequestKind::kWatch);
  CHECK(client.answer(requests[0].slot, "+OK\r\n", std::move(tokens)) == "+OK\r\n");
}

Request exec(TestClient& client, const std::string& commands) {
  client.send("MULTI\r\n" + commands + "EXEC\r\n");
  std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 1);
  return requests[0];
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("a block becomes one request with its commands in order") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("MULTI\r\nSET a 1\r\nGET a\r\n") == "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    CHECK(client.forwarded().empty());
    CHECK(client.send("EXEC\r\n") == "");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].kind == RequestKind::kWrite);
    PackedCommand block = client.unpacked(requests[0]);
    CHECK(block.kind == PackedKind::kTransaction);
    REQUIRE(block.commands.size() == 2);
    CHECK(command_name(block.commands[0]) == "SET");
    CHECK(command_name(block.commands[1]) == "GET");
    CHECK(client.answer(requests[0].slot, "*2\r\n+OK\r\n$1\r\n1\r\n") ==
          "*2\r\n+OK\r\n$1\r\n1\r\n");
  }

  TEST_CASE("a block that only reads writes no log entry") {
    TestNode node;
    TestClient client(node);
    CHECK(exec(client, "GET a\r\nGET b\r\n").kind == RequestKind::kRead);
    client.send("READONLY\r\n");
    CHECK(exec(client, "GET a\r\n").kind == RequestKind::kStaleRead);
    CHECK(exec(client, "GET a\r\nSET a 1\r\n").kind == RequestKind::kWrite);
  }

  TEST_CASE("SELECT inside a block moves the commands behind it") {
    TestNode node;
    TestClient client(node);
    PackedCommand block =
        client.unpacked(exec(client, "GET a\r\nSELECT 5\r\nGET a\r\nSELECT 99\r\nGET a\r\n"));
    REQUIRE(block.commands.size() == 3);
    uint32_t databases[] = {0, 5, 5};
    for (size_t i = 0; i < 3; ++i) {
      PackedCommand command;
      REQUIRE(unpack_command(block.commands[i], command));
      CHECK(command.database == databases[i]);
    }
  }

  TEST_CASE("local commands take their places among the replies of EXEC") {
    TestNode node;
    TestClient client(node);
    Request request =
        exec(client, "PING\r\nSET a 1\r\nECHO x\r\nSELECT 5\r\nGET a\r\nSELECT 99\r\n");
    CHECK(client.answer(request.slot, "*2\r\n+OK\r\n*1\r\n$1\r\n1\r\n") ==
          "*6\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n+OK\r\n*1\r\n$1\r\n1\r\n-ERR DB index is out of "
          "range\r\n");
    client.send("GET a\r\n");
    CHECK(client.unpacked(client.forwarded()[0]).database == 5);
  }

  TEST_CASE("local commands of a block that was not executed do nothing") {
    for (std::string_view answer : {"*-1\r\n", "-TIMEOUT not committed yet\r\n"}) {
      TestNode node;
      TestClient client(node);
      watch(client, "a", {token("a", 1)});
      Request request = exec(client, "SELECT 5\r\nSET a 1\r\nCLIENT SETNAME x\r\n");
      CHECK(client.answer(request.slot, answer) == answer);
      CHECK(client.send("CLIENT GETNAME\r\n") == "$-1\r\n");
      client.send("GET a\r\n");
      CHECK(client.unpacked(client.forwarded()[0]).database == 0);
    }
  }

  TEST_CASE("what follows an EXEC with local commands waits for their effect") {
    TestNode node;
    TestClient client(node);
    client.send("MULTI\r\nSELECT 5\r\nSET a 1\r\nEXEC\r\nGET a\r\n");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(!client.session.wants_more_input());
    CHECK(client.answer(requests[0].slot, "*1\r\n+OK\r\n") == "*2\r\n+OK\r\n+OK\r\n");
    requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(client.unpacked(requests[0]).database == 5);
  }

  TEST_CASE("nothing is parsed behind a WATCH until its tokens are here [F11]") {
    TestNode node;
    TestClient client(node);
    client.send("WATCH a\r\nMULTI\r\nSET a 1\r\nEXEC\r\nPING\r\n");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].kind == RequestKind::kWatch);
    CHECK(!client.session.wants_more_input());
    CHECK(client.answer(requests[0].slot, "+OK\r\n", {token("a", 3)}) ==
          "+OK\r\n+OK\r\n+QUEUED\r\n");
    requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    PackedCommand block = client.unpacked(requests[0]);
    CHECK(block.tokens == std::vector<WatchToken>{token("a", 3)});
    CHECK(client.answer(requests[0].slot, "*-1\r\n") == "*-1\r\n+PONG\r\n");
  }

  TEST_CASE("a key that is watched twice keeps its first token [F11]") {
    TestNode node;
    TestClient client(node);
    watch(client, "a b", {token("a", 3), token("b", 4)});
    watch(client, "a c", {token("a", 9), token("c", 9), token("a", 9, 1)});
    CHECK(client.unpacked(exec(client, "SET a 1\r\n")).tokens ==
          std::vector<WatchToken>{token("a", 3), token("b", 4), token("c", 9), token("a", 9, 1)});
  }

  TEST_CASE("a WATCH of many keys does not go along with an entry [F44]") {
    for (const size_t keys : {size_t{3}, size_t{1000}}) {
      TestNode node;
      TestClient client(node);
      std::string words = "WATCH";
      for (size_t i = 0; i < keys; ++i) {
        words += " k" + std::to_string(i);
      }
      CHECK(client.send("SET a 1\r\n" + words + "\r\n").empty());
      const std::vector<Request> requests = client.forwarded();
      REQUIRE(requests.size() == 2);
      CHECK(requests[1].kind == RequestKind::kWatch);
      CHECK(requests[1].may_be_long == (keys == 1000));
    }
  }

  TEST_CASE("between WATCH and EXEC a READONLY connection reads no old state [F11]") {
    TestNode node;
    TestClient client(node);
    client.send("READONLY\r\n");
    watch(client, "a", {token("a", 3)});
    client.send("GET a\r\n");
    CHECK(client.forwarded()[0].kind == RequestKind::kRead);
    client.send("UNWATCH\r\nGET a\r\n");
    CHECK(client.forwarded()[0].kind == RequestKind::kStaleRead);
  }

  TEST_CASE("tokens are used once, and forgotten by UNWATCH, DISCARD and RESET") {
    for (std::string_view forget : {"UNWATCH\r\n", "MULTI\r\nDISCARD\r\n", "RESET\r\n",
                                    "MULTI\r\nfoo\r\nEXEC\r\n", "MULTI\r\nEXEC x\r\n"}) {
      CAPTURE(forget);
      TestNode node;
      TestClient client(node);
      watch(client, "a", {token("a", 3)});
      client.send(forget);
      CHECK(client.unpacked(exec(client, "SET a 1\r\n")).tokens.empty());
    }
    TestNode node;
    TestClient client(node);
    watch(client, "a", {token("a", 3)});
    CHECK(client.unpacked(exec(client, "SET a 1\r\n")).tokens.size() == 1);
    CHECK(client.unpacked(exec(client, "SET a 1\r\n")).tokens.empty());
  }

  TEST_CASE("UNWATCH inside a block comes too late, as in Redis") {
    TestNode node;
    TestClient client(node);
    watch(client, "a", {token("a", 3)});
    CHECK(client.unpacked(exec(client, "UNWATCH\r\nSET a 1\r\n")).tokens.size() == 1);
  }

  TEST_CASE("EXEC with tokens asks the cluster even when nothing is to be done") {
    TestNode node;
    TestClient client(node);
    for (std::string commands : {"", "PING\r\n"}) {
      client.send("READONLY\r\n");  // old state cannot tell whether a token still holds
      watch(client, "a", {token("a", 3)});
      Request request = exec(client, commands);
      CHECK(request.kind == RequestKind::kRead);
      CHECK(client.answer(request.slot, "*0\r\n") ==
            (commands.empty() ? "*0\r\n" : "*1\r\n+PONG\r\n"));
      watch(client, "a", {token("a", 3)});
      CHECK(client.answer(exec(client, commands).slot, "*-1\r\n") == "*-1\r\n");
    }
  }

  TEST_CASE("after a WATCH that failed EXEC aborts: nobody knows what changed [F11]") {
    TestNode node;
    TestClient client(node);
    client.send("WATCH a\r\n");
    CHECK(client.answer(client.forwarded()[0].slot, "-CLUSTERDOWN No raft leader\r\n") ==
          "-CLUSTERDOWN No raft leader\r\n");
    CHECK(client.send("MULTI\r\nSET a 1\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n*-1\r\n");
    CHECK(client.forwarded().empty());
    exec(client, "SET a 1\r\n");  // the next block is none of its business
  }

  TEST_CASE("RESP3 has its own nil for an aborted block") {
    TestNode node;
    TestClient client(node);
    client.send("HELLO 3\r\nWATCH a\r\n");
    client.answer(client.forwarded()[0].slot, "-TIMEOUT no quorum for read\r\n");
    CHECK(client.send("MULTI\r\nSET a 1\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n_\r\n");
    Request request = exec(client, "PING\r\nGET a\r\n");
    CHECK(request.resp_version == 3);
    CHECK(client.answer(request.slot, "_\r\n") == "_\r\n");
  }

  TEST_CASE("a block above raft.max-entry-size is refused, not executed in part [F29]") {
    TestNode node;
    node.options.raft_max_entry_size = 1 << 20;
    TestClient client(node);
    std::string set =
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$600000\r\n" + std::string(600'000, 'x') + "\r\n";
    CHECK(client.send("MULTI\r\n" + set) == "+OK\r\n+QUEUED\r\n");
    CHECK(client.send(set) == "-ERR transaction is larger than raft.max-entry-size\r\n");
    CHECK(client.send("EXEC\r\n") ==
          "-EXECABORT Transaction discarded because of previous errors.\r\n");
    CHECK(client.forwarded().empty());
  }

  TEST_CASE("CLIENT REPLY OFF silences a whole block") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("CLIENT REPLY OFF\r\nMULTI\r\nSET a 1\r\nEXEC\r\n") == "");
    CHECK(client.answer(client.forwarded()[0].slot, "*1\r\n+OK\r\n") == "");
    CHECK(client.send("CLIENT REPLY ON\r\n") == "+OK\r\n");
  }
}

}  // namespace kiwi::resp
