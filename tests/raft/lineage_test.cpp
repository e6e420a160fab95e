// Whose life a directory speaks from (F52).
#include "raft/lineage.hpp"

#include <doctest/doctest.h>

namespace kiwi::raft {

namespace {

using Judgement = Lineage::Judgement;

std::vector<Mark> drawn(std::initializer_list<uint64_t> nonces) {
  std::vector<Mark> marks;
  for (const uint64_t nonce : nonces) {
    add_mark(marks, nonce);
  }
  return marks;
}

Lineage known(const std::vector<Mark>& marks) {
  Lineage lineage;
  lineage.learn(marks);
  return lineage;
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE(
    "a directory goes on from every mark that it drew, and an old copy of it does not [F52]") {
  const std::vector<Mark> now = drawn({7, 8, 9});
  CHECK(known({}).judge(now) == Judgement::kGoesOn);  // nobody knows anything
  CHECK(known({{1, 7}}).judge(now) == Judgement::kGoesOn);
  CHECK(known({{1, 7}, {3, 9}}).judge(now) == Judgement::kGoesOn);
  const Lineage of_now = known({{3, 9}});
  CHECK(of_now.judge(drawn({7, 8})) == Judgement::kBehind);       // the copy, as it was made
  CHECK(of_now.judge(drawn({7, 8, 10})) == Judgement::kDiffers);  // started again
  CHECK(of_now.judge(drawn({7, 8, 10, 11, 12})) == Judgement::kDiffers);  // and again
  CHECK(of_now.judge({}) == Judgement::kBehind);
}

TEST_CASE("what is known of a directory is never forgotten for a mark that differs from it [F52]") {
  Lineage lineage = known({{5, 55}, {6, 66}});
  CHECK_FALSE(lineage.learn({{6, 66}}));
  CHECK(lineage.learn({{4, 44}}));
  CHECK(lineage.learn({{9, 99}}));  // of one who was told no more
  CHECK(lineage.marks() == std::vector<Mark>{{4, 44}, {5, 55}, {6, 66}, {9, 99}});
  // It goes on from the later mark, but not from the earlier one.
  CHECK(lineage.judge({{5, 55}, {6, 77}, {7, 1}, {8, 1}, {9, 99}}) == Judgement::kDiffers);
  CHECK(lineage.learn({{5, 55}, {6, 77}, {7, 1}}));
  CHECK(lineage.forked());
  CHECK(lineage.marks() == std::vector<Mark>{{6, 66}, {6, 77}});
  // Neither copy has what the other one promised, and it stays so.
  CHECK(lineage.judge({{5, 55}, {6, 66}}) == Judgement::kDiffers);
  CHECK(lineage.judge({{5, 55}, {6, 77}}) == Judgement::kDiffers);
  CHECK_FALSE(lineage.learn({{70, 1}}));
  CHECK(lineage.judge({{70, 1}}) == Judgement::kDiffers);
  // Who is told of it knows the same, whatever it knew before.
  for (Lineage other : {known({}), known({{6, 66}}), known({{6, 77}}), known({{70, 1}})}) {
    CHECK(other.learn(lineage.marks()));
    CHECK(other == lineage);
  }
}

TEST_CASE("so many marks are kept, and what is older than all of them is not judged [F52]") {
  std::vector<Mark> marks;
  for (uint64_t i = 1; i <= 2 * kMarksMax; ++i) {
    add_mark(marks, 100 + i);
  }
  CHECK(marks.size() == kMarksMax);
  CHECK(marks.back() == Mark{2 * kMarksMax, 100 + 2 * kMarksMax});
  CHECK(known({{kMarksMax, 1}}).judge(marks) == Judgement::kGoesOn);
  CHECK(known({{kMarksMax + 1, 1}}).judge(marks) == Judgement::kDiffers);
  Lineage lineage = known(marks);
  CHECK_FALSE(lineage.learn({{kMarksMax, 1}}));  // too old to be kept
  CHECK(lineage.learn({{2 * kMarksMax + 1, 1}}));
  CHECK(lineage.marks().size() == kMarksMax);
}

TEST_CASE("marks are read back as they were, and garbage is refused [F52]") {
  const std::vector<Mark> marks = drawn({7, 8, 9});
  CHECK(*decode_marks(encode_marks(marks)) == marks);
  CHECK(decode_marks("")->empty());
  const std::string bytes = encode_marks(marks);
  CHECK_FALSE(decode_marks(bytes.substr(0, 8)));
  CHECK_FALSE(decode_marks(bytes + "x"));
  CHECK_FALSE(decode_marks(std::string(32, '\0')));  // there is no mark 0
  CHECK_FALSE(decode_marks(std::string(32, '\xff')));
  CHECK_FALSE(decode_marks(std::string(8 * (kMarksMax + 2), '\1')));
  const std::vector<Mark> forked = {{6, 66}, {6, 77}};
  CHECK(*decode_lineage(encode_lineage(forked)) == forked);
  CHECK(decode_lineage("")->empty());
  CHECK_FALSE(decode_lineage(encode_lineage(forked) + "x"));
  CHECK_FALSE(decode_lineage(encode_lineage({{6, 66}, {5, 55}})));
  CHECK_FALSE(decode_lineage(std::string(16, '\0')));
  CHECK_FALSE(decode_lineage(std::string(16 * (kMarksMax + 1), '\1')));
}

TEST_SUITE_END();

}  // namespace kiwi::raft
