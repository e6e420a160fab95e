#include "config/base/byte_budget.hpp"

#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace kiwi {

TEST_CASE("what is handed over and not taken is bounded, and ends with the last copy of it") {
  ByteBudget budget(100);
  std::vector<ByteBudget::Claim> mailbox;
  mailbox.push_back(budget.claim(60));
  mailbox.push_back(budget.claim(40));
  REQUIRE(mailbox[1] != nullptr);
  CHECK(budget.held() == 100);
  CHECK(budget.claim(1) == nullptr);
  ByteBudget::Claim taken = mailbox[0];
  mailbox.erase(mailbox.begin());
  CHECK(budget.claim(1) == nullptr);  // whoever takes it still has it
  taken = nullptr;
  CHECK(budget.held() == 40);
  CHECK(budget.claim(61) == nullptr);
  CHECK(budget.claim(60) != nullptr);
  CHECK(budget.held() == 40);
}

TEST_CASE("one that is larger than the budget fits alone, and a claim outlives its budget") {
  ByteBudget::Claim huge;
  {
    ByteBudget budget(100);
    huge = budget.claim(1000);
    CHECK(huge != nullptr);
    CHECK(budget.claim(1) == nullptr);
    ByteBudget moved = std::move(budget);
    CHECK(moved.held() == 1000);
  }
  huge = nullptr;
}

}  // namespace kiwi
