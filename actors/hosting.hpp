// Where an actor runs. CAF queues a scheduled actor through the execution unit that enqueue() is
// given; a hosted actor always gives the unit of its own loop (CAF 0.17.6), so all that runs on one
// loop shares its thread, needs no lock, and a message between two of them costs no system call.
// Without a unit the actor runs on CAF's scheduler, in tests the deterministic one.
//
// Hosted<Interface> is the base of every shell: it also turns a lost or throwing vital actor into
// the end of the process (fail-stop: README.md#when-something-fails).
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <caf/all.hpp>

#include "config/base/check.hpp"

namespace kiwi::actors {

struct Hosting {
  caf::execution_unit* unit = nullptr;  // null: CAF's scheduler
  bool multiplexer = false;             // the unit is CAF's own multiplexer (the raft loop)
  // Called with one sentence when a vital actor fails. Tests give their own.
  std::function<void(std::string_view)> fail_stop = [](std::string_view why) { fatal(why); };
};

enum class Vital : uint8_t { kNo, kYes };

template <class Interface>
class Hosted : public Interface::base {
 public:
  using Super = typename Interface::base;
  using Super::enqueue;

  Hosted(caf::actor_config& cfg, const Hosting& hosting, const char* name, Vital vital)
      : Super(cfg), hosting_(hosting), name_(name), vital_(vital) {
    this->set_exception_handler(
        [this](std::exception_ptr& thrown) -> caf::error { return handle_exception(thrown); });
    this->set_default_handler(caf::drop);  // never print what a stranger sent
  }

  // The sender's unit is of no use: it may be a socket's event that sends, outside any unit's run.
  void enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) override {
    Super::enqueue(std::move(mail), hosting_.unit);
  }
  caf::resumable::subtype_t subtype() const override {
    return hosting_.multiplexer ? caf::resumable::io_actor : Super::subtype();
  }
  const char* name() const override { return name_; }

  void on_exit() override {
    stopped();
    if (expected_end_) {
      return;
    }
    if (vital_ == Vital::kYes) {
      hosting_.fail_stop(std::string(name_) + " ended; a node cannot run without it");
    } else {
      died(failure_.empty() ? "it was ended" : failure_);
    }
  }

 protected:
  const Hosting& hosting() const { return hosting_; }
  // The node is shutting down: the end of this actor is no failure.
  void end() {
    expected_end_ = true;
    this->quit();
  }
  void set_vital(Vital vital) { vital_ = vital; }  // while it does what must be finished
  virtual void stopped() {}                        // drop handles and timers
  virtual void died(const std::string&) {}         // not vital, not asked to end: who restarts it?

 private:
  caf::error handle_exception(std::exception_ptr& thrown) {
    std::string what = "unknown exception";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) {
    }
    if (vital_ == Vital::kYes) {
      expected_end_ = true;  // say it once
      hosting_.fail_stop(std::string(name_) + " failed: " + what);
    }
    failure_ = std::move(what);
    return caf::exit_reason::unhandled_exception;
  }

  Hosting hosting_;
  const char* name_;
  Vital vital_;
  bool expected_end_ = false;
  std::string failure_;  // what was thrown
};

template <class Actor, class... Args>
auto spawn_hosted(caf::actor_system& system, const Hosting& hosting, Args&&... args) {
  caf::actor_config cfg{hosting.unit};
  return system.spawn_class<Actor, caf::no_spawn_options>(cfg, hosting,
                                                          std::forward<Args>(args)...);
}

}  // namespace kiwi::actors
