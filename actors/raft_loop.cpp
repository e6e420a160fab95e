#include "actors/raft_loop.hpp"

#include <future>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <caf/io/all.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/event_handler.hpp>

#include "base/check.hpp"

namespace kiwi::actors {

namespace net = caf::io::network;

namespace {

// An eventfd or timerfd: reads its counter, then posts the work behind the events of this round.
class CounterHandler final : public net::event_handler {
 public:
  CounterHandler(net::default_multiplexer& multiplexer, int fd) : event_handler(multiplexer, fd) {}

  void set_work(std::function<void()> work) { work_ = std::move(work); }
  void watch() {
    state_.reading = true;
    activate();
  }
  void unwatch() { passivate(); }

  void handle_event(net::operation op) override {
    if (op != net::operation::read) {
      return;
    }
    uint64_t count = 0;
    if (::read(fd(), &count, sizeof(count)) == sizeof(count) && work_) {
      work_();
    }
  }
  void removed_from_loop(net::operation) override {}
  void graceful_shutdown() override {}

 private:
  std::function<void()> work_;
};

net::default_multiplexer& multiplexer_of(caf::actor_system& system) {
  auto* found = dynamic_cast<net::default_multiplexer*>(&system.middleman().backend());
  CHECK_INVARIANT(found != nullptr);
  return *found;
}

}  // namespace

struct RaftLoop::Parts {
  explicit Parts(net::default_multiplexer& m) : multiplexer(m) {}

  net::default_multiplexer& multiplexer;
  std::unique_ptr<CounterHandler> bounce;
  std::vector<std::unique_ptr<CounterHandler>> timers;
  std::function<void()> bounced;
};

RaftLoop::RaftLoop(caf::actor_system& system)
    : system_(system), parts_(std::make_unique<Parts>(multiplexer_of(system))) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  CHECK_INVARIANT(fd >= 0);
  parts_->bounce = std::make_unique<CounterHandler>(parts_->multiplexer, fd);
  parts_->bounce->set_work([this] {
    // Other sockets of this round may still have to be served: go behind them.
    parts_->multiplexer.post([this] {
      auto work = std::exchange(parts_->bounced, nullptr);
      if (work) {
        work();
      }
    });
  });
  parts_->multiplexer.post([this] { parts_->bounce->watch(); });
}

RaftLoop::~RaftLoop() = default;

Hosting RaftLoop::hosting() {
  Hosting hosting;
  hosting.unit = &parts_->multiplexer;
  hosting.multiplexer = true;
  return hosting;
}

void RaftLoop::every(int64_t milliseconds, std::function<void()> work) {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  CHECK_INVARIANT(fd >= 0);
  itimerspec spec{};
  spec.it_interval.tv_sec = milliseconds / 1000;
  spec.it_interval.tv_nsec = milliseconds % 1000 * 1'000'000;
  spec.it_value = spec.it_interval;
  CHECK_INVARIANT(::timerfd_settime(fd, 0, &spec, nullptr) == 0);
  parts_->multiplexer.post([this, fd, work = std::move(work)] {
    auto timer = std::make_unique<CounterHandler>(parts_->multiplexer, fd);
    timer->set_work(work);
    timer->watch();
    parts_->timers.push_back(std::move(timer));
  });
}

void RaftLoop::after_sockets(std::function<void()> work) {
  CHECK_INVARIANT(!parts_->bounced);
  parts_->bounced = std::move(work);
  const uint64_t one = 1;
  CHECK_INVARIANT(::write(parts_->bounce->fd(), &one, sizeof(one)) == sizeof(one));
}

void RaftLoop::stop() {
  std::promise<void> done;
  parts_->multiplexer.post([this, &done] {
    parts_->bounce->unwatch();
    for (auto& timer : parts_->timers) {
      timer->unwatch();
    }
    done.set_value();
  });
  done.get_future().wait();
  // One more round, so that the loop has carried the removals out before the handlers go away.
  std::promise<void> gone;
  parts_->multiplexer.post([&gone] { gone.set_value(); });
  gone.get_future().wait();
}

}  // namespace kiwi::actors
