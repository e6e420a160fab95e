// Scripts in a session: which are reads, EVALSHA of what only this node knows, BUSY.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/sha1.hpp"
#include "resp/read_scripts.hpp"
#include "resp/texts.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

TEST_SUITE_BEGIN("session scripts");

TEST_CASE("EVAL is a write, unless its first line says that it does not write") {
  TestNode node;
  TestClient client(node);
  client.send("eval \"return 1\" 0\r\neval \"#!lua flags=no-writes\\nreturn 1\" 0\r\n");
  client.send("eval \"#!lua\\nreturn 1\" 0\r\neval_ro \"return 1\" 0\r\nevalsha x 0\r\n");
  const std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 5);
  CHECK(requests[0].kind == RequestKind::kWrite);
  CHECK(requests[1].kind == RequestKind::kRead);
  CHECK(requests[2].kind == RequestKind::kWrite);
  CHECK(requests[3].kind == RequestKind::kRead);
  CHECK(requests[4].kind == RequestKind::kWrite);
  CHECK(requests[1].may_be_long);
}

TEST_CASE("EVALSHA of a script that only this node knows goes as EVAL until the state knows it") {
  TestNode node;
  node.context.read_scripts = std::make_shared<ReadScripts>();
  const std::string text = "return 5";
  node.context.read_scripts->keep(sha1_hex(text), text);
  TestClient client(node);
  // Nobody says that the first one is not refused on its way.
  for (int turn = 0; turn < 2; ++turn) {
    client.send("evalsha " + sha1_hex(text) + " 1 k a\r\n");
    const std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    CHECK(client.unpacked(requests[0]).args ==
          std::vector<std::string_view>{"eval", "return 5", "1", "k", "a"});
  }
  node.context.read_scripts->forget(sha1_hex(text));
  client.send("evalsha " + sha1_hex(text) + " 1 k a\r\n");
  const std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 1);
  CHECK(client.unpacked(requests[0]).args[0] == "evalsha");
}

TEST_CASE("EVALSHA and FCALL of what does not write are reads, once this node knows") {
  TestNode node;
  node.context.read_scripts = std::make_shared<ReadScripts>();
  ReadScripts& known = *node.context.read_scripts;
  const std::string sha1 = sha1_hex("#!lua flags=no-writes\nreturn 5");
  known.keep_reader(ReadScripts::Kind::kScript, sha1);
  known.keep_reader(ReadScripts::Kind::kFunction, "get");
  TestClient client(node);
  client.send("evalsha " + sha1 + " 1 k a\r\nfcall GET 1 k\r\nfcall set 1 k\r\n");
  std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].kind == RequestKind::kRead);
  CHECK(requests[0].may_be_long);
  CHECK(client.unpacked(requests[0]).args ==
        std::vector<std::string_view>{"evalsha_ro", sha1, "1", "k", "a"});
  CHECK(requests[1].kind == RequestKind::kRead);
  CHECK(client.unpacked(requests[1]).args ==
        std::vector<std::string_view>{"kiwi.fcall", "GET", "1", "k"});
  CHECK(requests[2].kind == RequestKind::kWrite);
  // Whether a number counts must not depend on what ran here before.
  client.send("kiwi.seq p 2 after 1 evalsha " + sha1 + " 1 k a\r\n");
  client.send("kiwi.once 1000-a fcall GET 1 k\r\n");
  requests = client.forwarded();
  REQUIRE(requests.size() == 2);
  for (const Request& counts : requests) {
    CHECK(counts.kind == RequestKind::kWrite);
    CHECK(client.unpacked(counts).once.has_value());
  }
  known.forget_reader(ReadScripts::Kind::kFunction, "get");
  client.send("fcall GET 1 k\r\n");
  requests = client.forwarded();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].kind == RequestKind::kWrite);
  TestClient other(node, 2);
  CHECK(other.send("kiwi.fcall get 0\r\n").starts_with("-ERR unknown command"));
}

TEST_CASE("while a script runs for long, commands that would wait for it are answered BUSY") {
  TestNode node;
  std::optional<int64_t> runs_us;
  node.context.script_us = [&runs_us] { return runs_us; };
  TestClient client(node);
  CHECK(client.send("script kill\r\n") == "-NOTBUSY No scripts in execution right now.\r\n");
  runs_us = 5'000'000;
  CHECK(client.send("get k\r\n").empty());
  CHECK(client.forwarded().size() == 1);
  runs_us = 5'000'001;
  TestClient other(node, 2);
  CHECK(other.send("get k\r\n").starts_with("-BUSY "));
  CHECK(other.send("ping\r\n") == "+PONG\r\n");
  CHECK(other.send("script kill\r\n").starts_with("-UNKILLABLE "));
  CHECK(other.send("function kill\r\n").starts_with("-UNKILLABLE "));
  node.options.busy_reply_threshold = 0;
  CHECK(other.send("get k\r\n").empty());
}

TEST_CASE("while entries wait behind scripts no more of those are taken") {
  TestNode node;
  int64_t behind_us = 1'000'000;
  node.context.behind_scripts_us = [&behind_us] { return behind_us; };
  TestClient client(node);
  CHECK(client.send("eval \"return 1\" 0\r\n").empty());
  behind_us = 1'000'001;
  TestClient other(node, 2);
  CHECK(other.send("eval \"return 1\" 0\r\n").starts_with("-BUSY "));
  CHECK(other.send("evalsha x 0\r\n").starts_with("-BUSY "));
  CHECK(other.send("fcall f 0\r\n").starts_with("-BUSY "));
  CHECK(other.send("set k v\r\n").empty());
  node.options.busy_reply_threshold = 0;
  CHECK(other.send("eval \"return 1\" 0\r\n").empty());
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
