#include "actors/client_loop.hpp"

#include <array>
#include <chrono>
#include <ctime>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;

// Queues the actors of this loop with Asio. CAF gives it a reference with every actor that has
// mail.
class ClientLoop::Unit final : public caf::execution_unit {
 public:
  Unit(caf::actor_system& system, asio::io_context& io, size_t mail_max)
      : execution_unit(&system), io_(io), mail_max_(mail_max), running_(system) {}

  void exec_later(caf::resumable* actor) override {
    asio::post(io_, [this, actor] { run(actor); });
  }

 private:
  // The unit an actor sees while it runs: actors that are not hosted go to CAF's scheduler.
  class Running final : public caf::execution_unit {
   public:
    explicit Running(caf::actor_system& system) : execution_unit(&system) {}
    void exec_later(caf::resumable* actor) override { system().scheduler().enqueue(actor); }
  };

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

  asio::io_context& io_;
  size_t mail_max_;
  Running running_;
};

struct ClientLoop::Parts {
  explicit Parts(caf::actor_system& system)
      : guard(io.get_executor()), eager(system, io, 128), polite(system, io, 1) {}

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  std::array<asio::steady_timer, kAlarms> alarms{asio::steady_timer(io), asio::steady_timer(io)};
  Unit eager;
  Unit polite;
};

ClientLoop::ClientLoop(caf::actor_system& system) : parts_(std::make_unique<Parts>(system)) {}
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

int64_t clock_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

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

int64_t ClientLoop::monotonic_ms() { return clock_us(CLOCK_BOOTTIME) / 1000; }
int64_t ClientLoop::monotonic_us() { return clock_us(CLOCK_BOOTTIME); }
int64_t ClientLoop::wall_ms() { return clock_us(CLOCK_REALTIME) / 1000; }

}  // namespace kiwi::actors
