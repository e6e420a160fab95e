#include "actors/client_loop.hpp"

#include <array>
#include <chrono>
#include <ctime>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include "config/base/check.hpp"
#include "config/base/clock.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;

// The actors of this loop that have mail, in the order in which they got it. Each handler that Asio
// is given costs a look at its epoll, and a command passes through five actors: so they share one.
class ClientLoop::Ready {
 public:
  Ready(asio::io_context& io, std::function<int64_t()> now_us)
      : io_(io), now_us_(std::move(now_us)) {}

  // Any thread. What the loop's own handlers queue is run behind the one at hand.
  void add(Unit& unit, caf::resumable* actor) {
    if (io_.get_executor().running_in_this_thread()) {
      if (queue(unit, actor)) {
        asio::post(io_, [this] { run(); });
      }
      return;
    }
    asio::post(io_, [this, &unit, actor] {
      if (queue(unit, actor)) {
        run();
      }
    });
  }

  // On the loop: what is queued behind the first is run by the second, in the handler at hand.
  // False: it is seen to already.
  bool hold() { return !std::exchange(coming_, true); }
  bool running() const { return running_; }
  void behind(std::function<void()> work) { behind_ = std::move(work); }
  void run_held() {
    CHECK_INVARIANT(coming_);
    if (waiting_.empty()) {
      coming_ = false;
    } else {
      run();
    }
  }

 private:
  struct Waiting {
    Unit* unit;
    caf::resumable* actor;
  };

  // True: the caller sees to it that they are run.
  bool queue(Unit& unit, caf::resumable* actor) {
    waiting_.push_back({&unit, actor});
    return !std::exchange(coming_, true);
  }
  void run();
  bool run_some();

  asio::io_context& io_;
  const std::function<int64_t()> now_us_;
  std::vector<Waiting> waiting_;  // [next_, end)
  size_t next_ = 0;
  bool coming_ = false;  // run() is posted or at work
  bool running_ = false;
  std::function<void()> behind_;
};

// How CAF hands an actor with mail to this loop.
class ClientLoop::Unit final : public caf::execution_unit {
 public:
  Unit(caf::actor_system& system, Ready& ready, size_t mail_max)
      : execution_unit(&system), ready_(ready), mail_max_(mail_max), running_(system) {}

  void exec_later(caf::resumable* actor) override { ready_.add(*this, actor); }

  void run(caf::resumable* actor) {
    switch (actor->resume(&running_, mail_max_)) {
      case caf::resumable::resume_later:
        exec_later(actor);
        break;
      case caf::resumable::shutdown_execution_unit:
        break;
      default:
        caf::intrusive_ptr_release(actor);
    }
  }

 private:
  // The unit an actor sees while it runs: actors that are not hosted go to CAF's scheduler.
  class Running final : public caf::execution_unit {
   public:
    explicit Running(caf::actor_system& system) : execution_unit(&system) {}
    void exec_later(caf::resumable* actor) override { system().scheduler().enqueue(actor); }
  };

  Ready& ready_;
  size_t mail_max_;
  Running running_;
};

void ClientLoop::Ready::run() {
  running_ = true;
  const bool more = run_some();
  running_ = false;
  if (behind_) {
    behind_();
  }
  if (more) {
    asio::post(io_, [this] { run(); });
  }
}

// Also those that get mail meanwhile, until the sockets should be looked at again: true.
bool ClientLoop::Ready::run_some() {
  const int64_t until_us = now_us_() + kActorsUs;
  do {
    CHECK_INVARIANT(coming_ && next_ < waiting_.size());
    const Waiting first = waiting_[next_++];
    if (next_ == waiting_.size()) {
      waiting_.clear();
      next_ = 0;
    }
    first.unit->run(first.actor);
  } while (!waiting_.empty() && !io_.stopped() && now_us_() < until_us);
  if (waiting_.empty()) {
    coming_ = false;
    return false;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(next_));
  next_ = 0;
  return true;
}

struct ClientLoop::Parts {
  Parts(caf::actor_system& system, std::function<int64_t()> now_us)
      : guard(io.get_executor()),
        ready(io, std::move(now_us)),
        eager(system, ready, 128),
        polite(system, ready, 1) {}

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  std::array<asio::steady_timer, kAlarms> alarms{asio::steady_timer(io), asio::steady_timer(io)};
  Ready ready;
  Unit eager;
  Unit polite;
};

ClientLoop::ClientLoop(caf::actor_system& system, std::function<int64_t()> now_us)
    : parts_(std::make_unique<Parts>(system, std::move(now_us))) {}
ClientLoop::~ClientLoop() = default;

Hosting ClientLoop::hosting() {
  Hosting hosting;
  hosting.unit = &parts_->eager;
  return hosting;
}

Hosting ClientLoop::polite_hosting() {
  Hosting hosting;
  hosting.unit = &parts_->polite;
  return hosting;
}

bool ClientLoop::hold_actors() { return parts_->ready.hold(); }
void ClientLoop::run_held_actors() { parts_->ready.run_held(); }

bool ClientLoop::runs_actors() const { return parts_->ready.running(); }
void ClientLoop::behind_actors(std::function<void()> work) {
  parts_->ready.behind(std::move(work));
}

asio::io_context& ClientLoop::io() { return parts_->io; }
void ClientLoop::run() { parts_->io.run(); }
void ClientLoop::stop() { parts_->io.stop(); }
void ClientLoop::post(std::function<void()> work) { asio::post(parts_->io, std::move(work)); }

namespace {

struct Periodic : std::enable_shared_from_this<Periodic> {
  Periodic(asio::io_context& io, int64_t milliseconds, std::function<bool()> f)
      : timer(io), period(milliseconds), work(std::move(f)) {}

  void arm() {
    timer.expires_after(period);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error && self->work()) {
        self->arm();
      }
    });
  }

  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<bool()> work;
};

}  // namespace

void ClientLoop::every(int64_t milliseconds, std::function<bool()> work) {
  CHECK_INVARIANT(milliseconds > 0);
  std::make_shared<Periodic>(parts_->io, milliseconds, std::move(work))->arm();
}

void ClientLoop::after_us(size_t alarm, int64_t microseconds, std::function<void()> work) {
  CHECK_INVARIANT(alarm < parts_->alarms.size() && microseconds >= 0);
  asio::steady_timer& timer = parts_->alarms.at(alarm);
  timer.expires_after(std::chrono::microseconds(microseconds));
  timer.async_wait([work = std::move(work)](const boost::system::error_code& error) {
    if (!error) {
      work();
    }
  });
}

int64_t ClientLoop::monotonic_ms() { return boot_clock_us() / 1000; }
int64_t ClientLoop::monotonic_us() { return boot_clock_us(); }
int64_t ClientLoop::wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace kiwi::actors
