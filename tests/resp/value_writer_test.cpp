// Replies as values (resp/value_writer.hpp). That commands answer the same through both writers:
// commands_recorded_test.cpp.
#include "resp/value_writer.hpp"

#include <string>

#include <doctest/doctest.h>

#include "resp/resp_writer.hpp"

namespace kiwi::resp {
namespace {

using Kind = ReplyValue::Kind;

void everything(ReplyWriter& reply) {
  reply.array(14);
  reply.ok();
  reply.error("ERR no\r\nline");
  reply.integer(-7);
  reply.bulk(std::string_view("a\0b", 3));
  reply.null();
  reply.null_array();
  reply.map(2);
  reply.bulk("k");
  reply.array(0);
  reply.bulk("l");
  reply.set(1);
  reply.integer(1);
  reply.push(1);
  reply.simple("message");
  reply.boolean(true);
  reply.boolean(false);
  reply.number(0.1);
  reply.big_number("3492890328409238509324850943850943825024385");
  reply.verbatim("some\ntext");
  reply.array(1);
  reply.array(1);
  reply.array(1);
  reply.bulk("deep");
}

template <class Write>
std::string bytes(int version, Write write) {
  std::string out;
  RespWriter reply(&out, version);
  write(reply);
  return out;
}

TEST_CASE("a value has the shape of what was written") {
  ValueWriter writer(3);
  everything(writer);
  const ReplyValue value = writer.take();
  REQUIRE(value.kind == Kind::kArray);
  REQUIRE(value.items.size() == 14);
  CHECK(value.items[0] == ReplyValue{.kind = Kind::kStatus, .text = "OK"});
  CHECK(value.items[1] == ReplyValue{.kind = Kind::kError, .text = "ERR no  line"});
  CHECK(value.items[2] == ReplyValue{.kind = Kind::kInteger, .integer = -7});
  CHECK(value.items[3].text.size() == 3);
  CHECK(value.items[4].kind == Kind::kNull);
  CHECK(value.items[5].kind == Kind::kNull);
  CHECK(value.items[6].kind == Kind::kMap);
  REQUIRE(value.items[6].items.size() == 4);
  CHECK(value.items[6].items[3].items[0].integer == 1);
  CHECK(value.items[7].kind == Kind::kPush);
  CHECK(value.items[8] == ReplyValue{.kind = Kind::kBoolean, .integer = 1});
  CHECK(value.items[10] == ReplyValue{.kind = Kind::kDouble, .real = 0.1});
  CHECK(value.items[11].kind == Kind::kBigNumber);
  CHECK(value.items[12] == ReplyValue{.kind = Kind::kVerbatim, .text = "some\ntext"});
  CHECK(value.items[13].items[0].items[0].items[0].text == "deep");
}

TEST_CASE("with version 2 it is what a RESP2 client would read") {
  ValueWriter writer(2);
  everything(writer);
  const ReplyValue value = writer.take();
  CHECK(value.items[5].kind == Kind::kNullArray);
  CHECK(value.items[6].kind == Kind::kArray);
  CHECK(value.items[6].items.size() == 4);
  CHECK(value.items[7].kind == Kind::kArray);
  CHECK(value.items[8] == ReplyValue{.kind = Kind::kInteger, .integer = 1});
  CHECK(value.items[10] == ReplyValue{.kind = Kind::kBulk, .text = "0.10000000000000001"});
  CHECK(value.items[11].kind == Kind::kBulk);
}

TEST_CASE("written again it gives the bytes that the command would have given") {
  for (int version : {2, 3}) {
    ValueWriter writer(version);
    everything(writer);
    const ReplyValue value = writer.take();
    CHECK(bytes(version, [&](ReplyWriter& r) { write_value(value, r); }) ==
          bytes(version, everything));
    ValueWriter again(version);
    write_value(value, again);
    CHECK(again.take() == value);
  }
}

TEST_CASE("what is known last is put first") {
  auto late = [](ReplyWriter& reply) {
    reply.array(2);
    reply.ok();
    const size_t begin = reply.where();
    reply.bulk("a");
    reply.array(1);
    reply.bulk("b");
    const size_t head = reply.where();
    reply.array(2);
    reply.put_first(begin, head);
  };
  CHECK(bytes(2, late) == "*2\r\n+OK\r\n*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n");
  ValueWriter writer(2);
  late(writer);
  CHECK(bytes(2, [&](ReplyWriter& r) { write_value(writer.take(), r); }) == bytes(2, late));
}

TEST_CASE("a value has a bound, and a writer whose command failed can be used again") {
  constexpr size_t kMost = 4 * ValueWriter::kPartBytes;
  ValueWriter writer(3, kMost);
  writer.array(3);
  writer.bulk("a");
  CHECK_THROWS_AS(writer.bulk(std::string(kMost, 'x')), ReplyTooLarge);
  writer.clear();
  writer.bulk("b");
  CHECK(writer.take().text == "b");
  writer.integer(5);
  CHECK(writer.take().integer == 5);
}

}  // namespace
}  // namespace kiwi::resp
