#include "actors/raft_loop.hpp"

#include <future>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <caf/io/all.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/event_handler.hpp>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace net = caf::io::network;

namespace {

// A timerfd: reads its counter, then calls the work.
class TimerHandler final : public net::event_handler {
 public:
  TimerHandler(net::default_multiplexer& multiplexer, int fd) : event_handler(multiplexer, fd) {}

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
  std::vector<std::unique_ptr<TimerHandler>> timers;
};

RaftLoop::RaftLoop(caf::actor_system& system)
    : system_(system), parts_(std::make_unique<Parts>(multiplexer_of(system))) {}

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
    auto timer = std::make_unique<TimerHandler>(parts_->multiplexer, fd);
    timer->set_work(work);
    timer->watch();
    parts_->timers.push_back(std::move(timer));
  });
}

void RaftLoop::stop() {
  std::promise<void> done;
  parts_->multiplexer.post([this, &done] {
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
