#include "raft/log_window.hpp"

#include <doctest/doctest.h>

namespace kiwi::raft::testing {

namespace {

Entry entry(uint64_t index, uint64_t term, size_t bytes = 0) {
  Entry out;
  out.index = LogIndex{index};
  out.term = Term{term};
  out.kind = EntryKind::kBatch;
  out.payload = SharedBytes(std::string(bytes, 'x'));
  return out;
}

LogWindow window_of(std::initializer_list<uint64_t> terms, uint64_t base = 0) {
  LogWindow out{LogIndex{base}, base == 0 ? std::optional(Term{}) : std::nullopt};
  for (uint64_t term : terms) {
    out.append(entry(++base, term));
  }
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE("terms are known inside the window and at its base, not below") {
  LogWindow window = window_of({3, 3, 5}, 10);
  CHECK(window.last_index() == LogIndex{13});
  CHECK(window.last_term() == Term{5});
  CHECK(window.term_at(LogIndex{11}) == Term{3});
  CHECK(window.term_at(LogIndex{10}) == std::nullopt);
  CHECK(window.term_at(LogIndex{9}) == std::nullopt);
  CHECK(window.term_at(LogIndex{14}) == std::nullopt);
  CHECK(window_of({}).term_at(LogIndex{0}) == Term{0});
}

TEST_CASE("eviction keeps what may still be needed, and remembers the term before it") {
  LogWindow window = window_of({1, 1, 2, 2});
  uint64_t one = entry_bytes(entry(1, 1));
  window.evict(LogIndex{4}, 2 * one);
  CHECK(window.base_index() == LogIndex{2});
  CHECK(window.term_at(LogIndex{2}) == Term{1});
  CHECK(window.bytes() == 2 * one);
  window.evict(LogIndex{3}, 0);  // 4 is not to go, whatever the bound
  CHECK(window.base_index() == LogIndex{3});
  CHECK(window.holds(LogIndex{4}));
}

TEST_CASE("truncation takes the suffix and its bytes") {
  LogWindow window = window_of({1, 1, 2, 2});
  window.truncate_after(LogIndex{2});
  CHECK(window.last_index() == LogIndex{2});
  CHECK(window.bytes() == 2 * entry_bytes(entry(1, 1)));
  window.append(entry(3, 7));
  CHECK(window.last_term() == Term{7});
}

TEST_CASE("a batch ends at its bound but is never empty [F29]") {
  LogWindow window{LogIndex{0}, Term{0}};
  for (uint64_t i = 1; i <= 5; ++i) {
    window.append(entry(i, 1, 1000));
  }
  uint64_t one = entry_bytes(window.at(LogIndex{1}));
  CHECK(window.measure(LogIndex{1}, LogIndex{5}, 1) == std::pair(LogIndex{1}, one));
  CHECK(window.measure(LogIndex{2}, LogIndex{5}, 2 * one) == std::pair(LogIndex{3}, 2 * one));
  CHECK(window.measure(LogIndex{2}, LogIndex{4}, 100 * one) == std::pair(LogIndex{4}, 3 * one));
  std::vector<Entry> batch = window.collect(LogIndex{2}, LogIndex{4});
  REQUIRE(batch.size() == 3);
  CHECK(batch.front().index == LogIndex{2});
  CHECK(batch.back().index == LogIndex{4});
}

TEST_CASE("runs of a term are found for backtracking [§3.5]") {
  LogWindow window = window_of({1, 1, 4, 4, 4, 6});
  CHECK(window.first_of_term(LogIndex{5}, LogIndex{1}) == LogIndex{3});
  CHECK(window.first_of_term(LogIndex{5}, LogIndex{4}) == LogIndex{4});
  CHECK(window.first_of_term(LogIndex{2}, LogIndex{1}) == LogIndex{1});
  CHECK(window.last_of_term(Term{4}) == LogIndex{5});
  CHECK(window.last_of_term(Term{6}) == LogIndex{6});
  CHECK(window.last_of_term(Term{5}) == std::nullopt);
  CHECK(window.last_of_term(Term{0}) == std::nullopt);
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
