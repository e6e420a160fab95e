// The checkers on histories that are known to be good or bad: a checker that finds nothing proves
// nothing.
#include <doctest/doctest.h>

#include "tests/sim/history.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

namespace {

Op op(OpKind kind,
      const char* key,
      const char* value,
      int64_t from,
      int64_t to,
      Fate fate = Fate::kOk) {
  Op out;
  out.kind = kind;
  out.key = key;
  out.value = value;
  out.invoked_us = from;
  out.returned_us = fate == Fate::kOk ? to : kNever;
  out.fate = fate;
  return out;
}

Op counted(const char* key, int64_t number, int64_t from, int64_t to, Fate fate = Fate::kOk) {
  Op out = op(OpKind::kIncrement, key, "", from, to, fate);
  out.number = number;
  return out;
}

Op pushed(const char* value, int64_t number, int64_t from, int64_t to, Fate fate = Fate::kOk) {
  Op out = op(OpKind::kPush, "l", value, from, to, fate);
  out.number = number;
  return out;
}

Op ranged(std::vector<std::string> list, int64_t from, int64_t to) {
  Op out = op(OpKind::kRange, "l", "", from, to);
  out.list = std::move(list);
  return out;
}

Op answered(Op out, int64_t number) {
  out.number = number;
  return out;
}

constexpr OpKind kSet = OpKind::kSet;
constexpr OpKind kGet = OpKind::kGet;

}  // namespace

TEST_SUITE_BEGIN("sim: checkers");

TEST_CASE("registers: orders that exist are found") {
  CHECK_NOTHROW(check_linearizable(
      {{op(kGet, "r", "", 0, 1), op(kSet, "r", "a", 2, 3), op(kGet, "r", "a", 4, 5)}}));
  // Concurrent: either order.
  CHECK_NOTHROW(check_linearizable(
      {{op(kSet, "r", "a", 0, 10), op(kSet, "r", "b", 0, 10), op(kGet, "r", "a", 11, 12)}}));
  // Unknown: may happen late, or never.
  CHECK_NOTHROW(check_linearizable({{op(kSet, "r", "a", 0, 1, Fate::kUnknown),
                                     op(kGet, "r", "", 5, 6), op(kGet, "r", "a", 7, 8)}}));
  CHECK_NOTHROW(
      check_linearizable({{op(kSet, "r", "a", 0, 1, Fate::kUnknown), op(kGet, "r", "", 5, 6)}}));
}

TEST_CASE("registers: a stale read is found") {
  CHECK_THROWS_AS(check_linearizable({{op(kSet, "r", "a", 0, 1), op(kSet, "r", "b", 2, 3),
                                       op(kGet, "r", "a", 4, 5)}}),
                  Violation);
}

TEST_CASE("registers: a value that goes back is found") {
  CHECK_THROWS_AS(check_linearizable({{op(kSet, "r", "a", 0, 10), op(kGet, "r", "a", 1, 2),
                                       op(kGet, "r", "", 3, 4)}}),
                  Violation);
}

TEST_CASE("registers: a refused write that is seen is found") {
  CHECK_THROWS_AS(
      check_linearizable({{op(kSet, "r", "a", 0, 1, Fate::kFailed), op(kGet, "r", "a", 2, 3)}}),
      Violation);
}

TEST_CASE("registers: a swap from a value that was gone is found") {
  Op swap = op(OpKind::kSwap, "r", "c", 4, 5);
  swap.expected = "a";
  CHECK_THROWS_AS(check_linearizable({{op(kSet, "r", "a", 0, 1), op(kSet, "r", "b", 2, 3), swap}}),
                  Violation);
  swap.expected = "b";
  CHECK_NOTHROW(check_linearizable({{op(kSet, "r", "a", 0, 1), op(kSet, "r", "b", 2, 3), swap}}));
}

TEST_CASE("registers: a read that overtakes a write of its own pipeline is found [F6]") {
  History history{{op(kSet, "r", "a", 0, 10), op(kGet, "r", "", 0, 10)}};
  CHECK_NOTHROW(check_linearizable(history));
  history.ops[1].before = 0;
  CHECK_THROWS_AS(check_linearizable(history), Violation);
  History reversed{{op(kGet, "r", "a", 0, 10), op(kSet, "r", "a", 0, 10)}};
  CHECK_NOTHROW(check_linearizable(reversed));
  reversed.ops[1].before = 0;
  CHECK_THROWS_AS(check_linearizable(reversed), Violation);
}

TEST_CASE("counters: lost, doubled and disordered increments are found") {
  History history{{counted("c", 1, 0, 1), counted("c", 2, 2, 3)}};
  CHECK_NOTHROW(check_exactly_once(history, {{"c", {"2"}}}));
  CHECK_THROWS_AS(check_exactly_once(history, {{"c", {"1"}}}), Violation);
  CHECK_THROWS_AS(check_exactly_once(history, {{"c", {"3"}}}), Violation);
  history.ops.push_back(counted("c", 0, 0, 0, Fate::kUnknown));
  CHECK_NOTHROW(check_exactly_once(history, {{"c", {"3"}}}));
  CHECK_THROWS_AS(
      check_exactly_once({{counted("c", 2, 0, 1), counted("c", 1, 2, 3)}}, {{"c", {"2"}}}),
      Violation);
  CHECK_THROWS_AS(
      check_exactly_once({{counted("c", 1, 0, 1), counted("c", 1, 0, 3)}}, {{"c", {"2"}}}),
      Violation);
}

TEST_CASE("lists: lost, doubled, refused and foreign elements are found") {
  History history{{pushed("a", 1, 0, 1), pushed("b", 2, 2, 3)}};
  CHECK_NOTHROW(check_exactly_once(history, {{"l", {"a", "b"}}}));
  CHECK_THROWS_AS(check_exactly_once(history, {{"l", {"a"}}}), Violation);
  CHECK_THROWS_AS(check_exactly_once(history, {{"l", {"b", "a"}}}), Violation);
  CHECK_THROWS_AS(check_exactly_once(history, {{"l", {"a", "b", "b"}}}), Violation);
  CHECK_THROWS_AS(check_exactly_once(history, {{"l", {"a", "b", "x"}}}), Violation);
  history.ops.push_back(pushed("c", 0, 0, 0, Fate::kFailed));
  CHECK_THROWS_AS(check_exactly_once(history, {{"l", {"a", "b", "c"}}}), Violation);
  history.ops.back().fate = Fate::kUnknown;
  CHECK_NOTHROW(check_exactly_once(history, {{"l", {"a", "b", "c"}}}));
}

TEST_CASE("lists: stale reads and reads of the future are found") {
  FinalState final_state{{"l", {"a", "b"}}};
  Op a = pushed("a", 1, 0, 1);
  Op b = pushed("b", 2, 10, 11);
  CHECK_NOTHROW(check_exactly_once({{a, b, ranged({"a"}, 2, 3)}}, final_state));
  CHECK_THROWS_AS(check_exactly_once({{a, b, ranged({}, 2, 3)}}, final_state), Violation);
  CHECK_THROWS_AS(check_exactly_once({{a, b, ranged({"a", "b"}, 2, 3)}}, final_state), Violation);
  CHECK_THROWS_AS(check_exactly_once({{a, b, ranged({"b"}, 12, 13)}}, final_state), Violation);
  Op late = pushed("b", 2, 0, 11);
  CHECK_THROWS_AS(
      check_exactly_once({{a, late, ranged({"a", "b"}, 2, 3), ranged({"a"}, 4, 5)}}, final_state),
      Violation);
}

TEST_CASE("expiry: a key that comes back, and one that goes although it was kept, are found") {
  Op set = op(OpKind::kSetExpiring, "t", "1", 0, 1);
  Op gone = op(OpKind::kGetExpiring, "t", "", 2, 3);
  Op there = op(OpKind::kGetExpiring, "t", "1", 4, 5);
  CHECK_NOTHROW(check_expiry({{set, gone}}));
  CHECK_THROWS_AS(check_expiry({{set, gone, there}}), Violation);
  Op kept = op(OpKind::kSetForGood, "t", "2", 2, 3);
  CHECK_THROWS_AS(check_expiry({{set, kept, op(OpKind::kGetExpiring, "t", "", 4, 5)}}), Violation);
  CHECK_NOTHROW(check_expiry({{set, gone, kept, op(OpKind::kGetExpiring, "t", "2", 4, 5)}}));
  Op early = gone;
  Op lasting = set;
  lasting.clock_ms = 9000;
  early.clock_ms = 7000;
  CHECK_THROWS_AS(check_expiry({{lasting, early}}), Violation);
  early.clock_ms = 8000;
  CHECK_NOTHROW(check_expiry({{lasting, early}}));
}

TEST_CASE("deadlines: a value may be gone at any moment, and then it stays gone [F9] [F43]") {
  const Op lent = op(OpKind::kLend, "d", "a", 0, 1);
  const Op gone = op(OpKind::kLook, "d", "", 2, 3);
  CHECK_NOTHROW(check_linearizable({{lent, gone}}));
  CHECK_NOTHROW(check_linearizable({{lent, op(OpKind::kLook, "d", "a", 2, 3), gone}}));
  CHECK_THROWS_AS(check_linearizable({{lent, gone, op(OpKind::kLook, "d", "a", 4, 5)}}), Violation);
  const Op missing = answered(op(OpKind::kLookExists, "d", "", 4, 5), 0);
  CHECK_NOTHROW(check_linearizable({{lent, gone, missing}}));
  CHECK_THROWS_AS(check_linearizable({{lent, gone, answered(missing, 1)}}), Violation);
  // For good: it cannot end.
  const Op kept = op(OpKind::kKeep, "d", "b", 2, 3);
  CHECK_THROWS_AS(check_linearizable({{lent, kept, op(OpKind::kLook, "d", "", 4, 5)}}), Violation);
}

TEST_CASE("deadlines: what succeeds on a value that somebody was told is gone is found [F43]") {
  const Op lent = op(OpKind::kLend, "d", "a", 0, 1);
  const Op gone = op(OpKind::kLook, "d", "", 3, 4);
  for (OpKind kind : {OpKind::kPersist, OpKind::kProlong, OpKind::kReplace, OpKind::kReplaceFor}) {
    CAPTURE(static_cast<int>(kind));
    // Asked before the reader, answered after it.
    CHECK_NOTHROW(check_linearizable({{lent, answered(op(kind, "d", "b", 2, 9), 0), gone}}));
    CHECK_NOTHROW(check_linearizable({{lent, answered(op(kind, "d", "b", 2, 9), 1)}}));
    const History both{{lent, answered(op(kind, "d", "b", 2, 9), 1), gone,
                        op(OpKind::kLook, "d", kind == OpKind::kReplace ? "b" : "a", 10, 11)}};
    if (kind == OpKind::kPersist || kind == OpKind::kReplace) {
      CHECK_THROWS_AS(check_linearizable(both), Violation);
    }
    CHECK_THROWS_AS(check_linearizable({{lent, gone, answered(op(kind, "d", "b", 5, 9), 1)}}),
                    Violation);
  }
  for (OpKind kind : {OpKind::kExchange, OpKind::kTouch, OpKind::kTouchKeep}) {
    Op told = op(kind, "d", "b", 5, 9);
    CHECK_NOTHROW(check_linearizable({{lent, gone, told}}));
    told.expected = "a";
    CHECK_NOTHROW(check_linearizable({{lent, told}}));
    CHECK_THROWS_AS(check_linearizable({{lent, gone, told}}), Violation);
  }
}

TEST_CASE("deadlines: PTTL tells a deadline from none, and unknown fates fit everywhere") {
  const Op lent = op(OpKind::kLend, "d", "a", 0, 1);
  const Op unknown = op(OpKind::kPersist, "d", "", 2, 3, Fate::kUnknown);
  const Op look = op(OpKind::kLookTtl, "d", "", 4, 5);
  CHECK_NOTHROW(check_linearizable({{lent, answered(look, 7)}}));
  CHECK_NOTHROW(check_linearizable({{lent, answered(look, -2)}}));
  CHECK_THROWS_AS(check_linearizable({{lent, answered(look, -1)}}), Violation);
  CHECK_NOTHROW(check_linearizable({{lent, unknown, answered(look, -1)}}));
  CHECK_NOTHROW(check_linearizable({{lent, unknown, answered(look, 7)}}));
}

TEST_CASE("heaps: what a refused taker took, and what was given away twice, are found [F45]") {
  const Op store = op(OpKind::kStore, "h0.1", "7", 0, 1);
  std::vector<std::string> all;
  for (int n = 0; n < kStoredAtOnce; ++n) {
    all.push_back(stored_element(store, n));
  }
  Op take = op(OpKind::kTake, "h0.1", "", 2, 3);
  take.list = all;
  CHECK_NOTHROW(check_heaps({{store}}, {{"h0.1", all}}));
  CHECK_NOTHROW(check_heaps({{store, take}}, {}));
  CHECK_THROWS_AS(check_heaps({{store, take}}, {{"h0.1", all}}), Violation);
  CHECK_THROWS_AS(check_heaps({{store, take, take}}, {}), Violation);
  take.list.clear();
  take.fate = Fate::kFailed;
  CHECK_THROWS_AS(check_heaps({{store, take}}, {}), Violation);
  take.fate = Fate::kUnknown;
  CHECK_NOTHROW(check_heaps({{store, take}}, {}));
}

TEST_CASE("queues: lost and doubled elements, overtaking, and nil beside an element [F31]") {
  const auto push = [](const char* value, int64_t from, int64_t to) {
    return op(OpKind::kEnqueue, "q0.1", value, from, to);
  };
  const auto pop = [](const char* value, int64_t from, int64_t to) {
    return op(OpKind::kDequeue, "q0.1", value, from, to);
  };
  const FinalState none;
  CHECK_NOTHROW(check_queues({{push("a", 0, 1), pop("a", 0, 3)}}, none));
  CHECK_NOTHROW(check_queues({{push("a", 0, 1)}}, {{"q0.1", {"a"}}}));
  CHECK_THROWS_AS(check_queues({{push("a", 0, 1)}}, none), Violation);
  CHECK_THROWS_AS(check_queues({{push("a", 0, 1), pop("a", 2, 3)}}, {{"q0.1", {"a"}}}), Violation);
  CHECK_THROWS_AS(check_queues({{push("a", 0, 1), pop("a", 2, 3), pop("a", 2, 3)}}, none),
                  Violation);
  CHECK_THROWS_AS(check_queues({{pop("b", 2, 3)}}, none), Violation);
  Op lost = pop("", 2, 3);
  lost.fate = Fate::kUnknown;
  CHECK_NOTHROW(check_queues({{push("a", 0, 1), lost}}, none));
  CHECK_THROWS_AS(check_queues({{push("a", 0, 1), push("b", 0, 1), lost}}, none), Violation);
  CHECK_THROWS_AS(
      check_queues({{push("a", 0, 1), push("b", 2, 3), pop("b", 4, 5)}}, {{"q0.1", {"a"}}}),
      Violation);
  CHECK_NOTHROW(check_queues({{pop("", 0, 5), push("a", 1, 2), pop("a", 6, 7)}}, none));
  CHECK_THROWS_AS(check_queues({{push("a", 1, 2), pop("", 3, 5), pop("a", 6, 7)}}, none),
                  Violation);
  Op early = pop("", 0, 1'000);
  early.number = 100;
  CHECK_THROWS_AS(check_queues({{early}}, none), Violation);
}

TEST_CASE("tokens: what counted twice, elsewhere, or after it was refused") {
  const auto push = [](const char* value, Fate fate, int64_t number) {
    Op made = op(OpKind::kOncePush, "o0.1", value, 0, 1);
    made.fate = fate;
    made.number = number;
    return made;
  };
  CHECK_NOTHROW(check_once({{push("a", Fate::kOk, 1)}}, {{"o0.1", {"a"}}}));
  CHECK_NOTHROW(check_once({{push("a", Fate::kUnknown, 0)}}, {}));
  CHECK_NOTHROW(check_once({{push("a", Fate::kUnknown, 0)}}, {{"o0.1", {"a"}}}));
  CHECK_THROWS_AS(check_once({{push("a", Fate::kOk, 1)}}, {{"o0.1", {"a", "a"}}}), Violation);
  CHECK_THROWS_AS(check_once({{push("a", Fate::kOk, 1)}}, {}), Violation);
  CHECK_THROWS_AS(check_once({{push("a", Fate::kOk, 2)}}, {{"o0.1", {"a"}}}), Violation);
  CHECK_THROWS_AS(check_once({{push("a", Fate::kFailed, 0)}}, {{"o0.1", {"a"}}}), Violation);
  CHECK_THROWS_AS(check_once({{push("a", Fate::kOk, 1)}}, {{"o0.1", {"a", "b"}}}), Violation);
}

TEST_SUITE_END();

}  // namespace kiwi::sim
