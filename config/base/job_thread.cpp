#include "config/base/job_thread.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi {

JobThread::JobThread(Start start, End end, std::function<void()> before)
    : end_(end), before_(std::move(before)) {
  if (start == Start::kNow) {
    thread_ = std::thread([this] { run(); });
  }
}

JobThread::~JobThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void JobThread::post(std::function<void()> job) {
  CHECK_INVARIANT(job != nullptr);
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (!thread_.joinable()) {
      thread_ = std::thread([this] { run(); });
    }
  }
  changed_.notify_one();
}

void JobThread::run() {
  if (before_) {
    before_();
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty() || (ending_ && end_ == End::kJobAtHand)) {
      return;
    }
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds may end now
    lock.lock();
  }
}

}  // namespace kiwi
