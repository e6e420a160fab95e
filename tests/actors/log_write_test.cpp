// LogWrite: turns that are written together leave the log as if each had been written alone.
#include "actors/replica/log_write.hpp"

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "raft/core.hpp"
#include "tests/support/memory_log.hpp"

namespace kiwi::actors {
namespace {

raft::PersistRequest turn(uint64_t from, uint64_t to, uint64_t term, size_t payload_bytes = 1) {
  raft::PersistRequest request;
  for (uint64_t i = from; i <= to; ++i) {
    raft::Entry entry;
    entry.index = LogIndex{i};
    entry.term = Term{term};
    entry.payload = SharedBytes(std::string(payload_bytes, 'x'));
    request.entries.push_back(std::move(entry));
  }
  request.token = {Term{term}, LogIndex{to}, Term{term}, {}};
  return request;
}

std::vector<uint64_t> terms(const raft::PersistRequest& request) {
  std::vector<uint64_t> all;
  for (const raft::Entry& entry : request.entries) {
    all.push_back(entry.term.value);
  }
  return all;
}

using Terms = std::vector<uint64_t>;
using Job = std::variant<LogWrite, raft::LogRead>;

TEST_CASE("log write: a later turn follows, or replaces what another leader wrote [F12]") {
  LogWrite write(turn(5, 7, 1, 10));
  write.join(LogWrite(turn(8, 8, 1, 10)));
  CHECK(terms(write.request()) == Terms{1, 1, 1, 1});
  CHECK(write.payload_bytes() == 40);
  write.join(LogWrite(turn(7, 7, 2, 5)));
  CHECK(terms(write.request()) == Terms{1, 1, 2});
  CHECK(write.payload_bytes() == 25);
  write.join(LogWrite(turn(3, 4, 3, 1)));  // below where it began
  CHECK(terms(write.request()) == Terms{3, 3});
  CHECK(write.request().entries.front().index == LogIndex{3});
  CHECK(write.payload_bytes() == 2);
}

TEST_CASE(
    "log write: the last hard state and the highest commit are written, all tokens attested") {
  raft::PersistRequest vote = turn(1, 0, 4);
  vote.hard_state = raft::HardState{Term{4}, NodeId{2}};
  vote.commit = LogIndex{9};
  LogWrite write(vote);
  write.join(LogWrite(turn(1, 2, 4)));
  CHECK(write.request().hard_state == vote.hard_state);
  CHECK(write.request().commit == LogIndex{9});
  vote.hard_state = raft::HardState{Term{5}, NodeId{}};
  vote.token.term = Term{5};
  write.join(LogWrite(vote));
  CHECK(write.request().hard_state == vote.hard_state);
  REQUIRE(write.tokens().size() == 3);
  CHECK(write.tokens()[1] == turn(1, 2, 4).token);
  CHECK(write.tokens()[2] == vote.token);
  CHECK(write.request().token == vote.token);
}

TEST_CASE("log write: what stands between two writes keeps them apart, and so does their size") {
  std::deque<Job> waiting;
  waiting.emplace_back(LogWrite(turn(1, 1, 1, 40)));
  waiting.emplace_back(LogWrite(turn(2, 2, 1, 40)));
  waiting.emplace_back(LogWrite(turn(3, 3, 1, 40)));
  waiting.emplace_back(raft::LogRead{});
  waiting.emplace_back(LogWrite(turn(4, 4, 1, 500)));
  waiting.emplace_back(LogWrite(turn(5, 4, 1)));  // a hard state
  CHECK(take_writes(waiting, 100).tokens().size() == 2);
  CHECK(take_writes(waiting, 100).tokens().size() == 1);
  REQUIRE(std::holds_alternative<raft::LogRead>(waiting.front()));
  waiting.pop_front();
  CHECK(take_writes(waiting, 100).tokens().size() == 1);  // long, and alone
  CHECK(take_writes(waiting, 0).tokens().size() == 1);
  CHECK(waiting.empty());
}

TEST_CASE("log write: a log that was written in joined writes is the one written turn by turn") {
  Prng prng(7);
  for (int round = 0; round < 200; ++round) {
    test::MemoryLog alone;
    test::MemoryLog joined;
    std::deque<Job> waiting;
    uint64_t last = 0;
    uint64_t term = 1;
    for (int n = 0; n < 12; ++n) {
      if (last > 0 && prng.chance(1, 4)) {
        ++term;
        last -= prng.below(last + 1);
      }
      raft::PersistRequest request = turn(last + 1, last + prng.below(4), term, prng.below(30));
      last = request.entries.empty() ? last : request.entries.back().index.value;
      if (request.entries.empty() || prng.chance(1, 3)) {
        request.hard_state = raft::HardState{Term{term}, NodeId{prng.below(3)}};
      }
      request.commit = LogIndex{last / 2};
      REQUIRE(alone.persist(request).has_value());
      waiting.emplace_back(LogWrite(std::move(request)));
    }
    while (!waiting.empty()) {
      REQUIRE(joined.persist(take_writes(waiting, prng.below(300)).request()).has_value());
    }
    const auto a = alone.load();
    const auto b = joined.load();
    REQUIRE(a->last_index == b->last_index);
    REQUIRE(a->last_term == b->last_term);
    REQUIRE(a->hard_state == b->hard_state);
    for (LogIndex i{1}; i <= a->last_index; ++i) {
      REQUIRE(alone.read(i, i, 1).value() == joined.read(i, i, 1).value());
    }
  }
}

}  // namespace
}  // namespace kiwi::actors
