#include "config/base/ids.hpp"

#include <type_traits>

#include <doctest/doctest.h>

namespace kiwi {
namespace {

static_assert(!std::is_convertible_v<uint64_t, Term> && !std::is_convertible_v<Term, LogIndex>,
              "a term is no index and a number is neither");

TEST_SUITE("base") {
  TEST_CASE("strong ids compare and count as their numbers") {
    CHECK(LogIndex{3} + 2 == LogIndex{5});
    CHECK(LogIndex{5} - LogIndex{3} == 2);
    CHECK(LogIndex{5} - 5 == LogIndex{});
    CHECK(Term{1} < Term{2});
    CHECK(!Term{});
    LogIndex index{7};
    CHECK(++index == LogIndex{8});
  }

  TEST_CASE("a random id is 32 hex digits, no more, no less, nothing else") {
    auto id = ClusterId::from_hex("00112233445566778899aAbBcCdDeEfF");
    REQUIRE(id);
    CHECK(id->hex() == "00112233445566778899aabbccddeeff");
    CHECK(id->is_set());
    CHECK(!ClusterId{}.is_set());
    CHECK(!ClusterId::from_hex("00112233445566778899aabbccddeef"));
    CHECK(!ClusterId::from_hex("00112233445566778899aabbccddeeff0"));
    CHECK(!ClusterId::from_hex("00112233445566778899aabbccddeefg"));
    CHECK(!ClusterId::from_hex(""));
  }
}

}  // namespace
}  // namespace kiwi
