// CONFIG SET of the whole cluster's settings, and RAFT.UPGRADE: what goes into the log, and what is
// refused here (C2, F46).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/texts.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

// What went to the router: its words, joined; empty: nothing.
std::string written(TestClient& client) {
  std::string text;
  for (const Request& request : client.forwarded()) {
    CHECK(request.kind == RequestKind::kWrite);
    const PackedCommand command = client.unpacked(request);
    CHECK(command.database == 0);
    for (std::string_view word : command.args) {
      text += (text.empty() ? "" : " ") + std::string(word);
    }
  }
  return text;
}

TEST_SUITE_BEGIN("session settings");

TEST_CASE("CONFIG SET of cluster settings is one write, answered by its entry") {
  TestNode node;
  TestClient client(node);
  client.send("select 3\r\n");
  CHECK(client.send("config set Active-Expire NO raft.auto-upgrade no\r\nping\r\n").empty());
  const std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 1);
  const PackedCommand command = client.unpacked(requests[0]);
  CHECK(command.args == std::vector<std::string_view>{"kiwi.setting", "active-expire", "no",
                                                      "raft.auto-upgrade", "no"});
  CHECK(command.database == 0);
  CHECK(node.options.active_expire);  // what is applied counts, not what was asked for
  CHECK(client.answer(requests[0].slot, "+OK\r\n") == "+OK\r\n+PONG\r\n");
}

TEST_CASE("what cannot be a setting is refused here, in Redis' words, and goes nowhere") {
  TestNode node;
  TestClient client(node);
  CHECK(client.send("config set active-expire maybe\r\n") ==
        "-ERR CONFIG SET failed (possibly related to argument 'active-expire') - argument must be "
        "'yes' or 'no'\r\n");
  CHECK(client.send("config set cluster-version 2\r\n") ==
        "-ERR CONFIG SET failed (possibly related to argument 'cluster-version') - can't set "
        "immutable config\r\n");
  CHECK(written(client).empty());
}

TEST_CASE("names of both kinds are refused whole") {
  TestNode node;
  TestClient client(node);
  const int64_t timeout = node.options.timeout;
  CHECK(client.send("config set timeout 77 active-expire no\r\n") ==
        "-" + std::string(texts::kMixedSettings) + "\r\n");
  CHECK(client.send("config set active-expire no nonsense 1\r\n") ==
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'\r\n");
  CHECK(node.options.timeout == timeout);
  CHECK(written(client).empty());
}

TEST_CASE("inside MULTI a cluster setting is refused, and the block with it") {
  TestNode node;
  TestClient client(node);
  CHECK(client.send("multi\r\nconfig set timeout 5\r\n") == "+OK\r\n+QUEUED\r\n");
  CHECK(client.send("config set active-expire no\r\n") ==
        "-" + std::string(texts::kSettingInBlock) + "\r\n");
  CHECK(client.send("exec\r\n") == "-" + std::string(texts::kExecAborted) + "\r\n");
  CHECK(node.options.timeout == 0);
  CHECK(client.send("multi\r\nconfig set timeout 5 active-expire no\r\n") ==
        "+OK\r\n-" + std::string(texts::kSettingInBlock) + "\r\n");
  client.send("discard\r\n");
  CHECK(client.send("multi\r\nconfig set timeout 5\r\nexec\r\n") ==
        "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  CHECK(node.options.timeout == 5);
  CHECK(written(client).empty());
}

TEST_CASE("RAFT.UPGRADE asks for the next version, or says why not") {
  TestNode node;
  TestClient client(node);
  std::string refusal = "ERR node 3 is too old";
  node.context.admin.upgrade_refusal = [&] { return refusal; };
  CHECK(client.send("raft.upgrade\r\n") == "-ERR node 3 is too old\r\n");
  CHECK(written(client).empty());
  refusal.clear();
  node.context.cluster_version = 4;
  node.context.admin.members_digest = [] { return std::string("17"); };
  CHECK(client.send("raft.upgrade\r\n").empty());
  CHECK(written(client) == "kiwi.setting cluster-version 5 17");
  node.context.status.service = Service::kUninitialized;
  TestClient other(node, 8);
  CHECK(other.send("raft.upgrade\r\n") == "-NOCLUSTER No Raft Cluster\r\n");
  CHECK(written(other).empty());
}

TEST_CASE("clients cannot say the internal commands themselves") {
  TestNode node;
  TestClient client(node);
  CHECK(client.send("kiwi.setting active-expire no\r\n").starts_with("-ERR unknown command"));
  CHECK(client.send("kiwi.seed\r\n").starts_with("-ERR unknown command"));
  CHECK(written(client).empty());
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
