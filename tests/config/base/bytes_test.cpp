#include "config/base/bytes.hpp"

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"

namespace kiwi {
namespace {

TEST_SUITE("base") {
  TEST_CASE("big-endian bytes sort as their numbers do") {
    std::string small;
    std::string large;
    put_be<uint64_t>(small, 255);
    put_be<uint64_t>(large, 256);
    CHECK(small < large);
    CHECK(small == std::string("\0\0\0\0\0\0\0\xff", 8));
    CHECK(get_be<uint64_t>(large) == 256);
  }

  TEST_CASE("what is written is read back, in order") {
    std::string out;
    put_u8(out, 0xfe);
    put_le<uint32_t>(out, 0x01020304);
    put_le<int64_t>(out, -5);
    put_sized(out, "key");
    put_sized(out, "");
    for (uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, UINT64_MAX}) {
      put_varint(out, v);
    }
    CHECK(out.substr(1, 4) == "\x04\x03\x02\x01");
    ByteReader in(out);
    CHECK(in.le<uint8_t>() == 0xfe);
    CHECK(in.le<uint32_t>() == 0x01020304);
    CHECK(in.le<int64_t>() == -5);
    CHECK(in.sized() == "key");
    CHECK(in.sized().empty());
    for (uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, UINT64_MAX}) {
      CHECK(in.varint() == v);
    }
    CHECK(in.done());
  }

  TEST_CASE("reading past the end is remembered and gives zeros") {
    ByteReader in("abc");
    CHECK(in.le<uint32_t>() == 0);
    CHECK(!in.ok());
    CHECK(in.le<uint8_t>() == 0);  // though three bytes are there
    CHECK(in.take(0).empty());
    CHECK(!in.done());
  }

  TEST_CASE("a length that lies, or a varint that never ends, is refused") {
    std::string out;
    put_varint(out, UINT64_MAX);
    out += "abc";
    ByteReader in(out);
    CHECK(in.sized().empty());
    CHECK(!in.ok());
    std::string endless(11, '\x80');
    ByteReader second(endless);
    CHECK(second.varint() == 0);
    CHECK(!second.ok());
    ByteReader cut(std::string_view(endless).substr(0, 3));
    CHECK(cut.varint() == 0);
    CHECK(!cut.ok());
  }

  TEST_CASE("shared bytes are compared by content and keep their owner alive") {
    SharedBytes slice;
    {
      auto owner = std::make_shared<const std::string>("0123456789");
      slice = SharedBytes(owner, std::string_view(*owner).substr(2, 3));
    }
    CHECK(slice.view() == "234");
    CHECK(slice == SharedBytes("234"));
    CHECK(SharedBytes().empty());
    const std::string there = "345";
    const SharedBytes copied = SharedBytes::copy_of(there);
    CHECK(copied.view() == there);
    CHECK(copied.view().data() != there.data());
    CHECK(SharedBytes::copy_of("").empty());
    SharedBytes short_string("a");  // its characters live inside the string object
    SharedBytes copy = short_string;
    CHECK(copy.view().data() == short_string.view().data());
  }

  // ON DISK and on the wire: these values must never change.
  TEST_CASE("the checksum is XXH3 with 64 bits") {
    CHECK(checksum64("") == 0x2d06800538d394c2ULL);
    CHECK(checksum64("kiwi") == checksum64("kiwi"));
    CHECK(checksum64("kiwi") != checksum64("kiwj"));
    CHECK(checksum64("kiwi", 1) != checksum64("kiwi"));
  }
}

}  // namespace
}  // namespace kiwi
