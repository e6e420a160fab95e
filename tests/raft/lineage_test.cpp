// Whose life a directory speaks from (F52).
#include "raft/lineage.hpp"

#include <doctest/doctest.h>

namespace kiwi::raft {

namespace {

std::vector<Mark> drawn(std::initializer_list<uint64_t> nonces) {
  std::vector<Mark> marks;
  for (const uint64_t nonce : nonces) {
    add_mark(marks, nonce);
  }
  return marks;
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE(
    "a directory goes on from every mark that it drew, and an old copy of it does not [F52]") {
  const std::vector<Mark> now = drawn({7, 8, 9});
  CHECK(goes_on_from(now, Mark{}));  // nobody knows anything
  CHECK(goes_on_from(now, {1, 7}));
  CHECK(goes_on_from(now, {3, 9}));
  CHECK_FALSE(goes_on_from(drawn({7, 8}), {3, 9}));              // the copy, as it was made
  CHECK_FALSE(goes_on_from(drawn({7, 8, 10}), {3, 9}));          // started again
  CHECK_FALSE(goes_on_from(drawn({7, 8, 10, 11, 12}), {3, 9}));  // and again: it stays a copy
  CHECK_FALSE(goes_on_from({}, {3, 9}));
}

TEST_CASE("so many marks are kept, and what is older than all of them is not judged [F52]") {
  std::vector<Mark> marks;
  for (uint64_t i = 1; i <= 2 * kMarksMax; ++i) {
    add_mark(marks, 100 + i);
  }
  CHECK(marks.size() == kMarksMax);
  CHECK(marks.back() == Mark{2 * kMarksMax, 100 + 2 * kMarksMax});
  CHECK(goes_on_from(marks, {kMarksMax, 1}));
  CHECK_FALSE(goes_on_from(marks, {kMarksMax + 1, 1}));
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
}

TEST_SUITE_END();

}  // namespace kiwi::raft
