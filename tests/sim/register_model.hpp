// What one register may answer: a value or none, and whether it has a deadline. Time is not in
// here: whoever searches for an order lets a value with a deadline end wherever that explains an
// answer.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "tests/sim/history.hpp"

namespace kiwi::sim {

struct RegisterState {
  std::string value;  // "" = missing
  bool deadline = false;
  auto operator<=>(const RegisterState&) const = default;
};

// The state after the operation, if from this one its answer could have been given. One whose fate
// is not known fits everywhere.
std::optional<RegisterState> after(const Op& op, const RegisterState& state);

// "GET -> 5", for reports.
std::string describe(const Op& op);

}  // namespace kiwi::sim
