// Commands that count once (KIWI.ONCE), where they are applied: a repetition gets the same reply
// and does nothing, on every node. Each case runs on two nodes, one of which is the origin of
// nothing, and compares their checksums behind every entry.
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "config/base/sha1.hpp"
#include "tests/resp/once_support.hpp"

namespace kiwi::resp {
namespace {

TEST_SUITE_BEGIN("executor once");

TEST_CASE("a repeated command is answered as the first time and does nothing") {
  OnceNodes nodes;
  CHECK(nodes("1000000-a", {"incr", "n"}) == ":1\r\n");
  CHECK(nodes("1000000-a", {"incr", "n"}) == ":1\r\n");
  CHECK(nodes("1000000-b", {"incr", "n"}) == ":2\r\n");
  CHECK(nodes.plain({"flushall"}) == "+OK\r\n");  // leaves what is known of tokens
  CHECK(nodes("1000000-b", {"incr", "n"}) == ":2\r\n");
  CHECK(nodes.get("n") == "$-1\r\n");
  CHECK(nodes.first.executor().once().replays == 2);
  CHECK(nodes.first.executor().once().records == 2);
  CHECK(nodes.second.once().replays == 0);  // nobody there was answered
}

TEST_CASE("errors and nil of what was executed are outcomes, too") {
  OnceNodes nodes;
  nodes.plain({"set", "s", "x"});
  const std::string wrong = nodes("1000000-a", {"lpush", "s", "1"});
  CHECK(wrong.starts_with("-WRONGTYPE"));
  CHECK(nodes("1000000-n", {"set", "s", "y", "nx"}) == "$-1\r\n");
  nodes.plain({"del", "s"});
  CHECK(nodes("1000000-a", {"lpush", "s", "1"}) == wrong);
  CHECK(nodes("1000000-n", {"set", "s", "y", "nx"}) == "$-1\r\n");
  CHECK(nodes.get("s") == "$-1\r\n");
}

TEST_CASE("each user has tokens of its own, and rights are asked before records") {
  OnceNodes nodes;
  nodes.plain({"acl", "setuser", "bob", "on", "nopass", "~*", "+incr"});
  const acl::Users::Ptr bob = nodes.first.executor().users()->named("bob");
  REQUIRE(bob != nullptr);
  const auto as_user = [&nodes](uint64_t user) {
    std::string out;
    pack_as_user(out, user, token_mark("1000000-a") + packed({"incr", "n"}));
    return nodes.write(out);
  };
  CHECK(as_user(bob->id) == ":1\r\n");
  CHECK(nodes("1000000-a", {"incr", "n"}) == ":2\r\n");
  CHECK(as_user(acl::kDefaultId) == ":2\r\n");  // with its number or without
  CHECK(as_user(bob->id) == ":1\r\n");
  nodes.plain({"acl", "setuser", "bob", "-incr"});
  CHECK(as_user(bob->id).starts_with("-NOPERM"));
  nodes.plain({"acl", "setuser", "bob", "+incr"});
  CHECK(as_user(bob->id) == ":1\r\n");  // the refusal was no outcome
  CHECK(nodes.get("n") == "$1\r\n2\r\n");
}

TEST_CASE("a token is its user's by name: ACL LOAD, which numbers users anew, opens none again") {
  OnceNodes nodes;
  nodes.plain({"acl", "setuser", "bob", "on", "nopass", "~*", "+incr"});
  const auto bob = [&nodes] {
    const acl::Users::Ptr user = nodes.first.executor().users()->named("bob");
    REQUIRE(user != nullptr);
    return user;
  };
  const auto as_user = [&nodes](uint64_t user, const std::string& command) {
    std::string out;
    pack_as_user(out, user, command);
    return nodes.write(out);
  };
  const uint64_t before = bob()->id;
  const std::string incr = token_mark("1000000-a") + packed({"incr", "n"});
  CHECK(as_user(before, incr) == ":1\r\n");
  CHECK(as_user(before, numbered("p", 1, 0, {"incr", "n"})) == ":2\r\n");
  std::string rights;
  bob()->rights.encode(rights);
  CHECK(nodes.plain({"kiwi.users", "bob", rights}) == "+OK\r\n");
  REQUIRE(bob()->id != before);
  CHECK(as_user(bob()->id, incr) == ":1\r\n");
  CHECK(as_user(bob()->id, numbered("p", 1, 0, {"incr", "n"})) == ":2\r\n");
  // What was under way by the old number is refused, and that is no outcome of whoever comes back.
  const std::string block = token_mark("1000000-b") + block_of({{"incr", "n"}});
  CHECK(as_user(before, block) ==
        "-NOPERM this user has no permissions to run the 'exec' command\r\n");
  CHECK(as_user(bob()->id, block) == "*2\r\n+OK\r\n:3\r\n");
  CHECK(nodes.get("n") == "$1\r\n3\r\n");
}

TEST_CASE("a token is for one command") {
  OnceNodes nodes;
  CHECK(nodes("1000000-a", {"incr", "n"}) == ":1\r\n");
  const std::string other = "-ONCEMISMATCH the token was used for another command\r\n";
  CHECK(nodes("1000000-a", {"incr", "m"}) == other);
  CHECK(nodes("1000000-a", {"incrby", "n", "1"}) == other);
  CHECK(nodes.write(token_mark("1000000-a") + packed({"incr", "n"}, 1)) == other);
  CHECK(nodes("1000000-a", {"INCR", "n"}) == ":1\r\n");
  CHECK(nodes.first.executor().once().mismatch == 3);
}

TEST_CASE("a block of one command is not that command: EXEC never gets another answer's form") {
  OnceNodes nodes;
  const std::string other = "-ONCEMISMATCH the token was used for another command\r\n";
  nodes.plain({"sadd", "s", "a", "b", "c"});
  const std::string taken = nodes("1000000-a", {"spop", "s", "2"});
  CHECK(taken.starts_with("*2\r\n"));
  const std::string block = block_of({{"spop", "s", "2"}});
  CHECK(nodes.write(token_mark("1000000-a") + block) == other);
  CHECK(nodes("1000000-a", {"spop", "s", "2"}) == taken);
  CHECK(nodes.write(token_mark("1000000-b") + block).starts_with("*2\r\n+OK\r\n*1\r\n"));
  CHECK(nodes("1000000-b", {"spop", "s", "2"}) == other);
  CHECK(nodes.first.run({"scard", "s"}) == ":0\r\n");
}

TEST_CASE("what is too far ahead or forgotten is refused, and a record beats age") {
  OnceNodes nodes;
  nodes.first.clock() = 10'000'000;
  CHECK(nodes("10300001-a", {"incr", "n"}) ==
        "-ONCECLOCK the token is 300001 ms ahead of the cluster's clock\r\n");
  CHECK(nodes("10300000-a", {"incr", "n"}) == ":1\r\n");
  CHECK(nodes("6400000-a", {"incr", "n"}) ==
        "-ONCEEXPIRED tokens up to 6400000 are forgotten: not applied now, an earlier attempt may "
        "have been\r\n");
  CHECK(nodes("6400001-a", {"incr", "n"}) == ":2\r\n");
  nodes.first.clock() = 10'001'000;  // it is too old now, and its second goes with the next record
  CHECK(nodes("6400001-a", {"incr", "n"}) == ":2\r\n");
  CHECK(nodes.get("n") == "$1\r\n2\r\n");
  nodes.first.clock() = 10'100'000;
  CHECK(nodes("10000000-b", {"incr", "n"}) == ":3\r\n");
  CHECK(nodes("6400001-a", {"incr", "n"}).starts_with("-ONCEEXPIRED tokens up to 6500000 "));
  CHECK(nodes.first.executor().once().expired == 2);
  CHECK(nodes.first.executor().once().clock == 1);
}

TEST_CASE("what a bound drove out is refused for ever, whatever the settings say then") {
  OnceNodes nodes;
  nodes.plain({"kiwi.setting", "once-max-records", "1"});
  CHECK(nodes("1000000-a", {"incr", "n"}) == ":1\r\n");
  CHECK(nodes("1001000-b", {"incr", "n"}) == ":2\r\n");
  nodes.plain({"kiwi.setting", "once-max-records", "1000", "once-window", "86400"});
  CHECK(nodes("1000000-a", {"incr", "n"}).starts_with("-ONCEEXPIRED tokens up to 1000999 "));
  CHECK(nodes("1001000-b", {"incr", "n"}) == ":2\r\n");
  CHECK(nodes.get("n") == "$1\r\n2\r\n");
}

TEST_CASE("a block counts once, its EXEC answers OK for the token, and a nil is an outcome") {
  OnceNodes nodes;
  const std::string block =
      token_mark("1000000-a") + block_of({{"incr", "n"}, {"get", "n"}, {"lpush", "n", "x"}});
  const std::string reply = nodes.write(block);
  CHECK(reply.starts_with("*4\r\n+OK\r\n:1\r\n$1\r\n1\r\n-WRONGTYPE"));
  CHECK(nodes.write(block) == reply);
  CHECK(nodes.get("n") == "$1\r\n1\r\n");
  const auto tokens = nodes.first.watch({"n"});
  nodes.second.take_effects();
  nodes.plain({"incr", "n"});
  const std::string guarded = token_mark("1000000-b", true) + block_of({{"incr", "n"}}, tokens);
  CHECK(nodes.write(guarded) == "*-1\r\n");
  // Repeated with tokens that would do: it failed, once and for all.
  const auto fresh = nodes.first.watch({"n"});
  CHECK(nodes.write(token_mark("1000000-b", true) + block_of({{"incr", "n"}}, fresh)) == "*-1\r\n");
  CHECK(nodes.get("n") == "$1\r\n2\r\n");
}

TEST_CASE("a block that expects WATCH is executed with its tokens only, and replayed without") {
  OnceNodes nodes;
  const std::string bare = token_mark("1000000-a", true) + block_of({{"incr", "n"}});
  CHECK(nodes.write(bare) == "-ERR this block expects WATCH\r\n");
  const auto tokens = nodes.first.watch({"n"});
  CHECK(nodes.write(token_mark("1000000-a", true) + block_of({{"incr", "n"}}, tokens)) ==
        "*2\r\n+OK\r\n:1\r\n");
  CHECK(nodes.write(bare) == "*2\r\n+OK\r\n:1\r\n");
  CHECK(nodes.get("n") == "$1\r\n1\r\n");
}

TEST_CASE("NOSCRIPT leaves the token unused, and EVAL counts as EVALSHA of its text") {
  OnceNodes nodes;
  const std::string text = "return redis.call('incr', KEYS[1])";
  std::string hex;
  for (const char c : kiwi::sha1(text)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  CHECK(nodes("1000000-a", {"evalsha", hex, "1", "n"}).starts_with("-NOSCRIPT"));
  CHECK(nodes("1000000-a", {"eval", text, "1", "n"}) == ":1\r\n");
  CHECK(nodes("1000000-a", {"evalsha", hex, "1", "n"}) == ":1\r\n");
  CHECK(nodes("1000000-a", {"eval", text, "1", "m"}).starts_with("-ONCEMISMATCH"));
  // A script that says NOSCRIPT itself has run.
  const std::string liar = "redis.call('incr', KEYS[1]) return redis.error_reply('NOSCRIPT x')";
  CHECK(nodes("1000000-b", {"eval", liar, "1", "n"}).starts_with("-NOSCRIPT"));
  CHECK(nodes("1000000-b", {"eval", liar, "1", "n"}).starts_with("-NOSCRIPT"));
  CHECK(nodes.get("n") == "$1\r\n2\r\n");
}

TEST_CASE("a long reply is not kept, unless it is the only copy of what was taken") {
  OnceNodes nodes;
  const std::string big(100'000, 'x');
  nodes.plain({"set", "s", big});
  CHECK(nodes("1000000-a", {"set", "s", "y", "get"}).size() > big.size());
  CHECK(nodes("1000000-a", {"set", "s", "y", "get"}) ==
        "-ONCEDONE applied at index 3; its reply was not kept\r\n");
  nodes.plain({"rpush", "l", big, "2"});
  const std::string popped = nodes("1000000-b", {"lpop", "l"});
  CHECK(popped.size() > big.size());
  CHECK(nodes("1000000-b", {"lpop", "l"}) == popped);
  CHECK(nodes.first.run({"llen", "l"}) == ":1\r\n");
  nodes.plain({"kiwi.setting", "once-max-reply", "0"});
  CHECK(nodes("1000000-c", {"set", "s", "z"}) == "+OK\r\n");
  CHECK(nodes("1000000-c", {"set", "s", "z"}).starts_with("-ONCEDONE"));
  CHECK(nodes.first.executor().once().done == 2);
}

TEST_CASE("what could not be kept of what it takes is not taken") {
  OnceNodes nodes;
  nodes.plain({"rpush", "l", std::string(5 << 20, 'x'), std::string(5 << 20, 'y')});
  CHECK(nodes("1000000-a", {"lpop", "l", "2"}) ==
        "-ERR the reply is too large to be kept; nothing was taken\r\n");
  CHECK(nodes.first.run({"llen", "l"}) == ":2\r\n");
  CHECK(nodes("1000000-b", {"lpop", "l"}).size() > (5 << 20));
  CHECK(nodes.first.run({"llen", "l"}) == ":1\r\n");
}

TEST_CASE("replies kept of one entry have a bound together, the same on every node") {
  OnceNodes nodes;
  const std::string big(7 << 20, 'x');
  std::vector<std::string> commands;
  for (int i = 0; i < 12; ++i) {
    nodes.plain({"set", "s" + std::to_string(i), big});
    commands.push_back(once("1000000-" + std::to_string(i), {"getdel", "s" + std::to_string(i)}));
  }
  nodes.first.log().batch(nodes.first.next_number(), commands);
  nodes.deliver();
  int gone = 0;
  for (int i = 0; i < 12; ++i) {
    gone += nodes.first.run({"exists", "s" + std::to_string(i)}) == ":0\r\n" ? 1 : 0;
  }
  CHECK(gone == 9);  // 63 MiB of 64
}

TEST_CASE("another protocol than the attempt's gets the reply in its own words") {
  OnceNodes nodes;
  CHECK(nodes("1000000-a", {"incrbyfloat", "f", "1.5"}, 3) == "$3\r\n1.5\r\n");
  CHECK(nodes("1000000-b", {"zadd", "z", "incr", "1", "m"}, 3) == ",1\r\n");
  CHECK(nodes("1000000-b", {"zadd", "z", "incr", "1", "m"}, 2) == "$1\r\n1\r\n");
  CHECK(nodes("1000000-c", {"set", "s", "x", "xx"}, 3) == "_\r\n");
  CHECK(nodes("1000000-c", {"set", "s", "x", "xx"}, 2) == "$-1\r\n");
  CHECK(nodes("1000000-d", {"set", "s", "x", "xx"}, 2) == "$-1\r\n");
  CHECK(nodes("1000000-d", {"set", "s", "x", "xx"}, 3) == "$-1\r\n");  // RESP3 may say so
  nodes.plain({"sadd", "set", "m"});
  CHECK(nodes("1000000-e", {"spop", "set", "1"}, 3) == "~1\r\n$1\r\nm\r\n");
  CHECK(nodes("1000000-e", {"spop", "set", "1"}, 2) == "*1\r\n$1\r\nm\r\n");
  nodes.plain({"zadd", "z", "2", "k"});
  CHECK(nodes("1000000-f", {"zpopmin", "z", "1"}, 3) == "*1\r\n*2\r\n$1\r\nm\r\n,1\r\n");
  CHECK(nodes("1000000-f", {"zpopmin", "z", "1"}, 2) ==
        "-ONCEDONE applied at index 13; its reply has another shape in this protocol\r\n");
  CHECK(nodes("1000000-f", {"zpopmin", "z", "1"}, 3) == "*1\r\n*2\r\n$1\r\nm\r\n,1\r\n");
}

// Every node makes the reply, so nothing may be in it that only one of them knows.
TEST_CASE("reads, draws, scripts and messages of a block answer the same on every node") {
  OnceNodes nodes;
  const ReceiverCounter many = [](bool, std::string_view) { return uint64_t{5}; };
  nodes.first.executor().listen({true, LogIndex{0}, true, true, &many, nullptr, true});
  nodes.plain({"sadd", "s", "a", "b", "c", "d", "e"});
  const std::string block =
      token_mark("1000000-a") + block_of({{"srandmember", "s"},
                                          {"publish", "c", "m"},
                                          {"script", "exists", std::string(40, 'a')},
                                          {"eval_ro", "return 1", "0"},
                                          {"evalsha_ro", "", "0"},
                                          {"spop", "s", "2"},
                                          {"kiwi.index"},
                                          {"dbsize"}});
  const std::string reply = nodes.write(block);
  CHECK(reply.find(":0\r\n*1\r\n:0\r\n:1\r\n-NOSCRIPT") != std::string::npos);
  CHECK(nodes.write(block) == reply);
  // What this node alone knows of scripts decides nothing.
  nodes.first.run({"eval_ro", "return 7", "0"});
  std::string hex;
  for (const char c : kiwi::sha1("return 7")) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  CHECK(nodes.first.run({"evalsha_ro", hex, "0"}) == ":7\r\n");
  const std::string asks = nodes.write(
      token_mark("1000000-b") +
      block_of({{"set", "k", "v"}, {"evalsha_ro", hex, "0"}, {"script", "exists", hex}}));
  CHECK(asks.find("-NOSCRIPT") != std::string::npos);
  CHECK(asks.ends_with("*1\r\n:0\r\n"));
}

TEST_CASE("KIWI.TOKEN tells the fate of a token, and closes one that was not used") {
  OnceNodes nodes;
  CHECK(nodes.first.run({"kiwi.token", "get", "1000000-a"}) == "$-1\r\n");
  CHECK(nodes("1000000-a", {"incr", "n"}) == ":1\r\n");
  const std::string fate = nodes.first.run({"kiwi.token", "get", "1000000-a"});
  CHECK(fate ==
        "*10\r\n$5\r\nstate\r\n$7\r\napplied\r\n$5\r\nindex\r\n:2\r\n$8\r\nrevision\r\n:1\r\n"
        "$7\r\nunix-ms\r\n:1000000\r\n$4\r\nkept\r\n:1\r\n");
  CHECK(nodes.plain({"kiwi.token", "close", "1000000-a"}) == fate);
  CHECK(nodes.plain({"kiwi.token", "close", "1000000-b"}) == "+CLOSED\r\n");
  CHECK(nodes.plain({"kiwi.token", "close", "1000000-b"}).find("closed") != std::string::npos);
  CHECK(nodes("1000000-b", {"incr", "n"}) ==
        "-ONCECLOSED the token was closed before it was used\r\n");
  CHECK(nodes.get("n") == "$1\r\n1\r\n");
  CHECK(nodes.plain({"kiwi.token", "close", "9000000-b"}).starts_with("-ONCECLOCK"));
  nodes.first.clock() = 9'000'000;
  CHECK(nodes.plain({"kiwi.token", "close", "1000000-c"}).starts_with("-ONCEEXPIRED"));
  CHECK(nodes.plain({"kiwi.token", "close", "nonsense"}).starts_with("-ERR bad token"));
}

TEST_CASE("a fence grows with every change, and is replayed with its reply") {
  OnceNodes nodes;
  const std::vector<std::string> take{"kiwi.fence", "set", "lock", "me", "nx"};
  const std::string first = nodes("1000000-a", take);
  CHECK(first == "*2\r\n+OK\r\n*2\r\n:2\r\n:1\r\n");
  CHECK(nodes("1000000-a", take) == first);
  CHECK(nodes("1000000-b", take) == "*2\r\n$-1\r\n*2\r\n:4\r\n:1\r\n");  // nothing changed
  nodes.plain({"del", "lock"});
  CHECK(nodes("1000000-c", take) == "*2\r\n+OK\r\n*2\r\n:6\r\n:3\r\n");
  // In one entry two owners have two fences.
  const std::string both = nodes.write(block_of({{"del", "lock"},
                                                 {"kiwi.fence", "set", "lock", "x", "nx"},
                                                 {"del", "lock"},
                                                 {"kiwi.fence", "set", "lock", "y", "nx"}}));
  CHECK(both == "*4\r\n:1\r\n*2\r\n+OK\r\n*2\r\n:7\r\n:5\r\n:1\r\n*2\r\n+OK\r\n*2\r\n:7\r\n:7\r\n");
  CHECK(nodes.first.run({"kiwi.fence", "get", "lock"}) == "*2\r\n$1\r\ny\r\n*2\r\n:7\r\n:7\r\n");
  CHECK(nodes.plain({"kiwi.fence", "kiwi.fence", "set", "a", "b"}).starts_with("-ERR"));
  CHECK(nodes.plain({"kiwi.fence", "nonsense"}).starts_with("-ERR"));
}

TEST_CASE("a producer's commands count in their order, once each") {
  OnceNodes nodes;
  CHECK(nodes.write(numbered("p", 5, 0, {"rpush", "l", "a"})) == ":1\r\n");
  CHECK(nodes.write(numbered("p", 5, 0, {"rpush", "l", "a"})) == ":1\r\n");
  CHECK(nodes.write(numbered("p", 5, 0, {"rpush", "l", "b"})).starts_with("-ONCEMISMATCH"));
  CHECK(nodes.write(numbered("p", 9, 7, {"rpush", "l", "b"})) == "-ONCEGAP last is 5\r\n");
  CHECK(nodes.write(numbered("p", 9, 5, {"rpush", "l", "b"})) == ":2\r\n");
  CHECK(nodes.write(numbered("p", 5, 0, {"rpush", "l", "a"})) ==
        "-ONCEDONE superseded: last is 9\r\n");
  CHECK(nodes.write(numbered("q", 1, 0, {"rpush", "l", "c"})) == ":3\r\n");
  CHECK(nodes.first.run({"kiwi.producer", "list"}) == "*2\r\n$1\r\np\r\n$1\r\nq\r\n");
  CHECK(nodes.first.run({"kiwi.producer", "get", "p"}).starts_with("*8\r\n$4\r\nlast\r\n:9\r\n"));
  CHECK(nodes.plain({"kiwi.producer", "drop", "p"}) == ":1\r\n");
  CHECK(nodes.first.run({"kiwi.producer", "get", "p"}) == "$-1\r\n");
  CHECK(nodes.write(numbered("p", 9, 5, {"rpush", "l", "b"})) == "-ONCEGAP last is 0\r\n");
}

TEST_CASE(
    "a producer's block whose WATCH failed is executed by nobody, and replayed all the same") {
  OnceNodes nodes;
  const auto block = [](bool watched) {
    std::string out;
    pack_once(out, {OnceMark::Form::kProducer, "p", 1, 0, 2, watched});
    return out + block_of({{"rpush", "l", "a"}});
  };
  CHECK(nodes.write(block(true)) == "-ERR this block expects WATCH\r\n");
  CHECK(nodes.first.run({"llen", "l"}) == ":0\r\n");
  CHECK(nodes.first.run({"kiwi.producer", "get", "p"}) == "$-1\r\n");
  CHECK(nodes.write(block(false)) == "*2\r\n+OK\r\n:1\r\n");
  CHECK(nodes.write(block(true)) == "*2\r\n+OK\r\n:1\r\n");
}

// The model forgets nothing: each token's first answer, and how often each counted.
TEST_CASE("random attempts against a model that forgets nothing") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Prng random(seed);
    OnceNodes nodes;
    nodes.first.clock() = 50'000'000;
    std::map<std::string, std::string> answers;
    uint64_t counted = 0;
    uint64_t replays = 0;
    uint64_t refused = 0;
    for (int i = 0; i < 600; ++i) {
      nodes.first.clock() += static_cast<int64_t>(random.below(1500));
      if (random.chance(1, 40)) {
        nodes.plain({"kiwi.setting", "once-max-records", std::to_string(1 + random.below(60)),
                     "once-window", std::to_string(60 + random.below(600))});
      }
      const int64_t ms = nodes.first.clock() - nodes.first.clock() % 2000 -
                         2000 * static_cast<int64_t>(random.below(30));
      const std::string token = std::to_string(ms) + "-" + std::to_string(random.below(2));
      const bool block = random.chance(1, 3);
      const std::string key = block ? "b" + token : "s" + token;
      const std::string reply = block
                                    ? nodes.write(token_mark(token + "B") +
                                                  block_of({{"incr", key}, {"rpush", "all", key}}))
                                    : nodes(token, {"incr", key});
      const std::string name = (block ? "B" : "") + token;
      if (reply.starts_with("-ONCEEXPIRED")) {
        ++refused;
        continue;
      }
      REQUIRE_FALSE(reply.starts_with("-"));
      const auto [first, fresh] = answers.emplace(name, reply);
      CHECK(first->second == reply);  // the same answer each time
      counted += fresh ? 1 : 0;
      replays += fresh ? 0 : 1;
      CHECK(nodes.get(key) == "$1\r\n1\r\n");
    }
    CHECK(counted > 100);
    CHECK(replays > 10);
    CHECK(refused > 10);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
