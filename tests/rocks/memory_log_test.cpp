#include "tests/support/memory_log.hpp"

#include <doctest/doctest.h>

#include "tests/rocks/log_storage_random.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

namespace {

class MemoryLogFixture {
 public:
  raft::LogStorage& log() { return log_; }
  void crash() { log_.crash(); }
  void close_and_open() {}
  bool corrupt_entry(LogIndex index) {
    log_.corrupt(index);
    return true;
  }

 private:
  kiwi::test::MemoryLog log_;
};

}  // namespace

TEST_SUITE_BEGIN("rocks");

KIWI_LOG_STORAGE_SUITE("memory log", MemoryLogFixture)

TEST_CASE("memory log: random turns with crashes") {
  for (uint64_t seed = 1; seed <= rounds(50); ++seed) {
    run_log_random<MemoryLogFixture>(seed, 200);
  }
}

TEST_CASE("memory log: a crash loses what was not synced, and only that [F12]") {
  kiwi::test::MemoryLog log;
  REQUIRE(log.persist(append(make_entries(1, 3, 1))).has_value());
  log.hold_syncs(true);
  raft::PersistRequest vote;
  vote.hard_state = raft::HardState{Term{5}, NodeId{2}};
  REQUIRE(log.persist(append(make_entries(3, 6, 2))).has_value());
  REQUIRE(log.persist(vote).has_value());
  REQUIRE(log.persist(append(make_entries(7, 7, 5))).has_value());
  CHECK(log.last_index() == LogIndex{7});
  CHECK(log.durable_last_index() == LogIndex{3});
  CHECK(log.unsynced_writes() == 3);
  SUBCASE("all of it") {
    log.crash();
    CHECK(loaded(log).hard_state == raft::HardState{});
    CHECK(all_entries(log) == make_entries(1, 3, 1));
  }
  SUBCASE("the newest, torn") {
    log.crash_torn(2);
    CHECK(loaded(log).hard_state == *vote.hard_state);
    CHECK(loaded(log).last_index == LogIndex{6});
    CHECK(loaded(log).last_term == Term{2});
  }
  SUBCASE("nothing after a sync") {
    log.sync();
    log.crash();
    CHECK(loaded(log).last_index == LogIndex{7});
  }
}

TEST_CASE("memory log: with log-fsync no a hard state makes everything before it durable [F16]") {
  kiwi::test::MemoryLog log(false);
  REQUIRE(log.persist(append(make_entries(1, 3, 1))).has_value());
  CHECK(log.durable_last_index() == LogIndex{0});
  raft::PersistRequest vote;
  vote.hard_state = raft::HardState{Term{2}, NodeId{1}};
  REQUIRE(log.persist(vote).has_value());
  REQUIRE(log.persist(append(make_entries(4, 4, 2))).has_value());
  log.crash();
  CHECK(loaded(log).last_index == LogIndex{3});
  CHECK(loaded(log).hard_state == *vote.hard_state);
}

TEST_CASE("memory log: an injected error writes nothing and passes") {
  kiwi::test::MemoryLog log;
  log.fail_writes({Errc::kIo, "the disk is gone"}, 2);
  CHECK(!log.persist(append(make_entries(1, 1, 1))).has_value());
  Result<void> failed = log.set_identity({});
  REQUIRE(!failed.has_value());
  CHECK(failed.error().text == "the disk is gone");
  CHECK(log.last_index() == LogIndex{0});
  CHECK(log.persist(append(make_entries(1, 1, 1))).has_value());
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
