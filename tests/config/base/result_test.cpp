#include "config/base/result.hpp"

#include <memory>

#include <doctest/doctest.h>

namespace kiwi {
namespace {

TEST_SUITE("base") {
  TEST_CASE("a result is a value or an error, never both") {
    Result<int> value = 3;
    Result<int> error = Error{Errc::kIo, "no disk"};
    REQUIRE(value);
    CHECK(*value == 3);
    CHECK(!error);
    CHECK(error.error().code == Errc::kIo);
    CHECK(error.error().text == "no disk");
  }

  TEST_CASE("a value that only moves can be taken out") {
    Result<std::unique_ptr<int>> result = std::make_unique<int>(4);
    std::unique_ptr<int> taken = std::move(result).value();
    CHECK(*taken == 4);
  }

  TEST_CASE("a result of nothing succeeds by default") {
    CHECK(Result<void>{});
    Result<void> failed = Error{Errc::kConflict, "another cluster's"};
    CHECK(!failed);
    CHECK(failed.error().code == Errc::kConflict);
  }
}

}  // namespace
}  // namespace kiwi
