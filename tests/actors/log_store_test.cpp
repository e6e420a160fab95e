// LogStore answers reads in the order in which it was asked, also behind a write that another
// thread has under way: what the core asked for is what the log held then.
#include "actors/replica/log_store.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>

#include "tests/support/memory_log.hpp"

namespace kiwi::actors {

namespace {

// Stands where the replica is, and keeps what it is told.
class HearingReplica final : public caf::monitorable_actor {
 public:
  explicit HearingReplica(caf::actor_config& cfg) : monitorable_actor(cfg) {}
  using monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) override {
    const caf::message content = mail->move_content_to_message();
    if (content.match_elements<LogReadDone>()) {
      reads.push_back(content.get_as<LogReadDone>(0));
    } else if (content.match_elements<LogPersisted>()) {
      persisted.push_back(content.get_as<LogPersisted>(0).token);
    }
  }
  const char* name() const override { return "replica"; }

  std::vector<LogReadDone> reads;
  std::vector<raft::PersistToken> persisted;
};

raft::PersistRequest write_of(uint64_t from, uint64_t to, uint64_t term, size_t bytes) {
  raft::PersistRequest request;
  for (uint64_t i = from; i <= to; ++i) {
    raft::Entry entry;
    entry.index = LogIndex{i};
    entry.term = Term{term};
    entry.payload = SharedBytes(std::string(bytes, 'x'));
    request.entries.push_back(std::move(entry));
  }
  request.token = {Term{term}, LogIndex{to}, Term{term}, {}};
  return request;
}

struct Fixture {
  explicit Fixture(GroupId group = kFirstGroup) {
    config.set("scheduler.policy", caf::atom("testing"));
    config.set("logger.console", caf::atom("none"));
    system.emplace(config);
    scheduler = dynamic_cast<caf::scheduler::test_coordinator*>(&system->scheduler());
    REQUIRE(scheduler != nullptr);
    LogStoreOptions options;
    options.storage = &log;
    options.metrics = &metrics;
    options.elsewhere = [this](std::function<void()> job) { jobs.push_back(std::move(job)); };
    options.long_write_bytes = 1000;
    options.room = &room;
    Hosting hosting;
    hosting.fail_stop = [this](std::string_view why) { failure = why; };
    store = spawn_log_store(*system, hosting, std::move(options));
    caf::actor_config made_config;
    const auto made = caf::make_actor<HearingReplica, caf::strong_actor_ptr>(
        system->next_actor_id(), system->node(), &*system, made_config);
    replica = static_cast<HearingReplica*>(made->get());
    tell(ReplicaStarted{caf::actor_cast<ReplicaHandle>(made), LogIndex{}, {}, group});
    tell(write_of(1, 5, 1, 1));
  }
  ~Fixture() {
    caf::anon_send(store, stop_atom_v);
    store = nullptr;
    scheduler->run();
  }

  template <class Message>
  void tell(Message message) {
    caf::anon_send(store, std::move(message));
    scheduler->run();
  }
  void finish_long_writes() {
    while (!jobs.empty()) {
      const std::function<void()> job = std::move(jobs.front());
      jobs.pop_front();
      job();
      scheduler->run();
    }
  }

  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  caf::scheduler::test_coordinator* scheduler = nullptr;
  test::MemoryLog log;
  config::RaftMetrics metrics;
  std::atomic<int64_t> room{INT64_MAX};
  std::deque<std::function<void()>> jobs;
  std::string failure;
  LogStoreHandle store;
  HearingReplica* replica = nullptr;
};

raft::LogRead read_of(uint64_t from, uint64_t last) {
  return {NodeId{2}, LogIndex{from}, LogIndex{last}, 1 << 20, Term{}};
}

}  // namespace

TEST_CASE("a read that waits behind a long write is not overtaken by a later cut [F13]") {
  Fixture f;
  f.tell(write_of(6, 6, 1, 5000));
  f.tell(read_of(4, 5));
  f.tell(raft::CutRequest{{LogIndex{5}, Term{1}, {}}, LogIndex{4}});
  CHECK(f.replica->reads.empty());
  f.finish_long_writes();
  REQUIRE(f.replica->reads.size() == 1);
  CHECK(f.replica->reads[0].entries.size() == 2);
  CHECK(f.replica->reads[0].prev_term == Term{1});  // of entry 3, which the cut drops
}

TEST_CASE("a read that waits behind a long write is not overtaken by a later truncation [F12]") {
  Fixture f;
  f.tell(write_of(6, 6, 1, 5000));
  f.tell(read_of(5, 5));
  f.tell(write_of(3, 3, 2, 1));  // another leader's: 3..6 go
  f.finish_long_writes();
  CHECK(f.failure.empty());
  REQUIRE(f.replica->reads.size() == 1);
  REQUIRE(f.replica->reads[0].entries.size() == 1);
  CHECK(f.replica->reads[0].entries[0].term == Term{1});
}

TEST_CASE("the cut that makes room does not wait behind the write that waits for it [F60]") {
  Fixture f;
  f.room = 0;
  f.tell(write_of(6, 6, 1, 100));
  f.tell(read_of(5, 6));
  f.tell(raft::CutRequest{{LogIndex{5}, Term{1}, {}}, LogIndex{4}});
  CHECK(f.log.load()->first_index == LogIndex{4});
  CHECK(f.log.load()->last_index == LogIndex{5});
  CHECK(f.replica->reads.empty());  // its place is behind the write
  f.room = 1000;
  f.tell(timer_atom_v);
  CHECK(f.log.load()->last_index == LogIndex{6});
  REQUIRE(f.replica->reads.size() == 1);
  CHECK(f.replica->reads[0].entries.size() == 2);
  CHECK(f.failure.empty());
}

TEST_CASE("what a cut dropped that made room is not read from the disk any more [F13, F60]") {
  Fixture f;
  f.room = 0;
  f.tell(write_of(6, 6, 1, 100));
  f.tell(read_of(2, 3));
  f.tell(raft::CutRequest{{LogIndex{5}, Term{1}, {}}, LogIndex{4}});
  f.room = 1000;
  f.tell(timer_atom_v);
  CHECK(f.failure.empty());
  REQUIRE(f.replica->reads.size() == 1);
  CHECK(f.replica->reads[0].entries.empty());
  CHECK(f.log.load()->first_index == LogIndex{4});
}

TEST_CASE("turns that wait behind a long write are one write, and each is answered [F29]") {
  Fixture f;
  f.tell(write_of(6, 6, 1, 5000));
  const size_t syncs = f.metrics.fsync_count.get();
  const size_t answers = f.replica->persisted.size();
  for (uint64_t index = 7; index <= 56; ++index) {
    f.tell(write_of(index, index, 1, 1));
  }
  CHECK(f.replica->persisted.size() == answers);
  f.finish_long_writes();
  CHECK(f.metrics.fsync_count.get() == syncs + 2);
  CHECK(f.replica->persisted.size() == answers + 51);
  CHECK(f.replica->persisted.back() == write_of(56, 56, 1, 1).token);
  CHECK(f.log.last_index() == LogIndex{56});
}

TEST_CASE("what was cut before it was asked for is answered with nothing") {
  Fixture f;
  f.tell(raft::CutRequest{{LogIndex{5}, Term{1}, {}}, LogIndex{4}});
  f.tell(read_of(3, 5));
  REQUIRE(f.replica->reads.size() == 1);
  CHECK(f.replica->reads[0].entries.empty());
}

TEST_CASE("every answer goes to the group that asked") {
  Fixture f(GroupId{7});
  f.tell(raft::CutRequest{{LogIndex{5}, Term{1}, {}}, LogIndex{4}});
  f.tell(read_of(3, 5));  // cut meanwhile
  f.tell(read_of(4, 5));
  REQUIRE(f.replica->reads.size() == 2);
  CHECK(f.replica->reads[0].group == GroupId{7});
  CHECK(f.replica->reads[1].group == GroupId{7});
}

}  // namespace kiwi::actors
