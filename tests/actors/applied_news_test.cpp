// When Raft is told what is applied; when a leader looks for keys whose time is over.
#include "actors/state/applied_news.hpp"

#include <string>

#include <doctest/doctest.h>

#include "actors/state/expiry_watch.hpp"

namespace kiwi::actors {
namespace {

raft::Entry entry(uint64_t index, uint64_t term, raft::EntryKind kind, size_t bytes = 10) {
  raft::Entry e;
  e.index = LogIndex{index};
  e.term = Term{term};
  e.kind = kind;
  e.payload = SharedBytes(std::string(bytes, 'x'));
  return e;
}

}  // namespace

TEST_CASE("plain entries are told by the timer, what is waited for at once") {
  AppliedNews news(LogIndex{5}, Term{2});
  CHECK_FALSE(news.take());
  news.given(entry(6, 2, raft::EntryKind::kBatch));
  news.applied(LogIndex{6});
  CHECK_FALSE(news.urgent());
  CHECK(news.take() == LogIndex{6});
  CHECK_FALSE(news.take());  // told
  news.given(entry(7, 3, raft::EntryKind::kNoop));
  news.given(entry(8, 3, raft::EntryKind::kBatch));
  CHECK(news.urgent());
  news.applied(LogIndex{6});
  CHECK(news.take() == LogIndex{6});
  CHECK(news.urgent());  // the no-op was not reached
  news.applied(LogIndex{8});
  CHECK(news.take() == LogIndex{8});
  CHECK_FALSE(news.urgent());
  news.given(entry(9, 3, raft::EntryKind::kConfiguration));
  CHECK(news.urgent());
}

TEST_CASE("much to apply is told at once, whatever it is [F28]") {
  AppliedNews news(LogIndex{0}, Term{0});
  uint64_t index = 0;
  while (!news.urgent()) {
    news.given(entry(++index, 1, raft::EntryKind::kBatch, 16 * 1024));
  }
  CHECK(index == 16);
  news.applied(LogIndex{index});
  CHECK(news.take());
  news.given(entry(++index, 1, raft::EntryKind::kBatch, 16 * 1024));
  CHECK_FALSE(news.urgent());  // counted anew
}

TEST_CASE("the term of what is applied is known until it is forgotten [F13]") {
  AppliedNews news(LogIndex{5}, Term{2});
  news.given(entry(6, 2, raft::EntryKind::kBatch));
  news.given(entry(7, 4, raft::EntryKind::kNoop));
  news.given(entry(9, 5, raft::EntryKind::kNoop));
  CHECK(news.term_of(LogIndex{5}) == Term{2});
  CHECK(news.term_of(LogIndex{6}) == Term{2});
  CHECK(news.term_of(LogIndex{8}) == Term{4});
  news.forget_below(LogIndex{8});
  CHECK(news.term_of(LogIndex{8}) == Term{4});
  CHECK(news.term_of(LogIndex{9}) == Term{5});
  CHECK_FALSE(news.term_of(LogIndex{6}));
  news.begin(LogIndex{50}, Term{7});  // a snapshot
  CHECK(news.term_of(LogIndex{50}) == Term{7});
  CHECK_FALSE(news.urgent());
}

TEST_CASE("only a leader looks whether something is due, by cluster time [F8]") {
  ExpiryWatch watch;
  CHECK_FALSE(watch.look(0, 0));
  watch.leads(true, 5'000'000, 100);
  CHECK(watch.look(150'000, 150) == 5'000'050);
  watch.proposed(50, 150'000, 150'100);
  CHECK_FALSE(watch.look(160'000, 160));  // one proposal is under way
  auto rest_us = watch.applied(400, 170'000);
  REQUIRE(rest_us);
  CHECK(*rest_us == 0);
  CHECK(watch.look(170'000, 170) == 5'000'070);
  watch.proposed(1500, 170'000, 180'000);
  CHECK(watch.applied(5'000, 185'000) == 15'000);  // half of the time is the clients'
  CHECK_FALSE(watch.due(199'000));
  CHECK_FALSE(watch.look(199'000, 199));
  CHECK(watch.due(200'000));  // a timer that comes too early does not end the wait
  CHECK(watch.look(200'000, 200));
  CHECK_FALSE(watch.waits());
  CHECK_FALSE(watch.applied(1, 200'100));  // nothing of its own was under way
  watch.proposed(5, 200'000, 200'000);
  watch.leads(false, 0, 0);
  CHECK_FALSE(watch.look(200'000, 200));
  CHECK_FALSE(watch.looks());
  watch.leads(true, 6'000'000, 300);
  CHECK(watch.look(300'000, 300));  // what an earlier leadership proposed is forgotten
  watch.proposed(5, 300'000, 300'000);
  CHECK_FALSE(watch.look(300'000, 300));
  watch.state_swapped();
  CHECK(watch.look(300'000, 300));
  watch.proposed(5, 300'000, 300'000);
  CHECK(watch.look(2'400'000, 2400));  // lost
}

}  // namespace kiwi::actors
