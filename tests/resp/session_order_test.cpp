// Order of replies, bounds on what is unanswered, limits on buffers, time.
#include <algorithm>
#include <deque>

#include <doctest/doctest.h>

#include "config/limits.hpp"
#include "resp/command.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

namespace limits = config::limits;

TEST_SUITE("resp") {
  TEST_CASE("a read that walks says so: the router attaches it to no batch of writes") {
    TestNode node;
    TestClient client(node);
    for (const char* line :
         {"RAFT.DEBUG EXEC SMEMBERS k", "RAFT.DEBUG AUDIT", "GEOSEARCH k FROMMEMBER a BYRADIUS 1 m",
          "GEORADIUS_RO k 0 0 1 m", "GEORADIUSBYMEMBER_RO k a 1 m", "HLEN k"}) {
      INFO(line);
      CHECK(client.send(std::string(line) + "\r\n").empty());
      const std::vector<Request> forwarded = client.forwarded();
      REQUIRE(forwarded.size() == 1);
      CHECK(forwarded[0].may_be_long);
      client.answer(forwarded[0].slot, "*0\r\n");
    }
  }

  TEST_CASE("a data command is packed for the router with its database, kind and protocol") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("SET a 1\r\n") == "");
    CHECK(client.send("SELECT 3\r\n") == "");  // waits behind SET
    CHECK(client.send("GET a\r\n") == "");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].kind == RequestKind::kWrite);
    CHECK(requests[0].resp_version == 2);
    CHECK(client.unpacked(requests[0]).args == std::vector<std::string_view>{"SET", "a", "1"});
    CHECK(client.unpacked(requests[0]).database == 0);
    CHECK(requests[1].kind == RequestKind::kRead);
    CHECK(client.unpacked(requests[1]).database == 3);
    CHECK(client.answer(requests[0].slot, "+OK\r\n") == "+OK\r\n+OK\r\n");
    CHECK(client.answer(requests[1].slot, "$1\r\n1\r\n") == "$1\r\n1\r\n");
    CHECK(client.session.idle());
  }

  TEST_CASE("replies leave in the order of their commands, whatever order answers come in") {
    TestNode node;
    TestClient client(node);
    client.send("GET a\r\nPING\r\nGET b\r\nPING 1\r\nPING 2\r\nGET c\r\n");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 3);
    CHECK(client.answer(requests[2].slot, "$1\r\nc\r\n") == "");
    CHECK(client.answer(requests[1].slot, "$1\r\nb\r\n") == "");
    CHECK(client.answer(requests[0].slot, "$1\r\na\r\n") ==
          "$1\r\na\r\n+PONG\r\n$1\r\nb\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\nc\r\n");
  }

  TEST_CASE("a slot is answered once: what comes later for it is dropped [F5]") {
    TestNode node;
    TestClient client(node);
    client.send("SET a 1\r\nSET b 2\r\n");
    std::vector<Request> requests = client.forwarded();
    CHECK(client.answer(requests[0].slot, "-TIMEOUT not committed yet\r\n") ==
          "-TIMEOUT not committed yet\r\n");
    CHECK(client.answer(requests[0].slot, "+OK\r\n") == "");
    CHECK(client.answer(requests[1].slot, "+OK\r\n") == "+OK\r\n");
    CHECK(client.answer(requests[1].slot, "+OK\r\n") == "");
    CHECK(client.answer(999, "+OK\r\n") == "");
  }

  TEST_CASE("nor is a reply replaced that waits for its turn [F5]") {
    TestNode node;
    TestClient client(node);
    client.send("SET a 1\r\nSET b 2\r\nPING\r\n");
    std::vector<Request> requests = client.forwarded();
    client.answer(requests[1].slot, "-TIMEOUT not committed yet\r\n");
    client.answer(requests[1].slot, "+OK\r\n");
    client.answer(requests[1].slot + 1, "+OK\r\n");  // the place of PING: answered from the start
    CHECK(client.answer(requests[0].slot, "+OK\r\n") ==
          "+OK\r\n-TIMEOUT not committed yet\r\n+PONG\r\n");
  }

  TEST_CASE("many rounds of a full ring keep their order") {
    TestNode node;
    TestClient client(node);
    uint64_t next = 0;
    for (int round = 0; round < 50; ++round) {
      std::string sent;
      std::string expected;
      size_t count = 1 + static_cast<size_t>(round) * 7;
      for (size_t i = 0; i < count; ++i) {
        std::string key = std::to_string(next++);
        sent += "GET " + key + "\r\nECHO x" + key + "\r\n";
        expected += "+" + key + "\r\n$" + std::to_string(key.size() + 1) + "\r\nx" + key + "\r\n";
      }
      client.send(sent);
      std::vector<Request> requests = client.forwarded();
      REQUIRE(requests.size() == count);
      std::string answered;
      for (size_t i = 0; i < count; ++i) {  // pairs the wrong way round
        const Request& request = requests[i % 2 == 1 ? i - 1 : std::min(i + 1, count - 1)];
        std::string key(client.unpacked(request).args[1]);
        answered += client.answer(request.slot, "+" + key + "\r\n");
      }
      for (const Request& request : requests) {  // the last one of an odd count
        answered += client.answer(request.slot,
                                  "+" + std::string(client.unpacked(request).args[1]) + "\r\n");
      }
      CHECK(answered == expected);
      CHECK(client.session.idle());
    }
  }

  TEST_CASE(
      "a pipeline of any length is parsed up to a bound and goes on when half is answered [F28]") {
    TestNode node;
    TestClient client(node);
    std::string sent;
    size_t total = limits::kPipelineCommands + 5000;
    for (size_t i = 0; i < total; ++i) {
      sent += "INCR a\r\n";
    }
    client.send(sent);
    std::vector<Request> requests = client.forwarded();
    CHECK(requests.size() == limits::kPipelineCommands + 1);
    CHECK(!client.session.wants_more_input());
    size_t answered = 0;
    while (client.forwarded().empty()) {
      client.answer(requests[answered++].slot, ":1\r\n");
      REQUIRE(answered < requests.size());
    }
    CHECK(answered == limits::kPipelineCommands / 2 + 1);
    CHECK(client.session.wants_more_input());
  }

  TEST_CASE("few reads are under way while their replies are big, many when they are small [F28]") {
    TestNode node;
    TestClient client(node);
    std::string gets;
    for (size_t i = 0; i < 4000; ++i) {
      gets += "GET a\r\n";  // one read of the socket asks for 4 GB, if `a` is 1 MiB
    }
    client.send(gets);
    const std::string big = "$1048576\r\n" + std::string(1 << 20, 'x') + "\r\n";
    std::deque<uint64_t> open;
    size_t most = 0;
    auto answer_100 = [&](const std::string& reply) {
      for (int i = 0; i < 100; ++i) {
        for (const Request& request : client.forwarded()) {
          open.push_back(request.slot);
        }
        most = std::max(most, open.size());
        REQUIRE(!open.empty());
        client.answer(open.front(), reply);
        open.pop_front();
        client.session.set_unsent_bytes(0);  // the socket took it
      }
    };
    answer_100(big);
    CHECK(most <= limits::kPipelineBytes / (size_t{1} << 20) + 1);
    answer_100("$-1\r\n");
    CHECK(most > 1000);
  }

  TEST_CASE("writes that answer with big values are held back like reads [F28]") {
    TestNode node;
    TestClient client(node);
    std::string gets;
    for (size_t i = 0; i < 100; ++i) {
      gets += "GETEX a\r\n";
    }
    client.send("GETEX a\r\n");
    const std::string big = "$1048576\r\n" + std::string(1 << 20, 'x') + "\r\n";
    client.answer(client.forwarded()[0].slot, big);
    client.send(gets);
    CHECK(client.forwarded().size() <= limits::kPipelineBytes / (size_t{1} << 20) + 1);
  }

  TEST_CASE("big arguments count too [F28]") {
    TestNode node;
    TestClient client(node);
    std::string big(1 << 20, 'x');
    std::string set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048576\r\n" + big + "\r\n";
    size_t sent = 0;
    while (client.session.wants_more_input()) {
      client.send(set);
      REQUIRE(++sent < 40);
    }
    CHECK(sent == limits::kPipelineBytes / big.size());
  }

  TEST_CASE("a client that does not read its replies is not served further [F28]") {
    TestNode node;
    TestClient client(node);
    std::string sent;
    for (int i = 0; i < 2000; ++i) {
      sent += "COMMAND DOCS\r\n";  // 14 bytes ask for 100,000
    }
    client.session.receive(sent, 1000);
    std::string first = client.session.take_output();
    CHECK(first.size() > limits::kOutputPauseBytes);
    CHECK(first.size() < 2 * limits::kOutputPauseBytes);
    CHECK(!client.session.wants_more_input());
    client.session.set_unsent_bytes(first.size());
    CHECK(!client.session.has_output());
    client.session.set_unsent_bytes(limits::kOutputPauseBytes / 4);
    CHECK(client.session.has_output());  // and it goes on by itself
    CHECK(client.session.take_output().size() < limits::kOutputPauseBytes);
  }

  TEST_CASE("replies held behind an unanswered command count as output [F28]") {
    TestNode node;
    TestClient client(node);
    std::string sent = "GET a\r\n";
    for (int i = 0; i < 2000; ++i) {
      sent += "COMMAND DOCS\r\n";
    }
    CHECK(client.send(sent) == "");
    CHECK(!client.session.wants_more_input());
    std::string out = client.answer(client.forwarded()[0].slot, "$-1\r\n");
    CHECK(out.size() < 3 * limits::kOutputPauseBytes);
  }

  TEST_CASE("a client above the output buffer limit is closed") {
    TestNode node;
    node.options.client_output_buffer_limit.normal = {3 << 20, 2 << 20, 10};
    TestClient client(node, 5);
    client.send("GET a\r\nGET b\r\n");
    std::vector<Request> requests = client.forwarded();
    SUBCASE("at the hard limit at once") {
      client.session.set_unsent_bytes(3 << 20);
      CHECK(client.session.killed());
      CHECK(node.closed == std::vector<ConnectionId>{5});
      CHECK(node.metrics.output_limit_disconnections == 1);
    }
    SUBCASE("at the soft limit after its time") {
      client.session.set_unsent_bytes(2 << 20);
      client.session.tick(1000 + 10'000);
      CHECK(!client.session.killed());
      client.session.tick(1000 + 10'001);
      CHECK(client.session.killed());
    }
    SUBCASE("and not when it was below in between") {
      client.session.set_unsent_bytes(2 << 20);
      client.session.tick(9'000);
      client.session.set_unsent_bytes(1);
      client.session.set_unsent_bytes(2 << 20);
      client.session.tick(12'000);
      CHECK(!client.session.killed());
    }
  }

  TEST_CASE("input above client-query-buffer-limit closes the client") {
    TestNode node;
    node.options.client_query_buffer_limit = 1 << 20;
    TestClient client(node, 5);
    client.send("*1\r\n$104857600\r\n");
    for (int i = 0; i < 16 && !client.session.killed(); ++i) {
      client.send(std::string(64 << 10, 'x'));
    }
    CHECK(client.session.killed());
    CHECK(node.closed == std::vector<ConnectionId>{5});
    CHECK(node.metrics.query_limit_disconnections == 1);
  }

  TEST_CASE("an idle client is closed after `timeout`, one that waits for an answer is not") {
    TestNode node;
    node.options.timeout = 2;
    TestClient client(node);
    client.send("GET a\r\n");
    client.session.tick(10'000);
    CHECK(!client.session.killed());
    client.answer(client.forwarded()[0].slot, "$-1\r\n");
    client.now_ms = 10'000;
    client.send("PING\r\n");
    client.session.tick(12'000);
    CHECK(!client.session.killed());
    client.session.tick(12'001);
    CHECK(client.session.killed());
  }

  TEST_CASE("QUIT waits for the commands before it") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("GET a\r\nQUIT\r\nGET b\r\n") == "");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(!client.session.closing());
    CHECK(!client.session.wants_more_input());
    CHECK(client.answer(requests[0].slot, "$-1\r\n") == "$-1\r\n+OK\r\n");
    CHECK(client.session.closing());
  }

  TEST_CASE("READONLY reads are stale reads until READWRITE; writes stay writes") {
    TestNode node;
    TestClient client(node);
    client.send("READONLY\r\nGET a\r\nSET a 1\r\nREADWRITE\r\nGET a\r\n");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].kind == RequestKind::kStaleRead);
    CHECK(requests[1].kind == RequestKind::kWrite);
    CHECK(requests[2].kind == RequestKind::kRead);
  }

  TEST_CASE("CLIENT REPLY throws away the replies of data commands as well") {
    TestNode node;
    TestClient client(node);
    client.send(
        "CLIENT REPLY OFF\r\nSET a 1\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nGET a\r\nGET "
        "b\r\n");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 3);
    CHECK(client.answer(requests[1].slot, "$1\r\na\r\n") == "");
    CHECK(client.answer(requests[0].slot, "+OK\r\n") == "+OK\r\n");
    CHECK(client.answer(requests[2].slot, "$1\r\nb\r\n") == "$1\r\nb\r\n");
  }

  TEST_CASE("a command above raft.max-entry-size is refused before it is sent [F29]") {
    TestNode node;
    node.options.raft_max_entry_size = 1 << 20;
    TestClient client(node);
    std::string big =
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048576\r\n" + std::string(1 << 20, 'x') + "\r\n";
    CHECK(client.send(big) == "-ERR command is larger than raft.max-entry-size\r\n");
    CHECK(client.forwarded().empty());
    client.send("SET a 1\r\n");
    REQUIRE(client.forwarded().size() == 1);
  }

  TEST_CASE("internal commands do not exist for clients [F8]") {
    TestNode node;
    TestClient client(node);
    size_t internal = 0;
    for (const CommandSpec& row : all_commands()) {
      if ((row.flags & kInternal) != 0) {
        ++internal;
        std::string sent = std::string(row.name) + " a b c\r\n";
        CHECK(client.send(sent).starts_with("-ERR unknown command"));
      }
    }
    CHECK(client.forwarded().empty());
    CHECK(internal > 0);
  }

  TEST_CASE("INFO errorstats names at most 128 kinds of errors, then none until CONFIG RESETSTAT") {
    TestNode node;
    TestClient client(node);
    const auto fail = [&](int kind) {
      client.send("GET a\r\n");
      client.answer(client.forwarded()[0].slot, "-E" + std::to_string(kind) + "\r\n");
    };
    for (int i = 0; i < 128; ++i) {
      fail(i);
    }
    const std::string known = client.send("INFO errorstats\r\n");
    CHECK(known.find("\r\nerrorstat_E7:count=1\r\n") != std::string::npos);
    CHECK(known.find("\r\nerrorstat_E127:count=1\r\n") != std::string::npos);
    fail(7);
    CHECK(node.context.measures.errors().at("E7") == 2);
    for (int i = 128; i < 200; ++i) {
      fail(i);
    }
    CHECK(node.context.measures.errors().size() == 1);
    CHECK(client.send("INFO errorstats\r\n").find("errorstat_ERRORSTATS_DISABLED:count=1\r\n") !=
          std::string::npos);
    CHECK(node.metrics.error_replies == 201);  // all the same
    client.send("CONFIG RESETSTAT\r\n");
    fail(1);
    CHECK(node.context.measures.errors().at("E1") == 1);
  }

  TEST_CASE("commands and errors are counted") {
    TestNode node;
    TestClient client(node);
    client.send("PING\r\nfoo\r\nGET a\r\n");
    client.answer(client.forwarded()[0].slot, "-WRONGTYPE x\r\n");
    CHECK(node.metrics.commands_processed == 3);
    CHECK(node.metrics.error_replies == 2);
    CHECK(node.context.measures.errors().at("ERR") == 1);
    CHECK(node.context.measures.errors().at("WRONGTYPE") == 1);
    CHECK(node.metrics.net_input_bytes == 18);
    CHECK(node.metrics.net_output_bytes > 0);
    client.send("CONFIG RESETSTAT\r\n");
    CHECK(node.metrics.commands_processed == 0);
    CHECK(node.context.measures.errors().empty());
  }

  TEST_CASE("an answer that comes later keeps its place among the others") {
    TestNode node;
    TestClient client(node);
    std::vector<ReplyBatch> delivered;
    node.context.deliver = [&](ReplyBatch batch) { delivered.push_back(std::move(batch)); };
    const LaterReply later = client.session.state().defer();
    CHECK(client.send("PING\r\n").empty());
    later.answer([](ReplyWriter& reply) { reply.simple("OK"); });
    REQUIRE(delivered.size() == 1);
    client.session.reply(delivered.front(), client.now_ms);
    CHECK(client.session.take_output() == "+OK\r\n+PONG\r\n");
    client.session.reply(delivered.front(), client.now_ms);  // twice is once
    CHECK(client.session.take_output().empty());
  }
}

}  // namespace kiwi::resp
