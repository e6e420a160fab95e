// XREAD and XREADGROUP with BLOCK in the executor: who reads is served where it waits, who takes
// for a group through the log (F31).
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/origin.hpp"

namespace kiwi::resp {
namespace {

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

// What XREAD answers of one stream with one entry: f v.
std::string one_entry(std::string_view key, std::string_view id) {
  return "*1\r\n*2\r\n" + bulk(key) + "*1\r\n*2\r\n" + bulk(id) + "*2\r\n" + bulk("f") + bulk("v");
}

std::string error(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

constexpr std::string_view kKeyGone = "UNBLOCKED the stream key no longer exists";
constexpr std::string_view kGroupGone =
    "NOGROUP the consumer group this client was blocked on no longer exists";

TEST_CASE("XREAD waits for what comes behind its call, and is served without an entry [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xadd s 1-1 f old");
  origin.block(5, "xread block 0 streams s t $ $");
  origin.block(6, "xread block 0 streams s 1-1");
  CHECK(origin.replies.empty());
  origin.elsewhere("xadd s 2-1 f v");
  CHECK(origin.replies[5] == one_entry("s", "2-1"));
  CHECK(origin.replies[6] == one_entry("s", "2-1"));
  CHECK(origin.serves.empty());
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE("XREAD gets what is there at once, and without COUNT all of it") {
  Held held;
  Origin& origin = held.origin;
  for (int i = 1; i <= 1500; ++i) {
    origin.elsewhere("xadd s " + std::to_string(i) + "-1 f v");
  }
  origin.block(5, "xread block 0 streams s 0");
  CHECK(origin.replies[5].starts_with("*1\r\n*2\r\n$1\r\ns\r\n*1500\r\n"));
  origin.block(6, "xread block 0 streams s x");
  CHECK(origin.replies[6].starts_with("-ERR Invalid stream ID"));
  origin.node("set str 1");
  origin.block(7, "xread block 0 streams str 0");
  CHECK(origin.replies[7] == error(texts::kWrongType));
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE("who had to wait gets a thousand entries at most, unless it said how many") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "xread block 0 streams s $");
  origin.block(6, "xread count 2 block 0 streams s $");
  std::vector<std::vector<std::string>> adds;
  for (int i = 1; i <= 1200; ++i) {
    adds.push_back({"xadd", "s", std::to_string(i) + "-1", "f", "v"});
  }
  origin.elsewhere_in_block(adds);
  CHECK(origin.replies[5].starts_with("*1\r\n*2\r\n$1\r\ns\r\n*1000\r\n"));
  CHECK(origin.replies[6].starts_with("*1\r\n*2\r\n$1\r\ns\r\n*2\r\n"));
}

TEST_CASE("XREAD waits on beside a stream that went, and beside a key of another type [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xadd s 1-1 f v");
  origin.block(5, "xread block 0 streams s $");
  origin.elsewhere("del s");
  origin.elsewhere("set s x");
  origin.elsewhere("del s");
  origin.elsewhere("xadd s 1-1 f v");  // not behind the id that it waits behind
  CHECK(origin.replies.empty());
  origin.elsewhere("xadd s 1-2 f v");
  CHECK(origin.replies[5] == one_entry("s", "1-2"));
}

TEST_CASE("XREAD's time, CLIENT UNBLOCK and a client that left end its wait") {
  Held held;
  Origin& origin = held.origin;
  origin.clock(1000);
  origin.block(5, "xread block 100 streams s $", 1100);
  origin.block(6, "xread block 0 streams s $");
  origin.block(7, "xread block 0 streams s $");
  origin.node.executor().forget_connection(7);
  origin.clock(1100);
  CHECK(origin.replies[5] == "*-1\r\n");
  origin.ask(8, packed({"client", "unblock", "6", "ERROR"}), RequestKind::kUnblock);
  CHECK(origin.replies[6] == error(texts::kUnblocked));
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE("thousands who read one stream are served by one entry, some in each turn") {
  Held held;
  Origin& origin = held.origin;
  for (ConnectionId id = 1; id <= 3000; ++id) {
    origin.block(10 + id, "xread block 0 streams s $");
  }
  origin.elsewhere("xadd s 1-1 f v");
  CHECK(origin.replies.size() == 3000);
  CHECK(origin.replies[3010] == one_entry("s", "1-1"));
  CHECK(origin.serves.empty());
}

TEST_CASE("XREADGROUP: one entry goes to one consumer, the oldest, through the log [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xgroup create s g $ mkstream");
  for (ConnectionId id = 1; id <= 100; ++id) {
    origin.block(10 + id,
                 "xreadgroup group g c" + std::to_string(id) + " count 1 block 0 streams s >");
  }
  CHECK(origin.serves.empty());
  origin.elsewhere("xadd s 1-1 f v");
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies.size() == 1);
  CHECK(origin.replies[11] == one_entry("s", "1-1"));
  CHECK(origin.node("xpending s g") ==
        "*4\r\n:1\r\n$3\r\n1-1\r\n$3\r\n1-1\r\n*1\r\n*2\r\n$2\r\nc1\r\n$1\r\n1\r\n");
  origin.elsewhere("xadd s 2-1 f v");
  origin.elsewhere("xadd s 3-1 f v");
  CHECK(origin.serves.size() == 2);
}

TEST_CASE("groups do not take from each other, and each has its own queue") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xgroup create s g $ mkstream");
  origin.elsewhere("xgroup create s h $");
  origin.block(5, "xreadgroup group g c block 0 streams s >");
  origin.block(6, "xreadgroup group h c block 0 streams s >");
  origin.elsewhere("xadd s 1-1 f v");
  CHECK(origin.serves.size() == 2);
  origin.serve_all();
  CHECK(origin.replies[5] == one_entry("s", "1-1"));
  CHECK(origin.replies[6] == one_entry("s", "1-1"));
}

TEST_CASE("a consumer that finds nothing is not made, and its client waits on [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xgroup create s g $ mkstream");
  origin.block(5, "xreadgroup group g mine block 0 streams s >");
  origin.elsewhere("xadd s 1-1 f v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("xreadgroup group g other streams s >");  // it was faster
  origin.apply_serves(number);
  CHECK(origin.replies.empty());
  CHECK(origin.node.executor().waiters().in_vain == 1);
  CHECK(origin.node("xinfo consumers s g").find("mine") == std::string::npos);
  origin.elsewhere("xadd s 2-1 f v");
  origin.serve_all();
  CHECK(origin.replies[5] == one_entry("s", "2-1"));
}

TEST_CASE("all who wait in a group are told that its key or the group went, as in Redis") {
  struct Case {
    const char* what;
    std::string_view told;
  };
  const Case cases[] = {{"del s", kKeyGone},
                        {"set s x", kKeyGone},
                        {"flushall", kKeyGone},
                        {"xgroup destroy s g", kGroupGone}};
  for (const Case& one : cases) {
    CAPTURE(one.what);
    Held held;
    Origin& origin = held.origin;
    origin.elsewhere("xgroup create s g $ mkstream");
    origin.block(5, "xreadgroup group g c block 0 streams s >");
    origin.block(6, "xreadgroup group g d block 0 streams s >");
    origin.elsewhere(one.what);
    CHECK(origin.serves.size() == 2);
    origin.serve_all();
    CHECK(origin.replies[5] == error(one.told));
    CHECK(origin.replies[6] == error(one.told));
    CHECK(origin.node.executor().waiters().waiting == 0);
  }
}

TEST_CASE("a stream that was made anew with its group before the serve is waited for") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xgroup create s g $ mkstream");
  origin.block(5, "xreadgroup group g c block 0 streams s >");
  origin.elsewhere("del s");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("xgroup create s g $ mkstream");
  origin.apply_serves(number);
  CHECK(origin.replies.empty());
  origin.elsewhere("xadd s 1-1 f v");
  origin.serve_all();
  CHECK(origin.replies[5] == one_entry("s", "1-1"));
}

TEST_CASE("what XREADGROUP cannot wait for is answered at once, without an entry") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "xreadgroup group g c block 0 streams s >");
  CHECK(origin.replies[5].starts_with("-NOGROUP No such key 's' or consumer group 'g'"));
  origin.node("set s x");
  origin.block(6, "xreadgroup group g c block 0 streams s >");
  CHECK(origin.replies[6] == error(texts::kWrongType));
  CHECK(origin.serves.empty());
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE("in a block XREAD and XREADGROUP never wait") {
  Held held;
  Origin& origin = held.origin;
  origin.elsewhere("xgroup create s g $ mkstream");
  CHECK(origin.node.exec({}, {{"xread", "block", "0", "streams", "s", "$"},
                              {"xreadgroup", "group", "g", "c", "block", "0", "streams", "s",
                               ">"}}) == "*2\r\n*-1\r\n*-1\r\n");
}

TEST_CASE("who begins to wait in an entry of others leaves the same state as on other nodes") {
  InMemory a_fixture;
  InMemory b_fixture;
  Origin a(a_fixture.keyspace());
  Node b(b_fixture.keyspace());
  b.start();
  // Behind a write of the same connection: it is looked at in that entry, on this node only.
  std::vector<std::string> argv{"xreadgroup", "group", "g", "c", "block", "0", "streams"};
  std::vector<std::string> setup;
  for (int i = 0; i < 40; ++i) {
    setup.push_back(packed({"xgroup", "create", "s" + std::to_string(i), "g", "$", "mkstream"}));
    argv.push_back("s" + std::to_string(i));
  }
  argv.insert(argv.end(), 40, ">");
  Log& log = a.node.log();
  std::vector<raft::Entry> entries = log.entries;
  log.batch({NodeId{2}, incarnation_of(2), 1, 1}, setup);
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = a.node.next_number();
  batch->sequence = number.sequence;
  batch->ops.push_back({{5, 1}, RequestKind::kWrite, 2, {}});
  batch->ops.push_back({{5, 2}, RequestKind::kBlocking, 2, packed(argv)});
  a.node.executor().expect(batch);
  log.batch(number, {packed({"set", "x", "1"})});
  entries.insert(entries.end(), log.entries.begin(), log.entries.end());
  a.take(a.node.deliver());
  CHECK(a.replies[5] == "+OK\r\n");
  CHECK(a.node.executor().waiters().waiting == 1);
  b.executor().apply(entries);
  while (b.executor().work()) {
  }
  CHECK(a.node.executor().state_checksum() == b.executor().state_checksum());
}

}  // namespace
}  // namespace kiwi::resp
