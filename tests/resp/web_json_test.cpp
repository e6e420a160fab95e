// Replies as JSON, for the console's page.
#include <string>

#include <doctest/doctest.h>

#include "resp/web/json.hpp"

namespace kiwi::resp::web {
namespace {

TEST_SUITE("console") {
  TEST_CASE("a reply as JSON, whatever it holds") {
    CHECK(json_of_reply("+OK\r\n") == "\"OK\"");
    CHECK(json_of_reply("-ERR <b>\r\n") == "{\"error\":\"ERR \\u003cb>\"}");
    CHECK(json_of_reply(":-7\r\n") == "-7");
    CHECK(json_of_reply(":9007199254740993\r\n") == "{\"integer\":\"9007199254740993\"}");
    CHECK(json_of_reply("$-1\r\n") == "null");
    CHECK(json_of_reply("$4\r\na\r\nb\r\n") == "\"a\\r\\nb\"");
    CHECK(json_of_reply("$2\r\n\xff\x01\r\n") == "{\"hex\":\"ff01\"}");
    CHECK(json_of_reply("*2\r\n*0\r\n*-1\r\n") == "[[],null]");
    for (const char* bad : {"", "+OK", "$5\r\nab\r\n", "*2\r\n:1\r\n", "%1\r\n", ":x\r\n", "$x\r\n",
                            "+OK\r\n+OK\r\n"}) {
      CHECK_MESSAGE(!json_of_reply(bad), bad);
    }
    std::string deep;
    for (int i = 0; i < 100; ++i) {
      deep += "*1\r\n";
    }
    CHECK_FALSE(json_of_reply(deep + ":1\r\n"));
  }
}

}  // namespace
}  // namespace kiwi::resp::web
