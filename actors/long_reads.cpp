#include "actors/long_reads.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rocks/background.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kPauseMs = 100;  // between pictures

}  // namespace

LongReads::LongReads(Done done) : done_(std::move(done)) {}
LongReads::~LongReads() { stop(); }

void LongReads::add(std::vector<resp::LongRead> reads) {
  std::ranges::move(reads, std::back_inserter(waiting_));
}

void LongReads::pump(rocks::Keyspace& keyspace, int64_t now_ms) {
  if (waiting_.empty() || now_ms < next_ms_) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (busy_) {
      return;
    }
    busy_ = true;
    running_ = std::exchange(waiting_, {});
  }
  next_ms_ = now_ms + kPauseMs;
  if (!worker_) {
    worker_ = std::make_unique<Worker>();
    worker_->post([] { rocks::work_in_background(); });  // the loops go first
  }
  keyspace.view_async([this](std::unique_ptr<rocks::Reader> view) {
    auto held = std::make_shared<std::unique_ptr<rocks::Reader>>(std::move(view));
    worker_->post([this, held] { run(*held); });
  });
}

// The picture ends before anybody can hear that nothing runs.
void LongReads::run(std::unique_ptr<rocks::Reader>& view) {
  for (;;) {
    resp::LongReadResult result;
    bool last = false;
    {
      std::unique_lock lock(mutex_);
      const resp::LongRead read = running_.front();
      lock.unlock();
      result = resp::run_long_read(*view, read, stop_);
      lock.lock();
      if (!result.stopped) {
        running_.pop_front();
      }
      last = result.stopped || running_.empty();
      if (last) {
        view.reset();
        busy_ = false;
        changed_.notify_all();
      }
    }
    if (!result.stopped) {
      done_(std::move(result));
    }
    if (last) {
      return;
    }
  }
}

void LongReads::stop() {
  stop_ = true;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !busy_; });
    waiting_.insert(waiting_.begin(), std::make_move_iterator(running_.begin()),
                    std::make_move_iterator(running_.end()));
    running_.clear();
  }
  worker_.reset();  // what it was about to report is reported
  stop_ = false;
  next_ms_ = 0;
}

}  // namespace kiwi::actors
