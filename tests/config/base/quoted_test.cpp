#include "config/base/quoted.hpp"

#include <doctest/doctest.h>

TEST_SUITE("base") {
  // As redis-server 7.0.15 shows them in MONITOR.
  TEST_CASE("bytes in quotes are printable, in Redis' form") {
    using kiwi::quoted;
    CHECK(quoted("") == "\"\"");
    CHECK(quoted("a b'c") == "\"a b'c\"");
    CHECK(quoted("x\r\n\x01\\ \"'\x7f\xff\a\b\t") ==
          "\"x\\r\\n\\x01\\\\ \\\"'\\x7f\\xff\\a\\b\\t\"");
    CHECK(quoted(std::string_view("a\0b", 3)) == "\"a\\x00b\"");
  }

  TEST_CASE("the length of bytes in quotes is known before they are written") {
    std::string all;
    for (int c = 0; c < 256; ++c) {
      all.push_back(static_cast<char>(c));
      CHECK(kiwi::quoted_size(all) == kiwi::quoted(all).size());
    }
    std::string out = "x ";
    kiwi::append_quoted(out, all);
    CHECK(out == "x " + kiwi::quoted(all));
  }
}
