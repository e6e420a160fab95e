#include "tests/sim/register_model.hpp"

namespace kiwi::sim {

namespace {

std::optional<RegisterState> if_fits(bool fits, const RegisterState& state) {
  return fits ? std::optional(state) : std::nullopt;
}

// -2 missing, -1 no deadline, else what is left of it.
bool fits_ttl(int64_t answer, const RegisterState& state) {
  return state.value.empty() ? answer == -2 : state.deadline ? answer >= 0 : answer == -1;
}

}  // namespace

std::optional<RegisterState> after(const Op& op, const RegisterState& state) {
  const bool told = op.fate == Fate::kOk;
  const bool there = !state.value.empty();
  switch (op.kind) {
    case OpKind::kGet:
    case OpKind::kLook:
      return if_fits(op.value == state.value, state);
    case OpKind::kLookExists:
      return if_fits(op.number == (there ? 1 : 0), state);
    case OpKind::kLookTtl:
      return if_fits(fits_ttl(op.number, state), state);
    case OpKind::kSwap:
      return if_fits(op.expected == state.value, {op.value, false});
    case OpKind::kLend:
      return RegisterState{op.value, true};
    case OpKind::kPersist:
      return if_fits(!told || op.number == (there && state.deadline ? 1 : 0), {state.value, false});
    case OpKind::kProlong:
      return if_fits(!told || op.number == (there ? 1 : 0), {state.value, there});
    case OpKind::kReplace:
    case OpKind::kReplaceFor:
      return if_fits(
          !told || op.number == (there ? 1 : 0),
          there ? RegisterState{op.value, op.kind == OpKind::kReplaceFor} : RegisterState{});
    case OpKind::kExchange:
      return if_fits(!told || op.expected == state.value, {op.value, false});
    case OpKind::kTouch:
    case OpKind::kTouchKeep:
      return if_fits(!told || op.expected == state.value,
                     {state.value, there && op.kind == OpKind::kTouch});
    default:
      return RegisterState{op.value, false};
  }
}

std::string describe(const Op& op) {
  const std::string number = " -> " + std::to_string(op.number);
  switch (op.kind) {
    case OpKind::kGet:
    case OpKind::kLook:
      return "GET -> " + op.value;
    case OpKind::kLookExists:
      return "KEYS" + number;
    case OpKind::kLookTtl:
      return "PTTL" + number;
    case OpKind::kSwap:
      return "SWAP " + op.expected + " -> " + op.value;
    case OpKind::kLend:
      return "SET PX " + op.value;
    case OpKind::kPersist:
      return "PERSIST" + number;
    case OpKind::kProlong:
      return "PEXPIRE" + number;
    case OpKind::kReplace:
      return "SET XX " + op.value + number;
    case OpKind::kReplaceFor:
      return "SET XX PX " + op.value + number;
    case OpKind::kExchange:
      return "SET GET " + op.value + " -> " + op.expected;
    case OpKind::kTouch:
      return "GETEX PX -> " + op.expected;
    case OpKind::kTouchKeep:
      return "GETEX PERSIST -> " + op.expected;
    default:
      return "SET " + op.value;
  }
}

}  // namespace kiwi::sim
