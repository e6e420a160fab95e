// Bytes as UTF-8, and as strings of JSON.
#include "config/base/json_text.hpp"

#include <doctest/doctest.h>

#include "config/base/utf8.hpp"

namespace kiwi {
namespace {

TEST_SUITE("base") {
  TEST_CASE("only well-formed characters are told") {
    CHECK(utf8_character("") == 0);
    CHECK(utf8_character("a") == 1);
    CHECK(utf8_character("\xc2\x80") == 2);
    CHECK(utf8_character("\xe0\xa0\x80") == 3);
    CHECK(utf8_character("\xf0\x90\x80\x80") == 4);
    CHECK(utf8_character("\xf4\x8f\xbf\xbf") == 4);
    for (const char* bad :
         {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3("}) {
      CHECK_MESSAGE(utf8_character(bad) == 0, bad);
    }
    CHECK(valid_utf8("a\xc3(b") == "a\xef\xbf\xbd(b");
  }

  TEST_CASE("a string of JSON holds any bytes on one line") {
    const auto quoted = [](std::string_view bytes) {
      std::string out;
      append_json_string(out, bytes);
      return out;
    };
    CHECK(quoted("") == "\"\"");
    CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
    CHECK(quoted("\n\t\r") == "\"\\n\\t\\r\"");
    CHECK(quoted(std::string("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
    CHECK(quoted("\xc3\xa9") == "\"\xc3\xa9\"");
    CHECK(quoted("\xff") == "\"\xef\xbf\xbd\"");
    // Neither ends a script that the text may stand in.
    CHECK(quoted("</script>") == "\"\\u003c/script>\"");
    CHECK(quoted("\xe2\x80\xa8") == "\"\\u2028\"");
  }
}

}  // namespace
}  // namespace kiwi
