#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "resp/resp_writer.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {
namespace {

template <class Write>
std::string written(int version, Write write) {
  std::string out;
  RespWriter reply(&out, version);
  write(reply);
  return out;
}

std::string number(int version, double value) {
  return written(version, [value](ReplyWriter& r) { r.number(value); });
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("replies that both protocols share") {
    for (int version : {2, 3}) {
      auto all = [](ReplyWriter& r) {
        r.ok();
        r.error("ERR no");
        r.integer(-12);
        r.integer(std::numeric_limits<int64_t>::min());
        r.bulk("");
        r.bulk("ab");
        r.array(3);
      };
      CHECK(written(version, all) ==
            "+OK\r\n-ERR no\r\n:-12\r\n:-9223372036854775808\r\n$0\r\n\r\n$2\r\nab\r\n*3\r\n");
    }
  }

  TEST_CASE("replies that only RESP3 tells apart") {
    auto all = [](ReplyWriter& r) {
      r.null();
      r.null_array();
      r.map(2);
      r.set(2);
      r.push(2);
      r.boolean(true);
      r.boolean(false);
      r.verbatim("a\nb");
    };
    CHECK(written(2, all) == "$-1\r\n*-1\r\n*4\r\n*2\r\n*2\r\n:1\r\n:0\r\n$3\r\na\nb\r\n");
    CHECK(written(3, all) == "_\r\n_\r\n%2\r\n~2\r\n>2\r\n#t\r\n#f\r\n=7\r\ntxt:a\nb\r\n");
  }

  // Expected values: DEBUG PROTOCOL and ZSCORE of a redis-server 7.0.15.
  TEST_CASE("doubles have the seventeen digits of Redis 7.0") {
    CHECK(number(3, 0.1) == ",0.10000000000000001\r\n");
    CHECK(number(3, 1) == ",1\r\n");
    CHECK(number(3, -1.5) == ",-1.5\r\n");
    CHECK(number(3, 1e21) == ",1e+21\r\n");
    CHECK(number(3, 123456789012345680.0) == ",1.2345678901234568e+17\r\n");
    CHECK(number(3, std::numeric_limits<double>::infinity()) == ",inf\r\n");
    CHECK(number(2, -std::numeric_limits<double>::infinity()) == "$4\r\n-inf\r\n");
    CHECK(number(2, 0.1) == "$19\r\n0.10000000000000001\r\n");
    CHECK(number(2, 3.25) == "$4\r\n3.25\r\n");
  }

  TEST_CASE("an error cannot smuggle a line end into the stream") {
    CHECK(written(2, [](ReplyWriter& r) { r.error("ERR a\r\n+OK\r\n"); }) == "-ERR a  +OK  \r\n");
  }

  TEST_CASE("a writer without a buffer throws everything away") {
    RespWriter reply(nullptr, 3);
    CHECK(reply.discards());
    reply.map(1);
    reply.bulk("a");
    reply.number(1.5);
    reply.error("ERR x");
    reply.verbatim("x");
    reply.null();
  }

  TEST_CASE("the size of one reply is found in a row of replies") {
    for (std::string_view one :
         {"+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*0\r\n",
          "*2\r\n:1\r\n*1\r\n$1\r\na\r\n", "%1\r\n+a\r\n~2\r\n:1\r\n:2\r\n", "_\r\n", "#t\r\n",
          ",1.5\r\n", "=7\r\ntxt:a\nb\r\n", "|1\r\n+a\r\n:1\r\n:2\r\n", ">1\r\n+a\r\n",
          "-ERR x\r\n"}) {
      CAPTURE(one);
      CHECK(reply_size(one) == one.size());
      CHECK(reply_size(std::string(one) + "+OK\r\n") == one.size());
      for (size_t cut = 0; cut < one.size(); ++cut) {
        CHECK(reply_size(one.substr(0, cut)) == 0);
      }
    }
  }
}

}  // namespace kiwi::resp
