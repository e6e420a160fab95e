// CLIENT PAUSE, and what else operators ask of the clients of a node.
#include <memory>

#include <doctest/doctest.h>

#include "resp/read_scripts.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

struct Paused {
  TestNode node;
  std::vector<ConnectionId> told;
  TestClient admin{node, 3};
  TestClient client{node, 4};

  Paused() {
    node.context.deliver = [this](ReplyBatch batch) { told.push_back(batch.connection); };
  }
  // What the mail of the end of a pause does.
  std::string wake(TestClient& sleeper) {
    ReplyBatch nothing;
    nothing.connection = sleeper.session.id();
    sleeper.session.reply(nothing, sleeper.now_ms);
    return sleeper.send("");
  }
};

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("CLIENT PAUSE WRITE holds what writes and nothing else") {
    Paused world;
    CHECK(world.admin.send("CLIENT PAUSE 5000 WRITE\r\n") == "+OK\r\n");
    CHECK(world.client.send("PING\r\nGET a\r\nEVAL_RO \"return 1\" 0\r\n") == "+PONG\r\n");
    CHECK(world.client.forwarded().size() == 2);
    for (std::string_view writes :
         {"SET a b\r\n", "EVAL \"return 1\" 0\r\n", "PUBLISH c m\r\n", "SPUBLISH c m\r\n",
          "BLPOP q 1\r\n", "FUNCTION FLUSH\r\n", "DEL a\r\n", "MIGRATE 10.0.0.9 7000 k 0 500\r\n",
          "MIGRATE 10.0.0.9 7000 k 0 500 COPY\r\n"}) {
      CAPTURE(writes);
      TestClient other(world.node, 10);
      CHECK(other.send(std::string(writes) + "PING\r\n").empty());
      CHECK(other.forwarded().empty());
      CHECK(other.session.state().held);
      CHECK(world.node.context.pause.waiting.contains(10));
    }
    CHECK(world.node.context.pause.waiting.empty());
    TestClient wrong(world.node, 11);  // is told at once
    CHECK(wrong.send("SET a\r\n").starts_with("-ERR wrong number of arguments for 'set'"));
    CHECK(world.admin.send("CONFIG SET timeout 9\r\n") == "+OK\r\n");
  }

  TEST_CASE("CLIENT PAUSE WRITE lets scripts pass that do not write, as far as this node knows") {
    Paused world;
    world.node.context.read_scripts = std::make_shared<ReadScripts>();
    world.node.context.read_scripts->keep_reader(ReadScripts::Kind::kFunction, "get");
    world.admin.send("CLIENT PAUSE 5000 WRITE\r\n");
    world.client.send(
        "EVAL \"#!lua flags=no-writes\\nreturn 1\" 0\r\nFCALL get 1 k\r\nFCALL set 1 k\r\n");
    CHECK(world.client.forwarded().size() == 2);
    CHECK(world.client.session.state().held);
    TestClient wrong(world.node, 11);
    CHECK(wrong.send("EVALSHA\r\n").starts_with("-ERR wrong number of arguments for 'evalsha'"));
  }

  TEST_CASE(
      "CLIENT PAUSE holds everything, CLIENT UNPAUSE too; its own client goes on to be served") {
    Paused world;
    CHECK(world.admin.send("CLIENT PAUSE 1000\r\nPING\r\n") == "+OK\r\n");
    CHECK(world.client.send("GET a\r\n").empty());
    CHECK(world.client.send("UNKNOWN\r\n").empty());  // nothing behind it is parsed
    TestClient third(world.node, 5);
    CHECK(third.send("CLIENT UNPAUSE\r\n").empty());
    world.node.context.look_after_pause(1999);
    CHECK(world.told.empty());
    world.node.context.look_after_pause(2000);
    CHECK(world.told == std::vector<ConnectionId>{3, 4, 5});
    world.admin.now_ms = world.client.now_ms = third.now_ms = 2000;
    CHECK(world.wake(world.admin) == "+PONG\r\n");
    CHECK(world.wake(third) == "+OK\r\n");
    world.wake(world.client);
    CHECK(world.client.forwarded().size() == 1);
    CHECK(world.node.context.pause.waiting.empty());
  }

  TEST_CASE("CLIENT UNPAUSE lets those go on who wait, in the order of each connection") {
    Paused world;
    world.admin.send("CLIENT PAUSE 100000 WRITE\r\n");
    world.client.send("GET a\r\nSET a b\r\nGET a\r\n");
    CHECK(world.client.forwarded().size() == 1);
    CHECK(world.admin.send("CLIENT UNPAUSE\r\n") == "+OK\r\n");
    CHECK(world.told == std::vector<ConnectionId>{4});
    world.wake(world.client);
    const auto rest = world.client.forwarded();
    REQUIRE(rest.size() == 2);
    CHECK(rest[0].kind == RequestKind::kWrite);
    CHECK(rest[1].kind == RequestKind::kRead);
  }

  TEST_CASE("a block waits where its first write is queued, or at EXEC if the pause came later") {
    Paused world;
    world.client.send("MULTI\r\nSET a b\r\n");
    world.admin.send("CLIENT PAUSE 100000 WRITE\r\n");
    CHECK(world.client.send("EXEC\r\n").empty());
    TestClient other(world.node, 5);
    CHECK(other.send("MULTI\r\nGET a\r\nSET a b\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n");
    TestClient reader(world.node, 6);
    CHECK(reader.send("MULTI\r\nGET a\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n");
    CHECK(reader.forwarded().size() == 1);
    world.admin.send("CLIENT UNPAUSE\r\n");
    world.wake(world.client);
    CHECK(world.client.forwarded().size() == 1);
    CHECK(world.wake(other) == "+QUEUED\r\n");
    CHECK(other.forwarded().size() == 1);
  }

  TEST_CASE("a pause becomes longer and wider only, until it is over") {
    ClientPause pause;
    CHECK_FALSE(pause.holds(0));
    pause.begin(1000, false, 0);
    pause.begin(500, true, 0);
    CHECK(pause.holds(999));
    CHECK(pause.all);
    CHECK_FALSE(pause.holds(1000));
    pause.begin(1200, false, 1000);
    CHECK_FALSE(pause.all);
    CHECK(pause.until_ms == 1200);
  }

  TEST_CASE("a held client is seen when it leaves, is blocked to CLIENT LIST, and is never idle") {
    Paused world;
    world.admin.send("CLIENT PAUSE 100000 WRITE\r\n");
    world.client.send("SET a b\r\n");
    CHECK(world.client.session.wants_more_input());
    CHECK_FALSE(world.client.session.between_commands());
    world.client.send(std::string(70'000, 'x'));
    CHECK_FALSE(world.client.session.wants_more_input());
    const std::string list = world.admin.send("CLIENT LIST ID 4\r\n");
    CHECK(list.find(" flags=b ") != std::string::npos);
    CHECK(list.find(" cmd=set ") != std::string::npos);
    CHECK(world.admin.send("INFO clients\r\n").find("blocked_clients:1\r\n") != std::string::npos);
    world.node.options.timeout = 1;
    world.client.session.tick(100'000'000);
    CHECK_FALSE(world.client.session.killed());
  }

  TEST_CASE("who is held when its node stops is served, not kept for ever") {
    Paused world;
    world.admin.send("CLIENT PAUSE 100000\r\n");
    world.client.send("PING\r\n");
    world.client.session.end_wait();
    CHECK(world.client.session.take_output() == "+PONG\r\n");
    CHECK(world.node.context.pause.waiting.empty());
  }

  TEST_CASE("CLIENT CACHING is still said of a command that was held [T1]") {
    Paused world;
    world.client.send("HELLO 3\r\nCLIENT TRACKING ON OPTIN\r\nCLIENT CACHING YES\r\n");
    CHECK(world.client.session.state().caching);
    world.admin.send("CLIENT PAUSE 100000 ALL\r\n");
    world.client.send("GET a\r\n");
    CHECK(world.client.session.state().caching);
    world.node.context.end_pause();
    world.wake(world.client);
    CHECK(world.client.forwarded().size() == 1);
    CHECK_FALSE(world.client.session.state().caching);
  }

  TEST_CASE("a monitor is never paused") {
    Paused world;
    TestClient monitor(world.node, 9);
    monitor.send("MONITOR\r\n");
    world.admin.send("CLIENT PAUSE 100000\r\n");
    CHECK(monitor.send("PING\r\n").starts_with("+PONG\r\n"));
  }

  TEST_CASE("what others see at once waits for the writes before it [C6]") {
    for (std::string_view command :
         {"CLIENT KILL ID 4\r\n", "CLIENT PAUSE 1000\r\n", "CLIENT UNPAUSE\r\n", "MONITOR\r\n"}) {
      CAPTURE(command);
      Paused world;
      world.admin.send("SET a b\r\n");
      const auto write = world.admin.forwarded();
      REQUIRE(write.size() == 1);
      CHECK(world.admin.send(command).empty());
      CHECK_FALSE(world.client.session.killed());
      CHECK(world.node.context.pause.until_ms == 0);
      CHECK_FALSE(world.node.context.monitors.any());
      const std::string answered = world.admin.answer(write[0].slot, "+OK\r\n");
      CHECK(answered.starts_with("+OK\r\n"));
      CHECK(answered.size() > 5);
    }
  }

  TEST_CASE("CONFIG REWRITE is answered when the file is written, in its place") {
    Paused world;
    world.node.options.config_file = "/etc/kiwi.conf";
    std::vector<AdminDone> asked;
    world.node.context.admin.rewrite_config = [&](AdminDone done) { asked.push_back(done); };
    CHECK(world.admin.send("CONFIG REWRITE\r\nPING\r\n").empty());
    REQUIRE(asked.size() == 1);
    ReplyBatch answer;
    world.node.context.deliver = [&](ReplyBatch batch) { answer = std::move(batch); };
    SUBCASE("done") {
      asked[0]({});
      world.admin.session.reply(answer, 1000);
      CHECK(world.admin.session.take_output() == "+OK\r\n+PONG\r\n");
    }
    SUBCASE("failed") {
      AdminAnswer failed;
      failed.error = "ERR Rewriting config file: cannot write it";
      asked[0](failed);
      world.admin.session.reply(answer, 1000);
      CHECK(world.admin.session.take_output() ==
            "-ERR Rewriting config file: cannot write it\r\n+PONG\r\n");
    }
    CHECK(world.client.send("MULTI\r\nCONFIG REWRITE\r\n") ==
          "+OK\r\n-ERR Command not allowed inside a transaction\r\n");
  }

  TEST_CASE("DEBUG is for whom enable-debug-command says") {
    TestNode node;
    node.options.enable_debug_command = config::DebugAccess::kLocal;
    int64_t slept_us = 0;
    node.context.sleep_us = [&](int64_t us) { slept_us += us; };
    TestClient here(node);  // 127.0.0.1
    CHECK(here.send("DEBUG SLEEP 0.25\r\n") == "+OK\r\n");
    CHECK(slept_us == 250'000);
    CHECK(here.send("DEBUG SLEEP 601\r\n").starts_with("-ERR a node sleeps"));
    for (const auto& [address, allowed] :
         {std::pair("[::1]:80", true), std::pair("10.0.0.1:80", false),
          std::pair("127.0.0.1.evil:80", false)}) {
      CAPTURE(address);
      Session session(node.context, SessionInfo{99, address, "127.0.0.1:6379", 9}, 1000);
      session.receive("DEBUG SLEEP 0\r\n", 1000);
      CHECK(session.take_output().starts_with("+OK") == allowed);
    }
    node.options.enable_debug_command = config::DebugAccess::kNo;
    CHECK(here.send("DEBUG SLEEP 0\r\n").starts_with("-ERR DEBUG command not allowed."));
  }

  TEST_CASE("DEBUG OBJECT is a read, SET-ACTIVE-EXPIRE a setting of the cluster") {
    TestNode node;
    node.options.enable_debug_command = config::DebugAccess::kYes;
    TestClient client(node);
    client.send("DEBUG OBJECT k\r\nDEBUG SET-ACTIVE-EXPIRE 0\r\n");
    const auto requests = client.forwarded();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].kind == RequestKind::kRead);
    CHECK(client.unpacked(requests[0]).args == std::vector<std::string_view>{"kiwi.object", "k"});
    CHECK(requests[1].kind == RequestKind::kWrite);
    CHECK(client.unpacked(requests[1]).args ==
          std::vector<std::string_view>{"kiwi.setting", "active-expire", "no"});
    TestClient other(node, 8);
    CHECK(other.send("MULTI\r\nDEBUG OBJECT k\r\nEXEC\r\n") ==
          "+OK\r\n+QUEUED\r\n*1\r\n-ERR this DEBUG sub-command is not allowed inside a "
          "transaction\r\n");
  }

  TEST_CASE("LOLWUT draws, with its bounds") {
    TestNode node;
    TestClient client(node);
    for (std::string_view size : {"5", "5 66 8 12", "5 1 200 200", "6", "6 1 1", "6 300 50"}) {
      CAPTURE(size);
      const std::string reply = client.send("LOLWUT VERSION " + std::string(size) + "\r\n");
      CHECK(reply.find("Redis ver. 7.0.15\n\r\n") != std::string::npos);
      CHECK(reply_size(reply) == reply.size());
    }
    const std::string town = client.send("LOLWUT VERSION 6 7 3\r\n");
    CHECK(town.find("\x1b[0;") != std::string::npos);
    CHECK(
        client.send("LOLWUT VERSION 5 1000 1 200\r\n").starts_with("-ERR the reply would be too"));
    CHECK(client.send("LOLWUT VERSION 6 1000 1000\r\n").starts_with("-ERR the reply would be too"));
  }
}

}  // namespace kiwi::resp
