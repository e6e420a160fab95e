// A session in a blocking command: what it hands over, what it does meanwhile, and how others see
// and end it (F31).
#include <string>

#include <doctest/doctest.h>

#include "resp/texts.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

bool shows(const std::string& list, const std::string& word) {
  return list.find(word) != std::string::npos;
}

TEST_SUITE("resp") {
  TEST_CASE("a blocking command waits until its time, and nothing behind it is parsed [F31]") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("BLPOP a b 1.5\r\nPING\r\n").empty());
    const std::vector<Request> sent = client.forwarded();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].kind == RequestKind::kBlocking);
    CHECK(sent[0].wait_until_ms == client.now_ms + 1500);
    const PackedCommand command = client.unpacked(sent[0]);
    CHECK_FALSE(command.serve);
    CHECK(command.args.size() == 4);
    CHECK(client.session.blocked());
    CHECK_FALSE(client.session.idle());
    CHECK(client.answer(sent[0].slot, "*-1\r\n") == "*-1\r\n+PONG\r\n");
    CHECK_FALSE(client.session.blocked());
  }

  TEST_CASE("without a timeout it waits for ever; the largest is as good") {
    TestNode node;
    TestClient client(node);
    client.send("BRPOP a 0\r\n");
    CHECK(client.forwarded().at(0).wait_until_ms == 0);
    TestClient other(node, 8);
    other.send("BRPOP a 9223372036854775\r\n");
    CHECK(other.forwarded().at(0).wait_until_ms == 0);
    TestClient next(node, 9);
    next.send("BRPOP a 9223372036854765.807\r\n");
    CHECK(next.forwarded().at(0).wait_until_ms == 0);
  }

  TEST_CASE("what is wrong with a blocking command the handler says: it does not wait") {
    TestNode node;
    TestClient client(node);
    client.send("BLPOP a x\r\nBLMOVE a b up left 0\r\nBLMPOP 0 0 a left\r\n");
    const std::vector<Request> sent = client.forwarded();
    REQUIRE(sent.size() == 3);
    for (const Request& request : sent) {
      CHECK(request.kind == RequestKind::kWrite);
    }
    CHECK_FALSE(client.session.blocked());
  }

  TEST_CASE("XREAD and XREADGROUP wait with BLOCK, and a history is answered at once [F31]") {
    TestNode node;
    TestClient client(node);
    client.send(
        "XREAD STREAMS s $\r\nXREADGROUP GROUP g c STREAMS s >\r\n"
        "XREADGROUP GROUP g c BLOCK 0 STREAMS s t > 0\r\nXREAD BLOCK -1 STREAMS s $\r\n");
    const std::vector<Request> sent = client.forwarded();
    REQUIRE(sent.size() == 4);
    CHECK(sent[0].kind == RequestKind::kRead);
    CHECK(sent[1].kind == RequestKind::kWrite);
    CHECK(sent[2].kind == RequestKind::kWrite);
    CHECK(sent[3].kind == RequestKind::kRead);
    CHECK_FALSE(client.session.blocked());
    TestClient other(node, 8);
    other.send("XREADGROUP GROUP g c BLOCK 250 NOACK STREAMS s >\r\n");
    const std::vector<Request> waits = other.forwarded();
    REQUIRE(waits.size() == 1);
    CHECK(waits[0].kind == RequestKind::kBlocking);
    CHECK(waits[0].wait_until_ms == other.now_ms + 250);
    CHECK(other.session.blocked());
  }

  TEST_CASE("inside MULTI it is queued like any write [F31]") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("MULTI\r\nBLPOP a 0\r\nBZPOPMIN z 0\r\nEXEC\r\n") ==
          "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    const std::vector<Request> sent = client.forwarded();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].kind == RequestKind::kWrite);
    CHECK(client.unpacked(sent[0]).kind == PackedKind::kTransaction);
    CHECK_FALSE(client.session.blocked());
  }

  TEST_CASE("a client that waits is read on, so that it is seen to leave, but not without bound") {
    TestNode node;
    TestClient client(node);
    client.send("BLPOP a 0\r\n");
    CHECK(client.session.wants_more_input());
    client.send(std::string(60 << 10, 'x'));
    CHECK(client.session.wants_more_input());
    client.send(std::string(8 << 10, 'x'));
    CHECK_FALSE(client.session.wants_more_input());
  }

  TEST_CASE("what a wait holds elsewhere is counted, and its buffers are given back meanwhile") {
    TestNode node;
    TestClient client(node);
    const uint64_t before = node.context.client_memory.used();
    const std::string name(100'000, 'k');
    client.send("BLPOP " + name + " 0\r\n");
    const std::vector<Request> sent = client.forwarded();
    CHECK(node.context.client_memory.used() - before > 4 * name.size());
    client.session.tick(client.now_ms + 10'000);
    CHECK(client.session.blocked());
    CHECK(client.answer(sent.at(0).slot, "*-1\r\n") == "*-1\r\n");
    CHECK(node.context.client_memory.used() < before + name.size() * 3);
    CHECK(client.send("PING\r\n") == "+PONG\r\n");
  }

  TEST_CASE("`timeout` does not close who waits") {
    TestNode node;
    node.options.timeout = 1;
    TestClient client(node);
    client.send("BLPOP a 0\r\n");
    client.session.tick(client.now_ms + 60'000);
    CHECK_FALSE(client.session.killed());
  }

  TEST_CASE("CLIENT LIST and INFO show who waits") {
    TestNode node;
    TestClient waits(node, 7);
    TestClient looks(node, 8);
    waits.send("BLMOVE a b left right 0\r\n");
    const std::string list = looks.send("CLIENT LIST ID 7\r\n");
    CHECK(shows(list, " flags=b "));
    CHECK(shows(list, " cmd=blmove "));
    CHECK(shows(looks.send("CLIENT LIST ID 8\r\n"), " flags=N "));
    CHECK(shows(looks.send("INFO clients\r\n"), "blocked_clients:1\r\n"));
    waits.answer(waits.forwarded().at(0).slot, "*-1\r\n");
    CHECK(shows(looks.send("INFO clients\r\n"), "blocked_clients:0\r\n"));
  }

  TEST_CASE("CLIENT UNBLOCK goes where waits are, and is answered in its place [F31]") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("CLIENT UNBLOCK 9\r\nCLIENT UNBLOCK 9 error\r\nPING\r\n").empty());
    const std::vector<Request> sent = client.forwarded();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].kind == RequestKind::kUnblock);
    CHECK(client.unpacked(sent[0]).args.back() == "TIMEOUT");
    CHECK(client.unpacked(sent[1]).args.back() == "ERROR");
    TestClient waits(node, 9);
    waits.send("BLPOP a 0\r\n");
    TestClient other(node, 10);
    other.send("CLIENT UNBLOCK 9\r\n");
    CHECK(other.unpacked(other.forwarded().at(0)).args.back() == "blocked");
    CHECK(client.answer(sent[1].slot, ":1\r\n").empty());
    CHECK(client.answer(sent[0].slot, ":0\r\n") == ":0\r\n:1\r\n+PONG\r\n");
  }

  TEST_CASE("a block has no place for CLIENT UNBLOCK") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("MULTI\r\nCLIENT UNBLOCK 9\r\nEXEC\r\n") ==
          "+OK\r\n-ERR Command not allowed inside a transaction\r\n"
          "-EXECABORT Transaction discarded because of previous errors.\r\n");
  }

  TEST_CASE("a connection that is to end ends its wait first, once, and then is idle [F31]") {
    TestNode node;
    TestClient client(node);
    client.send("BLPOP a 0\r\n");
    const std::vector<Request> blocked = client.forwarded();
    client.session.end_wait();
    client.session.end_wait();
    CHECK(client.send("").empty());
    const std::vector<Request> sent = client.forwarded();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].kind == RequestKind::kUnblock);
    CHECK(client.unpacked(sent[0]).args[2] == "7");
    const std::string over = "-" + std::string(texts::kUnblockedByForce) + "\r\n";
    CHECK(client.answer(blocked.at(0).slot, over) == over);
    CHECK(client.answer(sent[0].slot, ":1\r\n").empty());  // that one is nobody's
    CHECK(client.session.idle());
  }
}

}  // namespace
}  // namespace kiwi::resp
