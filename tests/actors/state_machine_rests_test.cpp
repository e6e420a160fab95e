// StateMachine while its executor rests inside an entry (SERVICES C3): its mail is heard, what
// needs a whole state waits, and then comes in order.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>

#include "actors/opened_state.hpp"
#include "actors/state/state_machine.hpp"
#include "tests/resp/node.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::actors {

namespace {

// Nobody may ask for any of this while an entry rests.
class Watched final : public rocks::MemoryKeyspace {
 public:
  void flush_async(std::function<void(LogIndex)> done) override {
    note("flush");
    MemoryKeyspace::flush_async(std::move(done));
  }
  void checkpoint(std::string directory, std::function<void(Result<LogIndex>)> done) override {
    note("checkpoint");
    MemoryKeyspace::checkpoint(std::move(directory), std::move(done));
  }
  void view_async(std::function<void(std::unique_ptr<rocks::Reader>)> done) override {
    note("view");
    MemoryKeyspace::view_async(std::move(done));
  }
  bool tidy() override {
    note("tidy");
    return false;
  }
  const resp::Executor* executor = nullptr;
  std::vector<std::string> calls;

 private:
  void note(const char* what) {
    CHECK_FALSE(executor->rests());
    calls.emplace_back(what);
  }
};

resp::ExecutorOptions resting(int64_t& now_us) {
  resp::ExecutorOptions options = resp::Node::own({});
  options.now_us = [&now_us] { return now_us += 1000; };
  options.rest_after_us = 1000;
  return options;
}

struct Fixture {
  Fixture() {
    keyspace.executor = &executor;
    config.set("scheduler.policy", caf::atom("testing"));
    config.set("logger.console", caf::atom("none"));
    system.emplace(config);
    scheduler = dynamic_cast<caf::scheduler::test_coordinator*>(&system->scheduler());
    REQUIRE(scheduler != nullptr);
    StateMachineOptions options;
    options.executor = &executor;
    options.keyspace = &keyspace;
    options.now_ms = [] { return int64_t{0}; };
    options.adopt = [this](std::shared_ptr<OpenedState> fresh) {
      adopted = std::move(fresh);
      return std::make_shared<OpenedState>();  // the old one stays where it is
    };
    machine = spawn_state_machine(*system, Hosting{}, std::move(options));
    run();
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
  // An entry that takes long is under way.
  void begin() {
    log.members({resp::member(1), resp::member(2)});
    std::vector<std::string> mset{"mset"};
    for (int i = 0; i < 2000; ++i) {
      mset.insert(mset.end(), {"key" + std::to_string(i), "value"});
    }
    log.batch({NodeId{1}, resp::incarnation_of(1), 1, 1}, {resp::packed(mset)});
    caf::anon_send(machine, ApplyEntries{std::exchange(log.entries, {})});
    for (int i = 0; i < 100 && !executor.rests(); ++i) {
      scheduler->try_run_once();
    }
    REQUIRE(executor.rests());
    keyspace.calls.clear();
  }

  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  caf::scheduler::test_coordinator* scheduler = nullptr;
  Watched keyspace;
  int64_t now_us = 0;
  resp::Executor executor{keyspace, resting(now_us)};
  std::shared_ptr<OpenedState> adopted;
  StateMachineHandle machine;
  resp::Log log;
};

}  // namespace

TEST_SUITE("actors/state machine") {
  TEST_CASE("what is for a whole state waits while an entry rests, and comes in order [C3]") {
    Fixture f;
    f.begin();
    std::vector<std::string> told;
    caf::anon_send(f.machine,
                   FlushState{true, [&](LogIndex, Term) { told.emplace_back("flush"); }});
    caf::anon_send(f.machine, MakeCheckpoint{"first", [&](const Result<LogIndex>& made) {
                                               CHECK(made.has_value());
                                               CHECK(*made == LogIndex{2});
                                               told.emplace_back("checkpoint");
                                             }});
    caf::anon_send(f.machine, timer_atom_v);
    for (int i = 0; i < 5; ++i) {
      f.scheduler->try_run_once();
    }
    CHECK(f.executor.rests());
    CHECK(f.keyspace.calls.empty());
    CHECK(f.executor.applied() == LogIndex{});
    f.run();
    CHECK_FALSE(f.executor.rests());
    CHECK(f.executor.applied() == LogIndex{2});
    REQUIRE(f.keyspace.calls.size() >= 2);
    CHECK(f.keyspace.calls[0] == "flush");
    CHECK(f.keyspace.calls[1] == "checkpoint");
    CHECK(told.size() == 2);
  }

  TEST_CASE("another state takes the place of one whose entry rests [C3][F22]") {
    Fixture f;
    f.begin();
    // The same entries and one more, elsewhere.
    auto fresh = std::make_shared<OpenedState>();
    fresh->name = "fresh";
    fresh->keyspace = std::make_unique<rocks::MemoryKeyspace>();
    fresh->executor = std::make_unique<resp::Executor>(*fresh->keyspace,
                                                       resp::Node::own(resp::ExecutorOptions{}));
    resp::Log log;
    log.members({resp::member(1), resp::member(2)});
    log.batch({NodeId{1}, resp::incarnation_of(1), 1, 1}, {resp::packed({"set", "key1", "value"})});
    log.batch({NodeId{1}, resp::incarnation_of(1), 1, 2}, {resp::packed({"set", "key2", "value"})});
    fresh->executor->apply(std::exchange(log.entries, {}));
    while (fresh->executor->work()) {
    }
    fresh->executor->take_effects();
    REQUIRE(fresh->executor->applied() == LogIndex{3});
    bool flushed = false;
    caf::anon_send(f.machine, FlushState{true, [&](LogIndex index, Term) {
                                           CHECK(index == LogIndex{3});
                                           flushed = true;
                                         }});
    SwapState order;
    order.meta.index = LogIndex{3};
    order.meta.term = Term{1};
    order.fresh = fresh;
    caf::anon_send(f.machine, std::move(order));
    f.run();
    CHECK(f.adopted == fresh);
    CHECK(flushed);
    CHECK(f.keyspace.calls.empty());  // nobody asked the old one
    CHECK_FALSE(f.executor.rests());
    CHECK(f.executor.applied() == LogIndex{});
  }

  TEST_CASE("a node that stops while an entry rests applies it whole first [C3]") {
    Fixture f;
    f.begin();
    caf::anon_send(f.machine, FlushState{true, [](LogIndex, Term) {}});
    caf::anon_send(f.machine, stop_atom_v);
    f.run();
    CHECK(f.executor.applied() == LogIndex{2});
    CHECK(f.keyspace.calls == std::vector<std::string>{"flush"});
  }
}

}  // namespace kiwi::actors
