// KIWI.ONCE, KIWI.SEQ and their like as a session takes them apart.
#include <doctest/doctest.h>

#include "resp/command_keys.hpp"
#include "resp/once_token.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

TEST_SUITE_BEGIN("session once");

struct One {
  TestNode node;
  TestClient client{node};
  // The one request that a line becomes.
  Request request(const std::string& line) {
    CHECK(client.send(line) == "");
    std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 1);
    return requests[0];
  }
  std::string refusal(const std::string& line) {
    const std::string reply = client.send(line);
    CHECK(client.forwarded().empty());
    return reply;
  }
};

TEST_CASE("a write behind a token is sent with it, a read without") {
  One one;
  const Request write = one.request("kiwi.once 1000-a SET k v\r\n");
  CHECK(write.kind == RequestKind::kWrite);
  PackedCommand command = one.client.unpacked(write);
  REQUIRE(command.once.has_value());
  CHECK(command.once->form == OnceMark::Form::kToken);
  CHECK(once_token_ms(command.once->name) == 1000);
  CHECK(command.once->resp == 2);
  CHECK(command.args.size() == 3);
  CHECK(first_key(one.client.bytes_of(write)) == "k");
  CHECK(one.client.answer(write.slot, "+OK\r\n") == "+OK\r\n");
  const Request read = one.request("KIWI.ONCE 1000-a GET k\r\n");
  CHECK(read.kind == RequestKind::kRead);
  CHECK_FALSE(one.client.unpacked(read).once.has_value());
  one.client.answer(read.slot, "$1\r\nv\r\n");
  // The command behind it counts for nothing but itself.
  CHECK_FALSE(one.client.unpacked(one.request("SET k w\r\n")).once.has_value());
}

TEST_CASE("a message behind a token goes through the log") {
  One one;
  const Request request = one.request("KIWI.ONCE 1000-a PUBLISH c m\r\n");
  CHECK(request.kind == RequestKind::kWrite);
  CHECK(one.client.unpacked(request).once.has_value());
}

TEST_CASE("a blocking command waits with its token") {
  One one;
  const Request request = one.request("KIWI.ONCE 1000-a BLPOP q 0\r\n");
  CHECK(request.kind == RequestKind::kBlocking);
  CHECK(one.client.unpacked(request).once.has_value());
}

TEST_CASE("what is no token, no command, or cannot count is refused at once") {
  One one;
  CHECK(one.refusal("KIWI.ONCE nonsense SET k v\r\n").starts_with("-ERR bad token: "));
  CHECK(one.refusal("KIWI.ONCE 1000-a\r\n") ==
        "-ERR wrong number of arguments for 'kiwi.once' command\r\n");
  CHECK(one.refusal("KIWI.ONCE\r\n") ==
        "-ERR wrong number of arguments for 'kiwi.once' command\r\n");
  CHECK(one.refusal("KIWI.ONCE 1000-a SET k\r\n") ==
        "-ERR wrong number of arguments for 'set' command\r\n");
  CHECK(one.refusal("KIWI.ONCE 1000-a nonsense\r\n").starts_with("-ERR unknown command"));
  for (const char* local : {"PING", "MULTI", "CLIENT ID", "SUBSCRIBE c", "WATCH k"}) {
    CAPTURE(local);
    CHECK(one.refusal("KIWI.ONCE 1000-a " + std::string(local) + "\r\n") ==
          "-ERR this command cannot be made once\r\n");
  }
  CHECK(one.refusal("KIWI.ONCE 1000-a KIWI.ONCE 1000-b SET k v\r\n") ==
        "-ERR this command cannot be made once\r\n");
  CHECK(one.refusal("KIWI.SEQ p 5 AFTER 5 SET k v\r\n") == "-ERR syntax error\r\n");
  CHECK(one.refusal("KIWI.SEQ p x AFTER 5 SET k v\r\n").starts_with("-ERR value is not"));
  CHECK(one.refusal("KIWI.SEQ p 6 BEFORE 5 SET k v\r\n") == "-ERR syntax error\r\n");
  CHECK(one.refusal("KIWI.SEQ p 6 AFTER 5 LPOP k\r\n").starts_with("-ERR a producer's command"));
}

TEST_CASE("a producer's command carries its numbers and never waits") {
  One one;
  const Request request = one.request("KIWI.SEQ p 6 AFTER 5 BLMOVE a b LEFT LEFT 0\r\n");
  CHECK(request.kind == RequestKind::kWrite);
  const PackedCommand command = one.client.unpacked(request);
  REQUIRE(command.once.has_value());
  CHECK(command.once->form == OnceMark::Form::kProducer);
  CHECK(command.once->name == "p");
  CHECK(command.once->number == 6);
  CHECK(command.once->after == 5);
}

TEST_CASE("a user whom only this node's options name has no tokens before the state knows it") {
  One one;
  acl::User ann;
  for (const std::string_view rule : {"on", ">pw", "+@all", "~*"}) {
    CHECK_FALSE(ann.set(rule, {}).has_value());
  }
  acl::Rights own;
  own.emplace("ann", ann);
  one.node.context.accounts.set_own(std::move(own));
  CHECK(one.client.send("AUTH ann pw\r\n") == "+OK\r\n");
  CHECK(one.refusal("KIWI.ONCE 1000-a SET k v\r\n").starts_with("-TRYAGAIN"));
  CHECK(one.refusal("KIWI.SEQ p 2 AFTER 1 SET k v\r\n").starts_with("-TRYAGAIN"));
  CHECK(one.refusal("MULTI\r\nKIWI.ONCE 1000-a\r\nEXEC\r\n").find("-EXECABORT") !=
        std::string::npos);
  CHECK(one.request("SET k v\r\n").kind == RequestKind::kWrite);
}

TEST_CASE("as the first command of MULTI it is about the block") {
  One one;
  CHECK(one.client.send("MULTI\r\nKIWI.ONCE 1000-a WATCHED\r\nSET k v\r\nPING\r\n") ==
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
  const Request exec = one.request("EXEC\r\n");
  CHECK(exec.kind == RequestKind::kWrite);
  const PackedCommand block = one.client.unpacked(exec);
  REQUIRE(block.once.has_value());
  CHECK(block.once->watched);
  CHECK(block.commands.size() == 1);
  // The OK of the token comes with the answer; PING is executed then.
  CHECK(one.client.answer(exec.slot, "*2\r\n+OK\r\n+OK\r\n") == "*3\r\n+OK\r\n+OK\r\n+PONG\r\n");
  CHECK(one.client.send("MULTI\r\nKIWI.ONCE 1000-a\r\nPING\r\nEXEC\r\n") ==
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+PONG\r\n");
  CHECK(
      one.client.send("MULTI\r\nSET k v\r\nKIWI.ONCE 1000-a\r\nEXEC\r\n")
          .ends_with("-ERR in a transaction it is the first command, and stands for the whole "
                     "block\r\n-EXECABORT Transaction discarded because of previous errors.\r\n"));
  CHECK(one.client.send("MULTI\r\nKIWI.ONCE 1000-a SET k v\r\nEXEC\r\n").find("-EXECABORT") !=
        std::string::npos);
  CHECK(one.client.send("MULTI\r\nKIWI.SEQ p 2 AFTER 1\r\nSPOP k\r\nEXEC\r\n")
            .find("-ERR a producer's command") != std::string::npos);
  CHECK(one.client.forwarded().empty());
}

TEST_CASE("a block of reads that expects WATCH executes nothing without") {
  One one;
  CHECK(one.client.send("MULTI\r\nKIWI.ONCE 1000-a WATCHED\r\nGET k\r\nEXEC\r\n")
            .ends_with("-ERR this block expects WATCH\r\n"));
  CHECK(one.client.send("MULTI\r\nKIWI.ONCE 1000-a\r\nGET k\r\n").ends_with("+QUEUED\r\n"));
  const Request exec = one.request("EXEC\r\n");
  CHECK(exec.kind == RequestKind::kRead);
  CHECK(one.client.unpacked(exec).once.has_value());
}

TEST_CASE("KIWI.TOKEN NEW gives fresh tokens by the larger of the two clocks") {
  One one;
  one.node.context.random_number = [drawn = uint64_t{0}]() mutable { return ++drawn; };
  const std::string own = one.refusal("KIWI.TOKEN NEW\r\n");
  REQUIRE(own.starts_with("$36\r\n"));
  const auto token = read_once_token(own.substr(5, 36));
  REQUIRE(token.has_value());
  CHECK(once_token_ms(*token) == 1'700'000'000'123);
  one.node.context.status.once.stamp_ms = 1'800'000'000'000;
  const std::string three = one.refusal("KIWI.TOKEN NEW 3\r\n");
  REQUIRE(three.starts_with("*3\r\n$36\r\n"));
  CHECK(once_token_ms(*read_once_token(three.substr(9, 36))) == 1'800'000'000'000);
  CHECK(three.substr(9, 36) != three.substr(9 + 43, 36));
  CHECK(one.refusal("KIWI.TOKEN NEW 0\r\n").starts_with("-ERR count"));
  CHECK(one.refusal("KIWI.TOKEN NEW 1001\r\n").starts_with("-ERR count"));
}

TEST_CASE("a fence is the route of what it wraps, and refuses what that refuses") {
  One one;
  CHECK(one.request("KIWI.FENCE SET k v\r\n").kind == RequestKind::kWrite);
  CHECK(one.request("KIWI.FENCE GET k\r\n").kind == RequestKind::kRead);
  const Request both = one.request("KIWI.ONCE 1000-a KIWI.FENCE SET k v\r\n");
  CHECK(one.client.unpacked(both).once.has_value());
  CHECK(first_key(one.client.bytes_of(both)) == "k");
  CHECK(one.refusal("KIWI.FENCE SET k\r\n") == "");  // behind the answers of those before
}

TEST_CASE("a fence refuses what the command inside would be refused for") {
  One one;
  CHECK(one.refusal("KIWI.FENCE SET k\r\n") ==
        "-ERR wrong number of arguments for 'set' command\r\n");
  CHECK(one.refusal("KIWI.FENCE nonsense\r\n").starts_with("-ERR unknown command"));
  CHECK(one.refusal("KIWI.FENCE PING\r\n") ==
        "-ERR this command cannot be executed inside another one\r\n");
  CHECK(one.refusal("KIWI.FENCE KIWI.FENCE GET k\r\n") ==
        "-ERR this command cannot be executed inside another one\r\n");
}

TEST_CASE("KIWI.READ says how old reads may be, for the connection or for one command") {
  One one;
  const auto kind_of = [&one](const std::string& line) {
    const Request request = one.request(line);
    one.client.answer(request.slot, "$-1\r\n");
    return std::pair(request.kind, request.wait_until_ms);
  };
  using Level = std::pair<RequestKind, int64_t>;
  CHECK(kind_of("KIWI.READ ATLEAST 77 GET k\r\n") == Level(RequestKind::kAtLeast, 77));
  CHECK(kind_of("GET k\r\n") == Level(RequestKind::kRead, 0));
  CHECK(one.refusal("KIWI.READ STALE MAXLAG 100\r\n") == "+OK\r\n");
  CHECK(kind_of("GET k\r\n") == Level(RequestKind::kMaxLag, 100));
  CHECK(kind_of("KIWI.READ LINEARIZABLE GET k\r\n") == Level(RequestKind::kRead, 0));
  CHECK(kind_of("SET k v\r\n") == Level(RequestKind::kWrite, 100));  // the number means nothing
  one.client.send("MULTI\r\nGET k\r\n");
  CHECK(kind_of("EXEC\r\n") == Level(RequestKind::kMaxLag, 100));
  CHECK(one.refusal("KIWI.READ STALE\r\n") == "+OK\r\n");
  CHECK(kind_of("GET k\r\n") == Level(RequestKind::kStaleRead, 0));
  CHECK(one.refusal("READWRITE\r\n") == "+OK\r\n");
  CHECK(kind_of("GET k\r\n") == Level(RequestKind::kRead, 0));
  one.refusal("KIWI.READ ATLEAST 5\r\n");
  one.refusal("RESET\r\n");
  CHECK(kind_of("GET k\r\n") == Level(RequestKind::kRead, 0));
  for (const char* wrong : {"ATLEAST", "ATLEAST x", "ATLEAST -1 GET k", "STALE MAXLAG",
                            "STALE MAXLAG 0", "nonsense", "nonsense GET k"}) {
    CAPTURE(wrong);
    CHECK(one.refusal("KIWI.READ " + std::string(wrong) + "\r\n") == "-ERR syntax error\r\n");
  }
  CHECK(one.client.send("MULTI\r\nKIWI.READ STALE\r\nEXEC\r\n").find("-EXECABORT") !=
        std::string::npos);
}

TEST_CASE("keys are those of the command inside") {
  One one;
  CHECK(one.refusal("COMMAND GETKEYS KIWI.ONCE 1000-a SET k v\r\n") == "*1\r\n$1\r\nk\r\n");
  CHECK(one.refusal("COMMAND GETKEYS KIWI.ONCE 1000-a KIWI.FENCE MSET a 1 b 2\r\n") ==
        "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  CHECK(one.refusal("COMMAND GETKEYS KIWI.SEQ p 2 AFTER 1 SET k v\r\n") == "*1\r\n$1\r\nk\r\n");
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
