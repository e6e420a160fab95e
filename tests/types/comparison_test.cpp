// Who differs, by what the members say (resp/types/comparison.hpp).
#include "resp/types/comparison.hpp"

#include <array>

#include <doctest/doctest.h>

namespace kiwi::resp {

namespace {

using Verdict = Comparison::Verdict;
constexpr std::array<NodeId, 3> kThree{NodeId{1}, NodeId{2}, NodeId{3}};

Comparison asked(uint64_t own) {
  Comparison comparison;
  comparison.begin_entry(LogIndex{7}, true);
  comparison.ask(own);
  return comparison;
}

}  // namespace

TEST_SUITE_BEGIN("types");

TEST_CASE("comparison: a majority decides, as soon as it has answered") {
  Comparison comparison = asked(100);
  CHECK(comparison.take_claim() == Comparison::Claim{LogIndex{7}, 100});
  CHECK_FALSE(comparison.take_claim());
  comparison.answer(NodeId{1}, {LogIndex{7}, 100});
  CHECK(comparison.judge(kThree) == Verdict::kOpen);
  comparison.answer(NodeId{2}, {LogIndex{7}, 100});
  CHECK(comparison.judge(kThree) == Verdict::kOpen);
  comparison.answer(NodeId{3}, {LogIndex{7}, 101});
  CHECK(comparison.judge(kThree) == Verdict::kOthersDiffer);
  CHECK(comparison.judge(kThree) == Verdict::kOpen);  // said once
  CHECK_FALSE(comparison.this_differs());
}

TEST_CASE("comparison: the node whose state is another's learns it from the others' answers") {
  Comparison comparison = asked(101);
  comparison.answer(NodeId{2}, {LogIndex{7}, 100});
  comparison.answer(NodeId{3}, {LogIndex{7}, 101});
  CHECK(comparison.judge(kThree) == Verdict::kOpen);
  comparison.answer(NodeId{3}, {LogIndex{7}, 100});  // the first one counts
  CHECK(comparison.judge(kThree) == Verdict::kOpen);
  comparison.answer(NodeId{1}, {LogIndex{7}, 100});
  CHECK(comparison.judge(kThree) == Verdict::kThisDiffers);
  CHECK(comparison.this_differs());
  CHECK(comparison.majority() == 100);
}

TEST_CASE("comparison: without a majority nobody is to blame") {
  Comparison comparison = asked(1);
  for (uint64_t node = 1; node <= 3; ++node) {
    comparison.answer(NodeId{node}, {LogIndex{7}, node});
  }
  CHECK(comparison.judge(kThree) == Verdict::kNoMajority);
  CHECK_FALSE(comparison.this_differs());
}

TEST_CASE("comparison: answers to another question, of nobody, or to none count for nothing") {
  Comparison nobody_asked;
  nobody_asked.answer(NodeId{1}, {LogIndex{7}, 1});
  CHECK(nobody_asked.judge(kThree) == Verdict::kOpen);
  Comparison comparison = asked(1);
  for (uint64_t node = 1; node <= 3; ++node) {
    comparison.answer(NodeId{node}, {LogIndex{6}, 2});
    comparison.answer(NodeId{node + 10}, {LogIndex{7}, 2});  // no voters
  }
  CHECK(comparison.judge(kThree) == Verdict::kOpen);
  CHECK(comparison.judge({}) == Verdict::kOpen);
  comparison.begin_entry(LogIndex{9}, false);  // repeated after a start
  comparison.ask(5);
  comparison.answer(NodeId{1}, {LogIndex{7}, 2});
  CHECK(comparison.take_claim() == Comparison::Claim{LogIndex{7}, 1});  // of the live one
  CHECK_FALSE(comparison.take_claim());
}

TEST_SUITE_END();

}  // namespace kiwi::resp
