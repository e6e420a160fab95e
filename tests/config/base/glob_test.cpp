#include "config/base/glob.hpp"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

namespace kiwi {
namespace {

TEST_SUITE("base") {
  TEST_CASE("globs as Redis documents them for KEYS") {
    CHECK(glob_match("h?llo", "hello"));
    CHECK(!glob_match("h?llo", "hllo"));
    CHECK(glob_match("h*llo", "hllo"));
    CHECK(glob_match("h*llo", "heeeello"));
    CHECK(glob_match("h[ae]llo", "hallo"));
    CHECK(!glob_match("h[ae]llo", "hillo"));
    CHECK(glob_match("h[^e]llo", "hallo"));
    CHECK(!glob_match("h[^e]llo", "hello"));
    CHECK(glob_match("h[a-b]llo", "hbllo"));
    CHECK(!glob_match("h[a-b]llo", "hcllo"));
    CHECK(glob_match("h[b-a]llo", "hallo"));
    CHECK(glob_match("\\*", "*"));
    CHECK(!glob_match("\\*", "a"));
  }

  TEST_CASE("empty patterns and texts") {
    CHECK(glob_match("", ""));
    CHECK(!glob_match("", "a"));
    CHECK(glob_match("*", ""));
    CHECK(!glob_match("**", ""));  // as redis-server 7.0.15 has it
    CHECK(!glob_match("?", ""));
    CHECK(!glob_match("a*", ""));
  }

  TEST_CASE("a set may hold ], ranges, escapes, or never close") {
    CHECK(glob_match("[\\]]", "]"));
    CHECK(glob_match("[a-cx-z]", "y"));
    CHECK(!glob_match("[a-cx-z]", "m"));
    CHECK(glob_match("[abc", "c"));
    CHECK(!glob_match("[abc", "d"));
    CHECK(!glob_match("[]a", "]a"));  // an empty set matches nothing
    CHECK(glob_match("a\\", "a\\"));  // a backslash at the end is itself
  }

  TEST_CASE("stars give back what they took") {
    CHECK(glob_match("*ab", "aab"));
    CHECK(glob_match("a*b*c", "axbxbxc"));
    CHECK(!glob_match("a*b*c", "axbxbx"));
    CHECK(glob_match("*[0-9]?", "abc12"));
    CHECK(glob_match("a**b", "ab"));
  }

  TEST_CASE("bytes of any value, zero included; case only when asked to ignore it") {
    CHECK(glob_match("a?b", std::string("a\0b", 3)));
    CHECK(glob_match("[\x80-\xff]", "\xc3"));
    CHECK(!glob_match("ABC", "abc"));
    CHECK(glob_match("ABC", "abc", true));
    CHECK(glob_match("[A-C]", "b", true));
  }

  TEST_CASE("a hostile pattern costs no exponential time") {
    std::string pattern;
    for (int i = 0; i < 50; ++i) {
      pattern += "a*";
    }
    auto start = std::chrono::steady_clock::now();
    CHECK(!glob_match(pattern + "b", std::string(5000, 'a')));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  }

  TEST_CASE("two long ones are not compared to the end, and who asks hears how much it was") {
    uint64_t work = 1;
    CHECK(glob_match("*", "", false, &work));
    CHECK(work == 0);
    CHECK(glob_match("a*[b-d]", "axxc", false, &work));
    CHECK(work > 4);
    CHECK(work < 50);
    const std::string set = "*[" + std::string(1 << 20, 'b');
    const auto start = std::chrono::steady_clock::now();
    CHECK(!glob_match(set, std::string(1 << 20, 'a'), false, &work));
    CHECK(work > kGlobWork);
    CHECK(work < 2 * kGlobWork);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  }

  TEST_CASE("a star at the end takes a name of any length: SCAN would leave out long ones") {
    const std::string name = "key:" + std::string(kGlobWork + 1, 'a');
    uint64_t work = 0;
    CHECK(glob_match("*", name, false, &work));
    CHECK(work == 1);
    CHECK(glob_match("**", name));
    CHECK(glob_match("k?y:*", name));
    CHECK(glob_match("*:*", name));
    CHECK(glob_match(name, name));
    CHECK(!glob_match("x*", name));
    CHECK(glob_match("*", "a"));
    CHECK(glob_match("a*", "a"));
    CHECK(!glob_match("ab*", "a"));
  }

  TEST_CASE("a pattern that is longer than what is compared is not walked for each short name") {
    uint64_t work = 1;
    CHECK(!glob_match("[" + std::string(kGlobWork, 'a'), "a", false, &work));
    CHECK(work == 0);
    CHECK(glob_match("[" + std::string(kGlobWork - 2, 'b') + "a", "a", false, &work));
    CHECK(glob_match(std::string(1 << 20, '*') + "a", "a", false, &work));
    CHECK(work > (1 << 20));  // stars count
  }
}

}  // namespace
}  // namespace kiwi
