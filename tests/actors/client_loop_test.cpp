// In which order the actors of a client loop run, and when the loop looks at its sockets.
#include "actors/client_loop.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"

namespace kiwi::actors {

namespace {

// Does the test's work with each message.
class Hand final : public Hosted<LinkHandle> {
 public:
  Hand(caf::actor_config& cfg, const Hosting& hosting, std::function<void(Hand&)> work)
      : Hosted(cfg, hosting, "Hand", Vital::kNo), work_(std::move(work)) {}

  behavior_type make_behavior() override {
    return {[](const LinkState&) {}, [this](timer_atom) { work_(*this); },
            [this](stop_atom) { end(); }};
  }
  void again() { send(this, timer_atom_v); }

 private:
  std::function<void(Hand&)> work_;
};

struct World {
  World() {
    config.set("logger.console", caf::atom("none"));
    system.emplace(config);
    loop.emplace(*system, [this] { return now_us; });
  }
  ~World() {
    for (const LinkHandle& handle : {a, b}) {
      caf::anon_send(handle, stop_atom_v);
    }
    settle();
    a = b = nullptr;
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  LinkHandle spawn(const Hosting& hosting, std::function<void(Hand&)> work) {
    return spawn_hosted<Hand>(*system, hosting, std::move(work));
  }
  void settle() {
    loop->io().poll();
    loop->io().restart();
  }
  // Sends `a` its first message from a handler of the loop; gives what had happened when the
  // handler behind it ran, which stands for a socket that became readable meanwhile.
  std::string seen_behind_first() {
    settle();  // both have begun
    std::string seen;
    loop->post([&] {
      caf::anon_send(a, timer_atom_v);
      loop->post([&] { seen = order; });
    });
    settle();
    return seen;
  }

  int64_t now_us = 0;
  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  std::optional<ClientLoop> loop;
  LinkHandle a;
  LinkHandle b;
  std::string order;
};

}  // namespace

TEST_CASE("a message that goes from actor to actor reaches the last one before other handlers") {
  World w;
  const auto hop = [&w](char name, const LinkHandle& next) {
    w.order += name;
    if (w.order.size() < 10) {
      caf::anon_send(next, timer_atom_v);
    }
  };
  w.a = w.spawn(w.loop->hosting(), [&](Hand&) { hop('a', w.b); });
  w.b = w.spawn(w.loop->hosting(), [&](Hand&) { hop('b', w.a); });
  CHECK(w.seen_behind_first() == "ababababab");
}

TEST_CASE("actors that have run for long let the sockets be looked at") {
  World w;
  const auto hop = [&w](char name, const LinkHandle& next) {
    w.order += name;
    w.now_us += ClientLoop::kActorsUs / 2;
    if (w.order.size() < 10) {
      caf::anon_send(next, timer_atom_v);
    }
  };
  w.a = w.spawn(w.loop->hosting(), [&](Hand&) { hop('a', w.b); });
  w.b = w.spawn(w.loop->hosting(), [&](Hand&) { hop('b', w.a); });
  CHECK(w.seen_behind_first() == "ab");
  CHECK(w.order == "ababababab");  // the rest was not forgotten
}

TEST_CASE("a polite actor lets the others go first after each message, an eager one does not") {
  for (const bool polite : {true, false}) {
    World w;
    w.a = w.spawn(polite ? w.loop->polite_hosting() : w.loop->hosting(), [&w](Hand& self) {
      w.order += 'a';
      if (w.order == "a") {
        caf::anon_send(w.b, timer_atom_v);
      }
      if (w.order.size() < 4) {
        self.again();
      }
    });
    w.b = w.spawn(w.loop->hosting(), [&w](Hand&) { w.order += 'b'; });
    CHECK(w.seen_behind_first() == (polite ? "abaa" : "aaaab"));
  }
}

TEST_CASE("a handler that holds the actors runs them itself, behind all that it sends") {
  World w;
  w.a = w.spawn(w.loop->hosting(), [&w](Hand&) {
    w.order += 'a';
    caf::anon_send(w.b, timer_atom_v);
  });
  w.b = w.spawn(w.loop->hosting(), [&w](Hand&) { w.order += 'b'; });
  w.settle();
  w.loop->post([&w] {
    REQUIRE(w.loop->hold_actors());
    CHECK_FALSE(w.loop->hold_actors());  // once is enough
    caf::anon_send(w.a, timer_atom_v);
    CHECK(w.order.empty());
    w.loop->run_held_actors();
    CHECK(w.order == "ab");
    REQUIRE(w.loop->hold_actors());
    w.loop->run_held_actors();  // nobody got anything
  });
  w.settle();
  CHECK(w.order == "ab");
  caf::anon_send(w.b, timer_atom_v);
  w.settle();
  CHECK(w.order == "abb");
}

TEST_CASE("mail from another thread runs its actor and those behind it at once") {
  World w;
  w.a = w.spawn(w.loop->hosting(), [&w](Hand&) {
    w.order += 'a';
    caf::anon_send(w.b, timer_atom_v);
  });
  w.b = w.spawn(w.loop->hosting(), [&w](Hand&) { w.order += 'b'; });
  w.settle();
  std::string seen;
  caf::anon_send(w.a, timer_atom_v);  // the loop does not run now: as from outside
  w.loop->post([&] { seen = w.order; });
  w.settle();
  CHECK(seen == "ab");
}

TEST_CASE(
    "what belongs behind the actors comes once none is left, or when the sockets get their turn") {
  World w;
  w.a = w.spawn(w.loop->hosting(), [&w](Hand&) {
    CHECK(w.loop->runs_actors());
    w.order += 'a';
    w.now_us += ClientLoop::kActorsUs / 2;
    if (w.order.size() < 5) {
      caf::anon_send(w.b, timer_atom_v);
    }
  });
  w.b = w.spawn(w.loop->hosting(), [&w](Hand&) {
    w.order += 'b';
    w.now_us += ClientLoop::kActorsUs / 2;
    caf::anon_send(w.a, timer_atom_v);
  });
  w.settle();
  w.loop->behind_actors([&w] {
    CHECK_FALSE(w.loop->runs_actors());
    w.order += '|';
  });
  caf::anon_send(w.a, timer_atom_v);
  w.settle();
  CHECK(w.order == "ab|ab|a|");
  w.loop->behind_actors(nullptr);
  caf::anon_send(w.a, timer_atom_v);
  w.settle();
  CHECK(w.order == "ab|ab|a|a");
}

}  // namespace kiwi::actors
