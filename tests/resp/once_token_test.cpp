// Tokens as clients write them, and replies that are kept, in another protocol.
#include "resp/once_token.hpp"

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "resp/once_reply.hpp"
#include "resp/resp_writer.hpp"

namespace kiwi::resp {
namespace {

TEST_SUITE_BEGIN("once tokens");

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

TEST_CASE("one id is one token, however it is spelled") {
  const auto uuid = read_once_token("0190b5f2-3c4d-7e5f-8a6b-0c1d2e3f4a5b");
  REQUIRE(uuid.has_value());
  CHECK(hex(*uuid) ==
        "00000190b5f23c4d"
        "01"
        "7e5f8a6b0c1d2e3f4a5b");
  CHECK(once_token_ms(*uuid) == 0x0190b5f23c4d);
  CHECK(once_token_name(*uuid).size() == 11);
  CHECK(read_once_token("0190B5F2-3C4D-7E5F-8A6B-0C1D2E3F4A5B") == uuid);
  // The same 16 bytes as a ULID.
  CHECK(read_once_token("01J2TZ4F2DFSFRMTRC3MQ3YJJV") == uuid);
  CHECK(read_once_token("01j2tz4f2dfsfrmtrc3mq3yjjv") == uuid);
  const auto first = read_once_token("0190b5f2-3c4d-7e5f-8a6b-0c1d2e3f4a5b.0");
  REQUIRE(first.has_value());
  CHECK(first != uuid);
  CHECK(once_token_ms(*first) == once_token_ms(*uuid));
  const auto key = read_once_token("1700000000000-order:4711");
  REQUIRE(key.has_value());
  CHECK(once_token_ms(*key) == 1700000000000);
  CHECK(once_token_name(*key) == "\x02order:4711");
  CHECK(read_once_token("0-x").has_value());
  CHECK(read_once_token("1700000000000-" + std::string(64, 'k')).has_value());
}

TEST_CASE("what carries no time, or is spelled wrong, is no token") {
  for (const std::string& text : std::initializer_list<std::string>{
           "",
           "-",
           "x",
           "17",
           "17-",
           "-17-x",
           "+17-x",
           "017-x",
           "281474976710656-x",
           "99999999999999999999-x",
           "1700000000000-" + std::string(65, 'k'),
           "0190b5f2-3c4d-4e5f-8a6b-0c1d2e3f4a5b",      // version 4
           "0190b5f2-3c4d-7e5f-0a6b-0c1d2e3f4a5b",      // no variant of RFC 9562
           "0190b5f23c4d-7e5f-8a6b-0c1d2e3f4a5b-0000",  // dashes elsewhere
           "0190b5f2-3c4d-7e5f-8a6b-0c1d2e3f4a5",
           "0190b5f2-3c4d-7e5f-8a6b-0c1d2e3f4a5b.",
           "0190b5f2-3c4d-7e5f-8a6b-0c1d2e3f4a5b.123456789012345678901234567890123",
           "0190b5f2-3c4d-7e5f-8a6b-0c1d2e3f4a5bx",
           "01J2TZ4F2DFSFRMTRC3MQ3YJJU",
           "81J2TZ4F2DFSFRMTRC3MQ3YJJV",
           "01J2TZ4F2DFSFRMTRC3MQ3YJJ"}) {
    CAPTURE(text);
    CHECK_FALSE(read_once_token(text).has_value());
  }
}

TEST_CASE("fresh tokens are UUIDs of version 7 of that moment") {
  const std::string text = new_once_token(1700000000123, std::string(16, '\xff'));
  CHECK(text == "018bcfe5-687b-7fff-bfff-ffffffffffff");
  const auto token = read_once_token(text);
  REQUIRE(token.has_value());
  CHECK(once_token_ms(*token) == 1700000000123);
  CHECK(new_once_token(0, std::string(16, '\0')) == "00000000-0000-7000-8000-000000000000");
}

TEST_CASE("a reply of RESP3 in the words of RESP2 is what RESP2 would have written") {
  std::string old;
  std::string fresh;
  RespWriter two(&old, 2);
  RespWriter three(&fresh, 3);
  const auto both = [&](auto&& write) {
    write(two);
    write(three);
  };
  both([](ReplyWriter& reply) {
    reply.array(10);
    reply.set(2);
    reply.number(1.5);
    reply.boolean(true);
    reply.null();
    reply.verbatim("two\r\nlines");
    reply.big_number("123456789012345678901234567890");
    reply.bulk("_\r\n,1\r\n");
    reply.integer(-7);
    reply.error("ERR x");
    reply.simple("OK");
    reply.boolean(false);
    reply.push(1);
    reply.bulk("");
  });
  CHECK(reply_in(2, 3, fresh, true) == old);
  CHECK(reply_in(3, 3, fresh, true) == fresh);
  CHECK(reply_in(3, 2, old, true) == old);
  CHECK(reply_in(2, 3, "_\r\n", true) == "*-1\r\n");
  CHECK(reply_in(2, 3, "_\r\n", false) == "$-1\r\n");
  CHECK_FALSE(three.shaped());
  three.map(1);
  CHECK(three.shaped());
  CHECK_FALSE(two.shaped());
  CHECK(two.version() == 2);
  CHECK(two.shaped());
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
