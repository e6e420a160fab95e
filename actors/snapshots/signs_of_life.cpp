#include "actors/snapshots/signs_of_life.hpp"

#include <utility>

#include "config/base/check.hpp"
#include "rocks/background.hpp"

namespace kiwi::actors {

SignsOfLife::~SignsOfLife() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void SignsOfLife::begin(std::function<void()> sign) {
  CHECK_INVARIANT(sign != nullptr);
  rocks::count_steps(&steps_);
  const std::lock_guard lock(mutex_);
  CHECK_INVARIANT(sign_ == nullptr && !ending_);
  sign_ = std::move(sign);
  began_ = moved_ = Clock::now();
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
}

void SignsOfLife::end() {
  rocks::count_steps(nullptr);
  const std::lock_guard lock(mutex_);
  sign_ = nullptr;
}

void SignsOfLife::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait_for(lock, pace_.every);
    if (ending_ || sign_ == nullptr) {
      continue;
    }
    const Clock::time_point now = Clock::now();
    if (const uint64_t steps = steps_.load(std::memory_order_relaxed); steps != seen_steps_) {
      seen_steps_ = steps;
      moved_ = now;
    }
    if (now - began_ >= pace_.every && now - moved_ < pace_.patience) {
      sign_();
    }
  }
}

}  // namespace kiwi::actors
