// What StateMachine tells the replica of, and when: what it applied is credit for more (F28), and
// nothing may wait for a timer.
#include "actors/state/state_machine.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>

#include "raft/core.hpp"
#include "raft/log_window.hpp"
#include "tests/resp/node.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::actors {

namespace {

// Stands where the replica is, and keeps what it is told.
class HearingReplica final : public caf::monitorable_actor {
 public:
  explicit HearingReplica(caf::actor_config& cfg) : monitorable_actor(cfg) {}
  using monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) override {
    const caf::message content = mail->move_content_to_message();
    if (content.match_elements<Applied>()) {
      applied.push_back(content.get_as<Applied>(0).index);
      if (const uint32_t version = content.get_as<Applied>(0).cluster_version; version != 0) {
        versions.push_back(version);
      }
    }
  }
  const char* name() const override { return "replica"; }

  std::vector<LogIndex> applied;
  std::vector<uint32_t> versions;  // of the cluster, when they were said
};

// Stands where the router is.
class HearingRouter final : public caf::monitorable_actor {
 public:
  explicit HearingRouter(caf::actor_config& cfg) : monitorable_actor(cfg) {}
  using monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) override {
    const caf::message content = mail->move_content_to_message();
    if (content.match_elements<InternalProposal>()) {
      proposals.push_back(content.get_as<InternalProposal>(0).packed_command);
    }
  }
  const char* name() const override { return "router"; }

  std::vector<std::string> proposals;
};

// Its flushes end when the test says so.
class SlowFlushes final : public rocks::MemoryKeyspace {
 public:
  void flush_async(std::function<void(LogIndex)> done) override {
    flush();
    done_.push_back([done = std::move(done), index = flushed_index()] { done(index); });
  }
  void end_one() {
    done_.front()();
    done_.pop_front();
  }

 private:
  std::deque<std::function<void()>> done_;
};

constexpr int64_t kTurnUs = 1000;
constexpr size_t kTurnEntries = 512;  // of ExecutorOptions

struct Fixture {
  explicit Fixture(LogIndex log_end = {}) {
    config.set("scheduler.policy", caf::atom("testing"));
    config.set("logger.console", caf::atom("none"));
    system.emplace(config);
    scheduler = dynamic_cast<caf::scheduler::test_coordinator*>(&system->scheduler());
    REQUIRE(scheduler != nullptr);
    StateMachineOptions options;
    options.executor = &executor;
    options.keyspace = &keyspace;
    options.now_ms = [] { return int64_t{0}; };
    options.now_us = [this] { return now_us += kTurnUs; };
    options.settings_changed = [this] { ++settings_changes; };
    machine = spawn_state_machine(*system, Hosting{}, std::move(options));
    caf::actor_config made_config;
    const auto made = caf::make_actor<HearingReplica, caf::strong_actor_ptr>(
        system->next_actor_id(), system->node(), &*system, made_config);
    replica = static_cast<HearingReplica*>(made->get());
    caf::anon_send(machine,
                   ReplicaStarted{caf::actor_cast<ReplicaHandle>(made), LogIndex{}, log_end});
    run();
  }
  HearingRouter& hear_router() {
    caf::actor_config made_config;
    const auto made = caf::make_actor<HearingRouter, caf::strong_actor_ptr>(
        system->next_actor_id(), system->node(), &*system, made_config);
    caf::anon_send(machine, RouterStarted{caf::actor_cast<RouterHandle>(made)});
    run();
    return *static_cast<HearingRouter*>(made->get());
  }
  ~Fixture() {
    caf::anon_send(machine, stop_atom_v);
    machine = nullptr;
    run();
  }
  void run() {
    while (scheduler->try_run_once()) {
    }
  }
  // Of an origin that nobody knows: they are applied and change nothing.
  raft::Entry entry(size_t bytes, raft::EntryKind kind = raft::EntryKind::kBatch) {
    raft::Entry made;
    made.index = last = last + 1;
    made.term = Term{1};
    made.kind = kind;
    made.number.sequence = last.value;
    made.payload = SharedBytes(std::string(bytes, 'x'));
    return made;
  }
  void give(std::vector<raft::Entry> entries) {
    caf::anon_send(machine, ApplyEntries{std::move(entries)});
  }
  void become(raft::Role role) {
    RaftReport report;
    report.status.emplace();
    report.status->role = role;
    report.status->ready = role == raft::Role::kLeader;
    report.status->cluster_time_ms = cluster_time_ms;
    caf::anon_send(machine, std::move(report));
    run();
  }
  std::vector<raft::Entry> entries(size_t count) {
    std::vector<raft::Entry> made;
    while (made.size() < count) {
      made.push_back(entry(1));
    }
    return made;
  }
  LogIndex told() const { return replica->applied.empty() ? LogIndex{} : replica->applied.back(); }

  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  caf::scheduler::test_coordinator* scheduler = nullptr;
  SlowFlushes keyspace;
  resp::Executor executor{keyspace, resp::Node::own({})};
  StateMachineHandle machine;
  HearingReplica* replica = nullptr;
  int64_t cluster_time_ms = 0;
  int64_t now_us = 0;  // each look at the clock takes as long as a turn
  LogIndex last;
  int settings_changes = 0;
};

}  // namespace

TEST_CASE("the replica hears of the cluster's version once, with the index that raised it [F46]") {
  Fixture f;
  resp::Log log;
  log.members({resp::member(1), resp::member(2)});
  f.give(std::exchange(log.entries, {}));
  caf::anon_send(f.machine, timer_atom_v);
  f.run();
  CHECK(f.replica->versions == std::vector<uint32_t>{1});
  CHECK(f.settings_changes == 0);
  log.batch({NodeId{1}, resp::incarnation_of(1), 1, 1}, {resp::packed(log.raise_to("2"))});
  f.give(std::exchange(log.entries, {}));
  f.run();
  CHECK(f.told() == LogIndex{2});  // without waiting for the timer
  CHECK(f.replica->versions == std::vector<uint32_t>{1, 2});
  CHECK(f.settings_changes == 1);
  log.batch({NodeId{1}, resp::incarnation_of(1), 1, 2}, {resp::packed({"set", "a", "1"})});
  f.give(std::exchange(log.entries, {}));
  caf::anon_send(f.machine, timer_atom_v);
  f.run();
  CHECK(f.replica->versions.size() == 2);
  CHECK(f.settings_changes == 1);
}

TEST_CASE("the replica is told of a plain batch by the timer at the latest, of a no-op at once") {
  Fixture f;
  f.give({f.entry(100)});
  f.run();
  CHECK(f.executor.applied() == LogIndex{1});
  CHECK(f.told() == LogIndex{});
  f.give({f.entry(100)});
  f.run();
  CHECK(f.told() <= LogIndex{1});
  caf::anon_send(f.machine, timer_atom_v);
  f.run();
  CHECK(f.told() == LogIndex{2});
  f.give({f.entry(0, raft::EntryKind::kNoop)});
  f.run();
  CHECK(f.told() == LogIndex{3});
}

TEST_CASE("a flush that is overtaken is answered with what was told, and its term [F13]") {
  Fixture f;
  std::vector<std::pair<LogIndex, Term>> told;
  const auto ask = [&](bool write) {
    FlushState order;
    order.write = write;
    order.done = [&](LogIndex index, Term term) { told.emplace_back(index, term); };
    caf::anon_send(f.machine, std::move(order));
  };
  ask(false);
  f.run();
  CHECK(told == std::vector<std::pair<LogIndex, Term>>{{LogIndex{0}, Term{0}}});
  told.clear();
  f.give({f.entry(1), f.entry(1)});
  f.run();
  ask(true);  // of 2, in term 1
  f.run();
  std::vector<raft::Entry> next{f.entry(1), f.entry(1)};
  for (raft::Entry& entry : next) {
    entry.term = Term{2};
  }
  f.give(std::move(next));
  f.run();
  ask(true);   // of 4
  ask(false);  // which the keyspace knows before the answers come
  f.run();
  f.keyspace.end_one();
  f.keyspace.end_one();
  f.run();
  const std::pair<LogIndex, Term> last{LogIndex{4}, Term{2}};
  CHECK(told == std::vector{last, last, last});
}

TEST_CASE("who comes back applies its own log with rests, and what is behind it without") {
  Fixture f(LogIndex{kTurnEntries + 1});
  f.become(raft::Role::kFollower);
  f.give(f.entries(4 * kTurnEntries));
  f.run();
  CHECK(f.executor.applied() == LogIndex{kTurnEntries});
  f.give(f.entries(1));  // no reason to go on earlier
  f.run();
  CHECK(f.executor.applied() == LogIndex{kTurnEntries});
  f.scheduler->advance_time(std::chrono::microseconds(kTurnUs));
  f.run();
  CHECK(f.executor.applied() == LogIndex{2 * kTurnEntries});
  f.scheduler->advance_time(std::chrono::microseconds(kTurnUs));
  f.run();
  CHECK(f.executor.applied() == f.last);
}

TEST_CASE("who leads, or may have to, applies its own log without rests") {
  for (const raft::Role role :
       {raft::Role::kPreCandidate, raft::Role::kCandidate, raft::Role::kLeader}) {
    Fixture f(LogIndex{2 * kTurnEntries});
    f.become(raft::Role::kFollower);
    f.become(role);
    f.give(f.entries(4 * kTurnEntries));
    f.run();
    CHECK(f.executor.applied() == f.last);
  }
}

// The rule of raft::Core: chunk after chunk, until so much is under way; a chunk counts until it is
// applied as a whole.
TEST_CASE("whoever gives as much to apply as is allowed hears of it without a timer [F28]") {
  const uint64_t most = raft::CoreOptions{}.apply_inflight_bytes_max;
  for (const size_t bytes : std::initializer_list<size_t>{0, 30, 200, 5000}) {
    for (const uint64_t chunk_bytes : std::initializer_list<uint64_t>{16'000, 150'000, 1 << 20}) {
      CAPTURE(bytes);
      CAPTURE(chunk_bytes);
      Fixture f;
      std::deque<std::pair<LogIndex, uint64_t>> chunks;
      uint64_t under_way = 0;
      uint64_t to_give = 3 * most;
      const auto give = [&] {
        std::vector<raft::Entry> entries;
        uint64_t given = 0;
        while (given < chunk_bytes && under_way + given < most) {
          entries.push_back(f.entry(bytes));
          given += raft::entry_bytes(entries.back());
        }
        under_way += given;
        to_give -= std::min(to_give, given);
        chunks.emplace_back(f.last, given);
        f.give(std::move(entries));
      };
      // Commits come faster than they are applied, until no more may be given.
      while (under_way < most) {
        give();
        f.scheduler->try_run_once();
        f.scheduler->try_run_once();
      }
      // From here on the replica's loop runs when it is told something.
      size_t heard = 0;
      while (to_give != 0 && (under_way < most || heard != f.replica->applied.size())) {
        heard = f.replica->applied.size();
        while (!chunks.empty() && chunks.front().first <= f.told()) {
          under_way -= chunks.front().second;
          chunks.pop_front();
        }
        if (under_way < most) {
          give();
        }
        f.run();
      }
      CHECK(to_give == 0);
    }
  }
}

namespace {

// 50,000 keys whose time is over, and a log that takes what the leader proposes.
struct Expiring : Fixture {
  static constexpr int kKeys = 50'000;

  explicit Expiring(size_t keys = kKeys) : router(hear_router()) {
    log.members({resp::member(1), resp::member(2)});
    for (size_t i = 0; i < keys; i += 500) {
      std::vector<std::string> commands;
      for (size_t k = i; k < i + 500; ++k) {
        commands.push_back(resp::packed({"set", "k" + std::to_string(k), "v", "px", "200"}));
      }
      log.batch(number(), commands);
    }
    deliver();
    CHECK(left() == keys);
    log.stamp_ms += 200;
    cluster_time_ms = log.stamp_ms;
    become(raft::Role::kLeader);
  }
  raft::ProposalNumber number() { return {NodeId{1}, resp::incarnation_of(1), 1, ++sequence}; }
  uint64_t left() const {
    const auto sizes = executor.database_sizes();
    return sizes.empty() ? 0 : sizes[0].keys;
  }
  void deliver() {
    give(std::exchange(log.entries, {}));
    run();
  }
  void commit_proposals() {
    for (std::string& command : std::exchange(router.proposals, {})) {
      log.batch(number(), {command});
    }
    deliver();
  }
  // Until the next timer; what is proposed is applied 2 ms later.
  void timer() {
    caf::anon_send(machine, timer_atom_v);
    run();
    for (int ms = 0; ms < 100; ms += 2) {
      now_us += 2000;
      scheduler->advance_time(std::chrono::milliseconds(2));
      run();
      CHECK(router.proposals.size() <= 1);  // one is under way
      commit_proposals();
    }
  }

  resp::Log log;
  uint64_t sequence = 0;
  HearingRouter& router;
};

}  // namespace

TEST_CASE("the leader removes 50,000 keys that are due within 5 seconds [F56]") {
  Expiring f;
  int timers = 0;
  while (f.left() != 0) {
    REQUIRE(timers++ < 50);
    f.timer();
  }
  CHECK(f.executor.counters().expired_keys == Expiring::kKeys);  // and each was proposed once
}

TEST_CASE("with active-expire no the leader proposes nothing, with yes it goes on") {
  Expiring f(500);
  f.log.batch(f.number(), {resp::packed({"kiwi.setting", "active-expire", "no"})});
  f.deliver();
  const auto timer = [&] {
    f.now_us += 100'000;
    caf::anon_send(f.machine, timer_atom_v);
    f.run();
  };
  f.router.proposals.clear();
  for (int i = 0; i < 10; ++i) {
    timer();
  }
  CHECK(f.router.proposals.empty());
  CHECK(f.left() == 500);
  f.log.batch(f.number(), {resp::packed({"kiwi.setting", "active-expire", "yes"})});
  f.deliver();
  while (f.left() != 0) {
    f.timer();
  }
}

TEST_CASE("what was proposed and got lost is proposed again, what is under way is not [F56]") {
  Expiring f(500);
  const auto timer = [&] {
    f.now_us += 100'000;
    caf::anon_send(f.machine, timer_atom_v);
    f.run();
  };
  timer();
  REQUIRE(f.router.proposals.size() == 1);
  for (int i = 0; i < 10; ++i) {
    timer();
  }
  CHECK(f.router.proposals.size() == 1);
  for (int i = 0; i < 20; ++i) {
    timer();
  }
  REQUIRE(f.router.proposals.size() == 2);
  CHECK(f.router.proposals[0] == f.router.proposals[1]);
  f.router.proposals.clear();
  f.become(raft::Role::kFollower);  // another leader
  timer();
  CHECK(f.router.proposals.empty());
  f.become(raft::Role::kLeader);
  while (f.left() != 0) {
    f.timer();
  }
}

}  // namespace kiwi::actors
