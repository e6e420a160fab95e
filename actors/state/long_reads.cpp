#include "actors/state/long_reads.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "config/base/check.hpp"
#include "rocks/background.hpp"

namespace kiwi::actors {

namespace {

// Between views for which files are written: the shortest pause while compaction keeps up. It
// doubles with each eighth of what compaction may owe, from a quarter on.
constexpr int64_t kPauseMs = 100;
constexpr uint32_t kEighth = 125;   // of StateStore::view_cost()
constexpr uint32_t kQuarter = 250;  // the same
constexpr uint32_t kTooMuch = 7 * kEighth;
static_assert(8 * kEighth == rocks::StateStore::kPressureFull && kQuarter == 2 * kEighth);
// What making them takes of the flusher's time: one part of so many.
constexpr int64_t kShare = 4;
constexpr int64_t kPauseForShareMs = 2000;  // at most, for that

using Clock = std::chrono::steady_clock;

int64_t ms_since(Clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - then).count();
}

}  // namespace

LongReads::LongReads(Done done) : done_(std::move(done)) {}
LongReads::~LongReads() { stop(); }

void LongReads::add(std::vector<resp::LongRead> reads) {
  const std::lock_guard lock(mutex_);
  for (resp::LongRead& read : reads) {
    waiting_.add(std::move(read));
  }
}

std::vector<resp::LongReadResult> LongReads::expire(const std::vector<uint64_t>& ids) {
  std::vector<resp::LongReadResult> results;
  const std::lock_guard lock(mutex_);
  for (LongReadQueue* queue : {&on_view_, &waiting_}) {
    for (const resp::LongRead& read : queue->remove(ids)) {
      results.push_back(resp::expired_long_read(read));
    }
  }
  return results;
}

void LongReads::drop(const std::vector<uint64_t>& ids) {
  const std::lock_guard lock(mutex_);
  on_view_.remove(ids);
  waiting_.remove(ids);
  if (running_ != 0 && std::ranges::find(ids, running_) != ids.end()) {
    running_dropped_ = true;
    stop_read_ = true;
  }
}

int64_t LongReads::pause_ms(uint32_t cost) const {
  const uint32_t eighths = cost <= kQuarter ? 0 : (cost - kQuarter) / kEighth;
  return std::max(kPauseMs << eighths, std::min(kShare * took_ms_.load(), kPauseForShareMs));
}

void LongReads::pump(rocks::StateStore& store, int64_t now_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() || view_ != View::kNone) {
      return;
    }
  }
  if (const uint32_t cost = store.view_cost()) {
    if (cost >= kTooMuch || now_ms - asked_ms_ < pause_ms(cost)) {
      return;
    }
    asked_ms_ = now_ms;
  }
  {
    const std::lock_guard lock(mutex_);
    CHECK_INVARIANT(view_ == View::kNone && on_view_.empty());
    view_ = View::kAsked;
    on_view_ = std::exchange(waiting_, {});
    turns_left_ = on_view_.connections();
  }
  if (!worker_) {
    worker_ = std::make_unique<JobThread>(JobThread::Start::kNow, JobThread::End::kJobAtHand,
                                          rocks::work_in_background);  // the loops go first
  }
  asked_ = std::make_shared<Asked>();
  asked_->by = this;
  store.view_async([asked = asked_, since = Clock::now()](std::unique_ptr<rocks::Reader> view) {
    const std::lock_guard lock(asked->mutex);
    if (asked->by != nullptr) {
      asked->by->view_made(std::move(view), ms_since(since));
    }
    view.reset();  // here, where the keyspace waits for this call
  });
}

// Without a view the state was given up: the reads wait for a view of the next one.
void LongReads::view_made(std::unique_ptr<rocks::Reader> view, int64_t took_ms) {
  took_ms_ = took_ms;
  {
    const std::lock_guard lock(mutex_);
    CHECK_INVARIANT(view_ == View::kAsked);
    if (!view) {
      waiting_.put_in_front(std::exchange(on_view_, {}));
      view_ = View::kNone;
      changed_.notify_all();
      return;
    }
    view_ = View::kHeld;
  }
  auto held = std::make_shared<std::unique_ptr<rocks::Reader>>(std::move(view));
  worker_->post([this, held] { run(*held); });
}

// With the lock held, which it gives up meanwhile. False: nobody is to be told.
bool LongReads::run_one(rocks::Reader& view,
                        std::unique_lock<std::mutex>& lock,
                        resp::LongReadResult& out) {
  CHECK_INVARIANT(running_ == 0 && view_ == View::kHeld);
  resp::LongRead read = on_view_.take();
  turns_left_ -= turns_left_ != 0 ? 1 : 0;
  running_ = read.id;
  running_dropped_ = false;
  stop_read_ = false;
  lock.unlock();
  out = resp::run_long_read(view, read, stop_read_);
  lock.lock();
  running_ = 0;
  if (out.stopped && !running_dropped_) {
    on_view_.put_back(std::move(read));
  }
  return !out.stopped && !running_dropped_;
}

// The view ends before anybody can hear that nothing runs.
void LongReads::run(std::unique_ptr<rocks::Reader>& view) {
  for (bool last = false; !last;) {
    resp::LongReadResult result;
    bool tell = false;
    {
      std::unique_lock lock(mutex_);
      auto over = [this] {
        return stopping_ || on_view_.empty() || (turns_left_ == 0 && !waiting_.empty());
      };
      if (!over()) {
        tell = run_one(*view, lock, result);
      }
      last = over();
      if (last) {
        waiting_.put_in_front(std::exchange(on_view_, {}));
        view.reset();
        view_ = View::kNone;
        changed_.notify_all();
      }
    }
    if (tell) {
      done_(std::move(result));
    }
  }
}

void LongReads::stop() {
  if (asked_) {
    const std::lock_guard lock(asked_->mutex);
    asked_->by = nullptr;
  }
  {
    std::unique_lock lock(mutex_);
    if (view_ == View::kAsked) {
      waiting_.put_in_front(std::exchange(on_view_, {}));
      view_ = View::kNone;
    }
    stopping_ = true;
    stop_read_ = true;
    changed_.wait(lock, [this] { return view_ == View::kNone; });
  }
  worker_.reset();  // what it was about to report is reported
  asked_.reset();
  stopping_ = false;
  asked_ms_ = 0;
}

}  // namespace kiwi::actors
