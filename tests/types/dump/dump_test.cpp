// What RDB and DUMP payloads hold: recorded ones of redis-server 7.0, older encodings made by hand,
// what is written and read again, and bytes that nobody meant.
#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/types/dump/crc64.hpp"
#include "resp/types/dump/lzf.hpp"
#include "resp/types/dump/object_reader.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/payload.hpp"
#include "tests/types/dump/recorded_payloads.hpp"
#include "tests/types/dump/stream_parts.hpp"

namespace kiwi::resp::dump {

namespace {

// Elements as text, one after the other.
class Collector final : public ObjectVisitor {
 public:
  std::vector<std::string> seen;
  std::vector<double> scores;
  std::vector<int64_t> deadlines;

  bool on_string(std::string_view value) override { return keep(value); }
  bool on_list_element(std::string_view element) override { return keep(element); }
  bool on_set_member(std::string_view member) override { return keep(member); }
  bool on_sorted_set_member(std::string_view member, double score) override {
    scores.push_back(score);
    return keep(member);
  }
  bool on_hash_field(std::string_view field,
                     std::string_view value,
                     std::optional<int64_t> deadline_ms) override {
    deadlines.push_back(deadline_ms.value_or(0));
    return keep(field) && keep(value);
  }
  StreamVisitor& stream() override { return parts; }

  StreamParts parts;

 private:
  bool keep(std::string_view bytes) {
    seen.emplace_back(bytes);
    return true;
  }
};

using Texts = std::vector<std::string>;

std::string from_hex(std::string_view hex) {
  std::string out;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return out;
}

std::optional<Collector> read_payload(std::string_view bytes) {
  const std::optional<Payload> payload = open_payload(bytes);
  if (!payload) {
    return std::nullopt;
  }
  Collector found;
  RdbReader in(payload->body);
  const bool whole =
      read_object(payload->type, in, found) == ReadOutcome::kWhole && in.rest().empty();
  return whole ? std::optional(std::move(found)) : std::nullopt;
}

Collector recorded(std::string_view name) {
  for (const RecordedPayload& one : kRecordedPayloads) {
    if (one.name == name) {
      std::optional<Collector> found = read_payload(from_hex(one.hex));
      REQUIRE_MESSAGE(found.has_value(), name);
      return std::move(*found);
    }
  }
  FAIL("no payload is called ", name);
  return {};
}

// One body of `type`, without the frame.
std::optional<Collector> read_body(uint8_t type, std::string_view body) {
  Collector found;
  RdbReader in(body);
  return read_object(type, in, found) == ReadOutcome::kWhole && in.rest().empty()
             ? std::optional(found)
             : std::nullopt;
}

std::string sized(std::string_view bytes) {
  std::string out;
  put_length(out, bytes.size());
  out.append(bytes);
  return out;
}

constexpr std::string_view operator""_bytes(const char* text, size_t size) { return {text, size}; }

}  // namespace

TEST_CASE("crc64 is Redis' in one piece and in parts") {
  CHECK(crc64(0, "123456789") == 0xe9c6d914c4b8d9ca);
  CHECK(crc64(crc64(0, "1234"), "56789") == 0xe9c6d914c4b8d9ca);
  std::string text(1000, 'x');
  uint64_t bytewise = 0;
  for (const char one : text) {
    bytewise = crc64(bytewise, std::string_view(&one, 1));
  }
  CHECK(crc64(0, text) == bytewise);
}

TEST_CASE("payloads of redis-server 7.0 are read as what they were made from") {
  CHECK(recorded("text").seen == Texts{"hello"});
  CHECK(recorded("int8").seen == Texts{"-7"});
  CHECK(recorded("int16").seen == Texts{"12345"});
  CHECK(recorded("int32").seen == Texts{"-2147483648"});
  CHECK(recorded("int64").seen == Texts{"9223372036854775807"});
  CHECK(recorded("almost a number").seen == Texts{"007"});
  CHECK(recorded("compressed").seen == Texts{std::string(1000, 'a')});
  std::string digits;
  for (int i = 0; i < 10; ++i) {
    digits += "0123456789";
  }
  CHECK(recorded("compressed by repetition").seen == Texts{digits});
  CHECK(recorded("long").seen[0].size() == 762);
  CHECK(recorded("list").seen == Texts{"a", "1", "-1", "4095", "-4097", "40000", "8388607",
                                       "3000000000", "-9223372036854775808", std::string(63, 'x'),
                                       std::string(64, 'y'), ""});
  const Collector nodes = recorded("list of several nodes");
  REQUIRE(nodes.seen.size() == 40);
  CHECK(nodes.seen[39] == "element 39" + std::string(300, 'z'));
  CHECK(recorded("list with a long element").seen == Texts{"a", std::string(5000, 'q'), "b"});
  CHECK(recorded("intset16").seen == Texts{"-2", "3", "1000"});
  CHECK(recorded("intset32").seen == Texts{"-2", "3", "100000"});
  CHECK(recorded("intset64").seen == Texts{"-9223372036854775808", "3", "1000"});
  CHECK(recorded("set").seen.size() == 3);
  CHECK(recorded("hash").seen == Texts{"f", "v", "n", "17", "", "empty"});
  CHECK(recorded("hash table").seen.size() == 4);
  const Collector sorted = recorded("sorted set");
  CHECK(sorted.seen == Texts{"b", "a", "c", "d"});
  CHECK(sorted.scores ==
        std::vector<double>{-0.5, 1, 1e100, std::numeric_limits<double>::infinity()});
  CHECK(recorded("sorted set table").seen.size() == 2);
}

TEST_CASE("encodings of older versions: linked list, ziplist, quicklist of ziplists, zipmap") {
  CHECK(read_body(1,
                  "\x02\x01"
                  "a\xc0\x07"_bytes)
            ->seen == Texts{"a", "7"});
  // Header, then "hi", 8-bit -3, 4-bit 12, 16-bit 300, 24-bit -70000, 32-bit, 64-bit.
  const std::string list =
      std::string("\x2d\0\0\0\x23\0\0\0\x07\0"_bytes) +
      std::string(
          "\0\x02"
          "hi"_bytes) +
      std::string("\x04\xfe\xfd"_bytes) + std::string("\x03\xfd"_bytes) +
      std::string("\x02\xc0\x2c\x01"_bytes) + std::string("\x04\xf0\x90\xee\xfe"_bytes) +
      std::string("\x05\xd0\0\0\0\x40"_bytes) + std::string("\x06\xe0\0\0\0\0\0\0\0\x80\xff"_bytes);
  std::string measured = list;
  REQUIRE(measured.size() == 0x2d);
  const Texts expected{"hi", "-3", "12", "300", "-70000", "1073741824", "-9223372036854775808"};
  REQUIRE(read_body(10, sized(measured)).has_value());
  CHECK(read_body(10, sized(measured))->seen == expected);
  CHECK(read_body(14, "\x01" + sized(measured))->seen == expected);
  std::string longer = list;
  ++longer[0];
  CHECK_FALSE(read_body(10, sized(longer)).has_value());
  CHECK_FALSE(read_body(13, sized(measured)).has_value());  // an odd number for a hash
  const std::string_view map =
      "\x02\x03"
      "foo\x03\x02"
      "bar??\x05"
      "hello\x05\0world\xff"_bytes;
  CHECK(read_body(9, sized(map))->seen == Texts{"foo", "bar", "hello", "world"});
  CHECK_FALSE(read_body(9, sized(map.substr(0, map.size() - 1))).has_value());
  // Scores as text.
  const auto scores = read_body(3,
                                "\x03\x01"
                                "a\x03"
                                "1.5\x01"
                                "b\xfe\x01"
                                "c\xff"_bytes);
  REQUIRE(scores.has_value());
  CHECK(scores->scores == std::vector<double>{1.5, std::numeric_limits<double>::infinity(),
                                              -std::numeric_limits<double>::infinity()});
  CHECK_FALSE(read_body(3,
                        "\x01\x01"
                        "a\xfd"_bytes)
                  .has_value());  // not a number
}

TEST_CASE("hashes whose fields expire, as 7.4 writes them") {
  std::string smallest;
  for (size_t i = 0; i < 8; ++i) {
    smallest.push_back(static_cast<char>(uint64_t{1'000'000} >> (8 * i)));
  }
  const auto table = read_body(24, smallest + std::string("\x02\x01\x01"
                                                          "f\x01v\0\x01g\x01w"_bytes));
  REQUIRE(table.has_value());
  CHECK(table->seen == Texts{"f", "v", "g", "w"});
  CHECK(table->deadlines == std::vector<int64_t>{1'000'000, 0});
  ListpackWriter packed;
  for (const char* entry : {"f", "v", "1000005", "g", "w", "0"}) {
    packed.add(entry);
  }
  const auto listpack = read_body(25, smallest + sized(packed.finish()));
  REQUIRE(listpack.has_value());
  CHECK(listpack->deadlines == std::vector<int64_t>{1'000'005, 0});
}

TEST_CASE("what is written is read again, whatever its size") {
  Prng prng(7);
  for (int round = 0; round < 300; ++round) {
    Texts elements;
    const size_t count = 1 + prng.below(50);
    for (size_t i = 0; i < count; ++i) {
      switch (prng.below(3)) {
        case 0:
          elements.push_back(std::to_string(static_cast<int64_t>(prng.next()) >> prng.below(63)));
          break;
        case 1:
          elements.push_back(std::string(prng.below(300), static_cast<char>(prng.next())));
          break;
        default:
          elements.push_back(std::string(prng.below(9000), 'e') + std::to_string(i));
      }
    }
    std::string out;
    ListWriter list(out);
    for (const std::string& element : elements) {
      list.add(element);
    }
    list.finish();
    close_payload(out);
    const auto found = read_payload(out);
    REQUIRE(found.has_value());
    CHECK(found->seen == elements);
  }
  std::string out;
  write_intset_object(out, {-5, 70'000, 5'000'000'000});
  close_payload(out);
  CHECK(read_payload(out)->seen == Texts{"-5", "70000", "5000000000"});
  for (const Form form : {Form::kPacked, Form::kTable}) {
    out.clear();
    HashWriter hash(out, form, 2);
    hash.add("f", "17");
    hash.add("g", "");
    hash.finish();
    close_payload(out);
    CHECK(read_payload(out)->seen == Texts{"f", "17", "g", ""});
    out.clear();
    SortedSetWriter sorted(out, form, 2);
    sorted.add("a", -1.5, "-1.5");
    sorted.add("b", 3, "3");
    sorted.finish();
    close_payload(out);
    CHECK(read_payload(out)->scores == std::vector<double>{-1.5, 3});
  }
}

TEST_CASE(
    "a payload with a wrong checksum, a newer version, nothing in it, or more behind it is "
    "refused") {
  std::string out;
  write_string(out, "value");
  std::string empty(1, '\x02');
  empty.push_back('\0');
  close_payload(empty);
  CHECK_FALSE(read_payload(empty).has_value());  // a set without members
  std::string longer = out + "x";
  close_payload(longer);
  CHECK_FALSE(read_payload(longer).has_value());
  close_payload(out);
  REQUIRE(read_payload(out).has_value());
  for (size_t i = 0; i < out.size(); ++i) {
    std::string wrong = out;
    wrong[i] = static_cast<char>(wrong[i] ^ 0x10);
    CHECK_FALSE(open_payload(wrong).has_value());
  }
  CHECK_FALSE(open_payload("").has_value());
}

TEST_CASE("a few bytes that claim gigabytes cost nothing") {
  // A string of 4 GiB; LZF of 512 MiB out of three bytes; a list of 2^60 elements.
  CHECK_FALSE(read_body(0,
                        "\x80\xff\xff\xff\xff"
                        "x"_bytes)
                  .has_value());
  CHECK_FALSE(read_body(0,
                        "\xc3\x03\x80\x20\0\0\0"
                        "abc"_bytes)
                  .has_value());
  CHECK_FALSE(read_body(1,
                        "\x81\x10\0\0\0\0\0\0\0\x01"
                        "a"_bytes)
                  .has_value());
  CHECK_FALSE(lzf_unpack("\xe0\xff\x00"_bytes, 1u << 30).has_value());
}

// What the format says, byte by byte.
std::string plainly_unpacked(std::string_view packed) {
  std::string out;
  for (size_t at = 0; at < packed.size();) {
    const auto control = static_cast<uint8_t>(packed[at++]);
    if (control < 32) {
      out.append(packed, at, control + 1u);
      at += control + 1u;
      continue;
    }
    size_t length = 2 + (control >> 5);
    length += length == 9 ? static_cast<uint8_t>(packed[at++]) : 0;
    const size_t back = ((control & 0x1f) << 8 | static_cast<uint8_t>(packed[at++])) + 1u;
    for (; length > 0; --length) {
      out.push_back(out[out.size() - back]);
    }
  }
  return out;
}

void append_reference(std::string& packed, size_t back, size_t length) {
  const size_t code = std::min<size_t>(length - 2, 7);
  packed.push_back(static_cast<char>(code << 5 | (back - 1) >> 8));
  if (code == 7) {
    packed.push_back(static_cast<char>(length - 9));
  }
  packed.push_back(static_cast<char>(back - 1));
}

TEST_CASE("a reference repeats what it has just written, whatever its distance and length") {
  std::string letters;
  for (int i = 0; i < 320; ++i) {
    letters.push_back(static_cast<char>(i * 7));
  }
  std::string begin;
  for (size_t at = 0; at < letters.size(); at += 32) {
    begin += '\x1f' + letters.substr(at, 32);
  }
  for (size_t back = 1; back <= letters.size(); ++back) {
    for (const size_t length : {3u, 4u, 8u, 9u, 10u, 31u, 63u, 64u, 65u, 127u, 263u, 264u}) {
      std::string packed = begin;
      append_reference(packed, back, length);
      append_reference(packed, back + length, 17);
      const std::string wanted = plainly_unpacked(packed);
      REQUIRE(wanted.size() == letters.size() + length + 17);
      REQUIRE(lzf_unpack(packed, wanted.size()) == wanted);
      REQUIRE_FALSE(lzf_unpack(packed, wanted.size() - 1).has_value());
      REQUIRE_FALSE(lzf_unpack(packed, wanted.size() + 1).has_value());
    }
  }
}

TEST_CASE("random damage is found or gives a value, and nothing else happens") {
  Prng prng(11);
  size_t read = 0;
  for (int round = 0; round < 20'000; ++round) {
    const RecordedPayload& chosen = kRecordedPayloads[prng.below(kRecordedPayloads.size())];
    std::string bytes = from_hex(chosen.hex);
    const Payload payload = *open_payload(bytes);
    std::string body(payload.body);
    for (uint64_t changes = 1 + prng.below(4); changes > 0 && !body.empty(); --changes) {
      body[prng.below(body.size())] = static_cast<char>(prng.next());
    }
    if (prng.below(4) == 0) {
      body.resize(prng.below(body.size() + 1));
    }
    const auto type = prng.below(8) == 0 ? static_cast<uint8_t>(prng.below(32)) : payload.type;
    read += read_body(type, body).has_value() ? 1 : 0;
  }
  CHECK(read > 100);
}

}  // namespace kiwi::resp::dump
