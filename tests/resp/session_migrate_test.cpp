// MIGRATE: what a session asks of its node and of the target, in which order, and what it says when
// one of them fails. The target is a function here.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/limits.hpp"
#include "resp/migration.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/migrate");

namespace {

using Words = std::vector<std::string_view>;

std::string bulk(std::string_view bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n";
}

WatchToken token(std::string key, uint64_t counter) {
  WatchToken made;
  made.key = std::move(key);
  made.exists = true;
  made.counter = counter;
  return made;
}

// A node with a client, and a target that remembers what it was asked.
struct World {
  World() {
    node.context.admin.exchange = [this](Exchange what, ExchangeDone done) {
      asked.push_back(std::move(what));
      answer_of_target = std::move(done);
      return ExchangeCancel([this] { ++left; });
    };
    node.context.deliver = [this](ReplyBatch batch) { delivered.push_back(std::move(batch)); };
  }

  std::string send(const std::string& line) { return client.send(line + "\r\n"); }
  // The only request that is there.
  Request request(RequestKind kind) {
    std::vector<Request> all = client.forwarded();
    REQUIRE(all.size() == 1);
    CHECK(all[0].kind == kind);
    return all[0];
  }
  // The session reads keys: `values` is what kiwi.migrate answers.
  std::string read_keys(const Words& keys,
                        std::vector<WatchToken> tokens,
                        std::string_view values) {
    Words watch{"watch"};
    watch.insert(watch.end(), keys.begin(), keys.end());
    Request first = request(RequestKind::kWatch);
    CHECK(client.unpacked(first).args == watch);
    CHECK(client.answer(first.slot, "+OK\r\n", std::move(tokens)).empty());
    watch[0] = "kiwi.migrate";
    Request second = request(RequestKind::kRead);
    CHECK(client.unpacked(second).args == watch);
    return client.answer(second.slot, values);
  }
  // The target answers: '+' and its replies, or an error.
  std::string target(const std::string& bytes) {
    REQUIRE(answer_of_target != nullptr);
    std::exchange(answer_of_target, nullptr)(bytes);
    REQUIRE(delivered.size() == 1);
    ReplyBatch batch = std::move(delivered[0]);
    delivered.clear();
    CHECK(batch.connection == client.session.id());
    return client.answer(batch.parts.at(0).slot, batch.bytes);
  }
  // The block that deletes: its tokens and keys are as expected.
  std::string delete_keys(const std::vector<WatchToken>& tokens,
                          const Words& keys,
                          std::string_view answer) {
    const Request block = request(RequestKind::kWrite);
    const PackedCommand whole = client.unpacked(block);
    CHECK(whole.kind == PackedKind::kTransaction);
    CHECK(whole.tokens == tokens);
    REQUIRE(whole.commands.size() == 1);
    PackedCommand del;
    REQUIRE(unpack_command(whole.commands[0], del));
    Words expected{"del"};
    expected.insert(expected.end(), keys.begin(), keys.end());
    CHECK(del.args == expected);
    return client.answer(block.slot, answer);
  }

  uint64_t used() const { return node.context.client_memory.used(); }

  TestNode node;
  std::vector<Exchange> asked;
  std::vector<ReplyBatch> delivered;
  ExchangeDone answer_of_target;
  int left = 0;  // how often the target was left
  std::unique_ptr<TestClient> connected = std::make_unique<TestClient>(node);
  TestClient& client = *connected;
};

const std::string kTwo = "+" + std::string("+OK\r\n+OK\r\n");  // SELECT and one RESTORE

TEST_CASE("a key goes to the target and is deleted if it is still what was read") {
  World w;
  CHECK(w.send("MIGRATE 10.0.0.9 7000 k 3 500").empty());
  CHECK(w.read_keys({"k"}, {token("k", 7)}, "*2\r\n:1500\r\n" + bulk("bytes\r\n\0x")).empty());
  REQUIRE(w.asked.size() == 1);
  CHECK(w.asked[0].host == "10.0.0.9");
  CHECK(w.asked[0].port == "7000");
  CHECK(w.asked[0].timeout_ms == 500);
  CHECK(w.asked[0].replies == 2);
  CHECK(w.asked[0].request ==
        "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*4\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$4\r\n1500\r\n" +
            bulk("bytes\r\n\0x"));
  CHECK(w.client.forwarded().empty());
  CHECK(w.target(kTwo).empty());
  CHECK(w.delete_keys({token("k", 7)}, {"k"}, "*1\r\n:1\r\n") == "+OK\r\n");
  CHECK(w.client.session.wants_more_input());
  CHECK(w.client.session.idle());
}

TEST_CASE("what a MIGRATE deletes is looked at again where it is applied, however long it took") {
  World w;
  w.node.context.take_users(std::make_shared<const acl::Users>(acl::Users::ByName(), 9), false);
  w.send("MIGRATE 10.0.0.9 7000 k 3 500");
  w.read_keys({"k"}, {token("k", 7)}, "*2\r\n:1500\r\n" + bulk("x"));
  REQUIRE(w.answer_of_target != nullptr);
  std::exchange(w.answer_of_target, nullptr)(kTwo);
  REQUIRE(w.delivered.size() == 1);
  w.client.session.reply(w.delivered[0], w.client.now_ms);
  const RequestBatch sent = w.client.session.take_requests();
  REQUIRE(sent.requests.size() == 1);
  CHECK(sent.acl_version == kUnchecked);
}

TEST_CASE("what stands behind MIGRATE in a pipeline waits; what stands before is answered first") {
  World w;
  CHECK(w.send("GET a\r\nMIGRATE h 1 k 0 0 COPY\r\nPING").empty());
  std::vector<Request> first = w.client.forwarded();
  REQUIRE(first.size() == 2);  // GET and the watch
  CHECK(w.client.answer(first[1].slot, "+OK\r\n", {token("k", 1)}).empty());
  const Request read = w.request(RequestKind::kRead);
  CHECK(w.client.answer(read.slot, "*2\r\n:0\r\n" + bulk("v")).empty());
  CHECK(w.asked.at(0).timeout_ms == 1000);
  CHECK(w.target(kTwo).empty());
  CHECK(w.client.answer(first[0].slot, "$1\r\na\r\n") == "$1\r\na\r\n+OK\r\n+PONG\r\n");
}

TEST_CASE("COPY deletes nothing; REPLACE, AUTH and AUTH2 go to the target") {
  World w;
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 copy replace auth pw keys a b").empty());
  w.read_keys({"a", "b"}, {token("a", 1)}, "*4\r\n:0\r\n" + bulk("A") + ":0\r\n$-1\r\n");
  CHECK(w.asked.at(0).request ==
        "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
        "*5\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n$1\r\nA\r\n$7\r\nREPLACE\r\n");
  CHECK(w.asked[0].replies == 3);  // the missing key is not sent
  CHECK(w.target("++OK\r\n+OK\r\n+OK\r\n") == "+OK\r\n");
  CHECK(w.client.forwarded().empty());
  CHECK(w.send("MIGRATE h 1 k 0 9 AUTH2 user pw").empty());
  w.read_keys({"k"}, {token("k", 2)}, "*2\r\n:0\r\n" + bulk("v"));
  CHECK(w.asked.at(1).request.starts_with("*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$2\r\npw\r\n"));
}

TEST_CASE(
    "a key that changed meanwhile is sent again over the old one, and at last it stays here") {
  World w;
  CHECK(w.send("MIGRATE h 1 k 0 9").empty());
  for (uint64_t attempt = 1; attempt <= Migration::kAttempts; ++attempt) {
    const WatchToken seen = token("k", attempt);
    w.read_keys({"k"}, {seen}, "*2\r\n:0\r\n" + bulk("v"));
    CHECK((w.asked.back().request.find("REPLACE") != std::string::npos) == (attempt > 1));
    w.target(kTwo);
    CHECK(w.delete_keys({seen}, {"k"}, "*-1\r\n").empty());
  }
  // Once more, to say what changed.
  CHECK(w.read_keys({"k"}, {token("k", Migration::kAttempts + 1)}, "*2\r\n:0\r\n" + bulk("v")) ==
        "-ERR a key changed or went while it was migrated: the target has a copy of what it was, "
        "and nothing was deleted here; changed: \"k\"\r\n");
  CHECK(w.asked.size() == Migration::kAttempts);
  CHECK(w.client.session.idle());
}

TEST_CASE("a key that went meanwhile leaves a copy at the target, and the client is told") {
  World w;
  CHECK(w.send("MIGRATE h 1 k 0 9").empty());
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk("v"));
  w.target(kTwo);
  w.delete_keys({token("k", 1)}, {"k"}, "*-1\r\n");
  CHECK(w.read_keys({"k"}, {}, "*2\r\n:0\r\n$-1\r\n") ==
        "-ERR a key changed or went while it was migrated: the target has a copy of what it was, "
        "and nothing was deleted here; went: \"k\"\r\n");
}

const std::string kThree = kTwo + "+OK\r\n";

// A and b went over, and then the block was void.
void begin_again(World& w, const std::string& options) {
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 " + options + " KEYS a b none").empty());
  w.read_keys({"a", "b", "none"}, {token("a", 1), token("b", 2), token("none", 3)},
              "*6\r\n:0\r\n" + bulk("A") + ":0\r\n" + bulk("B") + ":0\r\n$-1\r\n");
  w.target(kThree);
  CHECK(w.delete_keys({token("a", 1), token("b", 2)}, {"a", "b"}, "*-1\r\n").empty());
}

TEST_CASE("a key that a client deletes between two attempts is named, and the others stay") {
  for (const std::string& options : {std::string(), std::string("REPLACE")}) {
    World w;
    begin_again(w, options);
    CHECK(w.read_keys({"a", "b"}, {token("a", 9), token("b", 10)},
                      "*4\r\n:0\r\n$-1\r\n:0\r\n" + bulk("B2")) ==
          "-ERR a key changed or went while it was migrated: the target has a copy of what it was, "
          "and nothing was deleted here; went: \"a\"; changed: \"b\"\r\n");
    CHECK(w.asked.size() == 1);
    CHECK(w.client.forwarded().empty());
  }
}

TEST_CASE("a key that goes in the second or in the last attempt is named, too") {
  World w;
  begin_again(w, "");
  w.read_keys({"a", "b"}, {token("a", 1), token("b", 7)},
              "*4\r\n:0\r\n" + bulk("A") + ":0\r\n" + bulk("B2"));
  w.target(kTwo);
  w.delete_keys({token("a", 1), token("b", 7)}, {"a", "b"}, "*-1\r\n");
  SUBCASE("in the second") {
    CHECK(w.read_keys({"a", "b"}, {token("a", 1), token("b", 9)},
                      "*4\r\n:0\r\n" + bulk("A") + ":0\r\n$-1\r\n")
              .ends_with("; went: \"b\"\r\n"));
  }
  SUBCASE("in the last") {
    w.read_keys({"a", "b"}, {token("a", 8), token("b", 7)},
                "*4\r\n:0\r\n" + bulk("A2") + ":0\r\n" + bulk("B2"));
    w.target(kTwo);
    w.delete_keys({token("a", 8), token("b", 7)}, {"a", "b"}, "*-1\r\n");
    CHECK(w.read_keys({"a", "b"}, {token("a", 9), token("b", 7)},
                      "*4\r\n:0\r\n$-1\r\n:0\r\n" + bulk("B2"))
              .ends_with("; went: \"a\"\r\n"));
  }
  CHECK(w.client.session.idle());
}

TEST_CASE("only what changed is sent again: what the target made of the other copies stays") {
  World w;
  begin_again(w, "");
  w.read_keys({"a", "b"}, {token("a", 1), token("b", 7)},
              "*4\r\n:0\r\n" + bulk("A") + ":0\r\n" + bulk("B2"));
  REQUIRE(w.asked.size() == 2);
  CHECK(w.asked[1].replies == 2);
  CHECK(w.asked[1].request ==
        "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
        "*5\r\n$7\r\nRESTORE\r\n$1\r\nb\r\n$1\r\n0\r\n$2\r\nB2\r\n$7\r\nREPLACE\r\n");
  w.target(kTwo);
  CHECK(w.delete_keys({token("a", 1), token("b", 7)}, {"a", "b"}, "*1\r\n:2\r\n") == "+OK\r\n");
}

TEST_CASE("if nothing changed but the block was void, the next one follows without the target") {
  World w;
  begin_again(w, "");
  w.read_keys({"a", "b"}, {token("a", 1), token("b", 2)},
              "*4\r\n:0\r\n" + bulk("A") + ":0\r\n" + bulk("B"));
  CHECK(w.asked.size() == 1);
  CHECK(w.delete_keys({token("a", 1), token("b", 2)}, {"a", "b"}, "*1\r\n:2\r\n") == "+OK\r\n");
}

TEST_CASE("of a hundred keys that went each is named, as one line, and of more their number") {
  MigrateOrder order;
  std::vector<WatchToken> tokens;
  std::string there = "*206\r\n";
  std::string missing = there;
  std::string said = "++OK\r\n";
  for (int i = 0; i < 103; ++i) {
    order.keys.push_back("k\r\n" + std::to_string(i));
    tokens.push_back(token(order.keys.back(), 1));
    there += ":0\r\n" + bulk("v");
    missing += ":0\r\n$-1\r\n";
    said += "+OK\r\n";
  }
  Migration migration(std::move(order));
  migration.watched("+OK\r\n", tokens);
  migration.read(there);
  migration.exchanged(said);
  CHECK(migration.deleted("*-1\r\n") == Migration::Step::kRead);
  migration.watched("+OK\r\n", {});
  CHECK(migration.read(missing) == Migration::Step::kAnswer);
  const std::string& answer = migration.answer();
  CHECK(answer.find("\r\n") == answer.size() - 2);
  CHECK(answer.find("; went: \"k\\x0d\\x0a0\", \"k\\x0d\\x0a1\", ") != std::string::npos);
  CHECK(answer.ends_with("\"k\\x0d\\x0a99\" and 3 more\r\n"));
}

TEST_CASE("all keys are deleted or none: what the target refuses keeps the others here, too") {
  World w;
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 KEYS a b").empty());
  w.read_keys({"a", "b"}, {token("a", 1), token("b", 2)},
              "*4\r\n:0\r\n" + bulk("A") + ":0\r\n" + bulk("B"));
  CHECK(w.target("++OK\r\n+OK\r\n-BUSYKEY Target key name already exists.\r\n") ==
        "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n");
  CHECK(w.client.forwarded().empty());
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 KEYS a b none").empty());
  w.read_keys({"a", "b", "none"}, {token("a", 1), token("b", 2), token("none", 3)},
              "*6\r\n:0\r\n" + bulk("A") + ":0\r\n" + bulk("B") + ":0\r\n$-1\r\n");
  w.target("++OK\r\n+OK\r\n+OK\r\n");
  CHECK(w.delete_keys({token("a", 1), token("b", 2)}, {"a", "b"}, "*1\r\n:2\r\n") == "+OK\r\n");
}

// With a search for each token this takes longer than all other tests together.
TEST_CASE("a hundred thousand keys, every second of them there, cost one pass over their tokens") {
  constexpr size_t kKeys = 100'000;
  MigrateOrder order;
  std::vector<WatchToken> tokens;
  std::vector<WatchToken> kept;
  std::string values = "*" + std::to_string(2 * kKeys) + "\r\n";
  std::string said = "++OK\r\n";
  for (size_t i = 0; i < kKeys; ++i) {
    order.keys.push_back("key " + std::to_string(i));
    tokens.push_back(token(order.keys.back(), i));
    const bool there = i % 2 == 1;
    values += ":0\r\n" + (there ? bulk("v") : "$-1\r\n");
    if (there) {
      kept.push_back(tokens.back());
      said += "+OK\r\n";
    }
  }
  Migration migration(std::move(order));
  CHECK(migration.watched("+OK\r\n", std::move(tokens)) == Migration::Step::kRead);
  CHECK(migration.read(values) == Migration::Step::kExchange);
  CHECK(migration.replies() == 1 + kKeys / 2);
  CHECK(migration.exchanged(said) == Migration::Step::kDelete);
  CHECK(migration.tokens() == kept);
  CHECK(migration.doomed().size() == kKeys / 2);
}

TEST_CASE("a key that is named twice is compared and deleted as often") {
  World w;
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 REPLACE KEYS a b a").empty());
  w.read_keys({"a", "b", "a"}, {token("a", 1), token("b", 2), token("a", 1)},
              "*6\r\n:0\r\n" + bulk("A") + ":0\r\n$-1\r\n:0\r\n" + bulk("A"));
  w.target("++OK\r\n+OK\r\n+OK\r\n");
  CHECK(w.delete_keys({token("a", 1), token("a", 1)}, {"a", "a"}, "*1\r\n:1\r\n") == "+OK\r\n");
}

TEST_CASE("whatever fails is said in its own words, and nothing more is asked") {
  World w;
  auto begin = [&] { CHECK(w.send("MIGRATE h 1 k 0 9").empty()); };
  begin();
  Request watch = w.request(RequestKind::kWatch);
  CHECK(w.client.answer(watch.slot, "-MOVED 1 a:1\r\n") == "-MOVED 1 a:1\r\n");
  begin();
  CHECK(w.read_keys({"k"}, {}, "-TIMEOUT no quorum for read\r\n") ==
        "-TIMEOUT no quorum for read\r\n");
  begin();
  CHECK(w.read_keys({"k"}, {}, "*2\r\n:0\r\n$-1\r\n") == "+NOKEY\r\n");
  begin();
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk("v"));
  CHECK(w.target(Migration::io_error("connecting to the client")) ==
        "-IOERR error or timeout connecting to the client\r\n");
  begin();
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk("v"));
  w.target(kTwo);
  CHECK(w.delete_keys({token("k", 1)}, {"k"}, "-TIMEOUT not committed yet\r\n") ==
        "-TIMEOUT not committed yet\r\n");
  CHECK(w.client.forwarded().empty());
  CHECK(w.send("PING") == "+PONG\r\n");
}

// A key of a mebibyte is on its way.
void begin_large(World& w) {
  CHECK(w.send("MIGRATE h 1 k 0 9").empty());
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk(std::string(1 << 20, 'v')));
  CHECK(w.used() > 1 << 20);
  CHECK(w.node.context.exchanges == 1);
  CHECK(w.left == 0);
}

TEST_CASE("what is on its way to the target is its client's memory, and ends with it [F47]") {
  World w;
  const uint64_t before = w.used();
  begin_large(w);
  SUBCASE("the target answers") {
    w.target(kTwo);
    CHECK(w.used() < before + (1 << 16));
    CHECK(w.node.context.exchanges == 0);
  }
  SUBCASE("the connection ends") {
    w.connected.reset();
    CHECK(w.left == 1);
    CHECK(w.used() == 0);
    CHECK(w.node.context.exchanges == 0);
  }
}

TEST_CASE("a client whose MIGRATE holds most is closed for it [F47]") {
  World w;
  w.node.options.maxmemory_clients = {1 << 20, 0};
  TestClient other(w.node, 8);
  CHECK(w.send("MIGRATE h 1 k 0 9").empty());
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk(std::string(1 << 20, 'v')));
  CHECK(w.node.closed == std::vector<ConnectionId>{w.client.session.id()});
  CHECK(w.client.session.killed());
  CHECK_FALSE(other.session.killed());
}

TEST_CASE("names are counted while MIGRATE goes on [F47]") {
  World w;
  const std::string name(100'000, 'n');
  CHECK(w.send("MIGRATE h 1 " + name + " 0 9").empty());
  w.client.answer(w.request(RequestKind::kWatch).slot, "+OK\r\n", {token(name, 1)});
  CHECK(w.used() > 4 * name.size());
}

TEST_CASE("so many targets at a time, and no more [F47]") {
  World w;
  w.node.context.exchanges = config::limits::kExchanges;
  CHECK(w.send("MIGRATE h 1 k 0 9").empty());
  CHECK(w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk("v"))
            .starts_with("-ERR too many MIGRATE wait for their targets on this node"));
  CHECK(w.asked.empty());
  CHECK(w.client.session.idle());
  --w.node.context.exchanges;
  CHECK(w.send("MIGRATE h 1 k 0 9").empty());
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk("v"));
  CHECK(w.asked.size() == 1);
}

// Whoever is not read from is not seen to leave.
TEST_CASE("while the target is waited for a little is read ahead, and not executed") {
  World w;
  begin_large(w);
  CHECK(w.send("PING").empty());
  CHECK(w.client.session.wants_more_input());
  CHECK(w.client.send(std::string(64 << 10, '\n')).empty());
  CHECK_FALSE(w.client.session.wants_more_input());
  w.target(kTwo);
  CHECK(w.delete_keys({token("k", 1)}, {"k"}, "*1\r\n:1\r\n") == "+OK\r\n+PONG\r\n");
  CHECK(w.client.session.wants_more_input());
}

TEST_CASE("CLIENT REPLY SKIP keeps its own reply back, and the migration goes on") {
  World w;
  CHECK(w.send("CLIENT REPLY SKIP\r\nMIGRATE h 1 k 0 9\r\nPING").empty());
  w.read_keys({"k"}, {token("k", 1)}, "*2\r\n:0\r\n" + bulk("v"));
  w.target(kTwo);
  CHECK(w.delete_keys({token("k", 1)}, {"k"}, "*1\r\n:1\r\n") == "+PONG\r\n");
}

TEST_CASE("keys that one log entry could not delete are refused before anything is read [F50]") {
  World w;
  w.node.options.raft_max_entry_size = 1 << 10;
  const std::string keys = std::string(250, 'a') + " " + std::string(250, 'b');
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 KEYS " + keys) ==
        "-ERR command is larger than raft.max-entry-size\r\n");
  CHECK(w.client.forwarded().empty());
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 COPY KEYS " + keys).empty());  // deletes nothing
  CHECK(w.client.forwarded().size() == 1);
}

TEST_CASE("MIGRATE's words are Redis'; in a block it is refused") {
  World w;
  CHECK(w.send("MIGRATE h 1 k x 9") == "-ERR value is not an integer or out of range\r\n");
  CHECK(w.send("MIGRATE h 1 k 0 x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(w.send("MIGRATE h 1 k 0 9 auth") == "-ERR syntax error\r\n");
  CHECK(w.send("MIGRATE h 1 k 0 9 auth2 a") == "-ERR syntax error\r\n");
  CHECK(w.send("MIGRATE h 1 k 0 9 bogus") == "-ERR syntax error\r\n");
  CHECK(w.send("MIGRATE h 1 k 0 9 keys a").starts_with("-ERR When using MIGRATE KEYS option"));
  CHECK(w.send("MIGRATE h 1 \"\" 0 9 keys") == "+NOKEY\r\n");
  CHECK(w.send("MULTI") == "+OK\r\n");
  CHECK(w.send("MIGRATE h 1 k 0 9").starts_with("-ERR Command not allowed inside a transaction"));
  CHECK(w.client.forwarded().empty());
}

}  // namespace

TEST_SUITE_END();

}  // namespace kiwi::resp
