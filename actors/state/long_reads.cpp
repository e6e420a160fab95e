#include "actors/state/long_reads.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/reply_stream.hpp"
#include "resp/types/steps.hpp"
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

int64_t ms_since(std::chrono::steady_clock::time_point then) {
  const auto passed = std::chrono::steady_clock::now() - then;
  return std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
}

}  // namespace

// Everything but `stop` with the mutex of `all`.
struct LongReads::Lane final : resp::ReplySink {
  explicit Lane(LongReads& owner) : all(owner) {}
  void piece(std::string bytes) override { all.send(*this, std::move(bytes)); }

  void begin(const resp::LongRead& read) {
    running = read.id;
    to = read.op.to;
    stop = false;
    dropped = false;
    waits = false;
    sent = unsent = 0;
    began = took = Clock::now();
  }

  LongReads& all;
  bool taken = false;    // it has, or will get, a view
  bool held = false;     // it has one
  uint64_t running = 0;  // 0: nothing is
  resp::ReplySlot to;
  std::atomic<bool> stop{false};
  bool dropped = false;  // nobody waits for it
  bool waits = false;    // for its client
  size_t sent = 0;       // bytes of its reply
  size_t unsent = 0;     // of them, what the client's session has
  Clock::time_point began;
  Clock::time_point took;  // when the client last took something
  // The loops go first. Last: it uses the others.
  JobThread worker{JobThread::Start::kNow, JobThread::End::kJobAtHand, rocks::work_in_background};
};

LongReads::LongReads(Done done, const LongReadLimits& limits)
    : done_(std::move(done)), limits_(limits) {}
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
  for (const auto& lane : lanes_) {
    if (lane->running != 0 && std::ranges::find(ids, lane->running) != ids.end()) {
      lane->dropped = true;
      lane->stop = true;
    }
  }
  changed_.notify_all();
}

void LongReads::taken(const resp::ReplyTaken& taken) {
  CHECK_INVARIANT(taken.read != 0);
  const std::lock_guard lock(mutex_);
  for (const auto& lane : lanes_) {
    if (lane->running == taken.read) {
      lane->unsent -= std::min(lane->unsent, taken.bytes);
      lane->took = Clock::now();
      changed_.notify_all();
    }
  }
}

int64_t LongReads::pause_ms(uint32_t cost) const {
  const uint32_t eighths = cost <= kQuarter ? 0 : (cost - kQuarter) / kEighth;
  return std::max(kPauseMs << eighths, std::min(kShare * took_ms_.load(), kPauseForShareMs));
}

// With the mutex. Each connection's reads run one after the other (F44), so those of these wait.
std::vector<resp::ConnectionId> LongReads::busy() const {
  std::vector<resp::ConnectionId> connections;
  for (const auto& lane : lanes_) {
    if (lane->running != 0) {
      connections.push_back(lane->to.connection);
    }
  }
  return connections;
}

// With the mutex.
LongReads::Lane* LongReads::free_lane() {
  for (const auto& lane : lanes_) {
    if (!lane->taken) {
      return lane.get();
    }
  }
  return lanes_.size() < limits_.lanes ? lanes_.emplace_back(std::make_unique<Lane>(*this)).get()
                                       : nullptr;
}

// With the mutex.
void LongReads::cut_slow() {
  if (std::ranges::none_of(lanes_, [](const auto& lane) { return lane->waits; })) {
    return;
  }
  const Clock::time_point now = Clock::now();
  const bool wanted = waiting_.has_any(busy()) && free_lane() == nullptr;
  for (const auto& lane : lanes_) {
    if (!lane->waits) {
      continue;
    }
    const auto silent = now - lane->took;
    const auto age = now - lane->began;
    const auto age_ms = std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
    const uint64_t enough = limits_.slow_bytes_a_second * static_cast<uint64_t>(age_ms) / 1000;
    const bool slow = age >= limits_.silence_of_few && lane->sent - lane->unsent < enough;
    if (silent >= limits_.silence || age >= limits_.view_age ||
        (wanted && (silent >= limits_.silence_of_few || slow))) {
      lane->stop = true;
      changed_.notify_all();
    }
  }
}

void LongReads::pump(rocks::StateStore& store, int64_t now_ms) {
  {
    const std::lock_guard lock(mutex_);
    cut_slow();
    if (view_ != View::kNone || !waiting_.has_any(busy()) || free_lane() == nullptr) {
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
    CHECK_INVARIANT(view_ == View::kNone && on_view_.empty() && works_ == nullptr);
    next_ = free_lane();
    CHECK_INVARIANT(next_ != nullptr);  // only here one is taken
    next_->taken = true;
    view_ = View::kAsked;
    on_view_ = std::exchange(waiting_, {});
    turns_left_ = on_view_.connections();
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
  Lane* lane = nullptr;
  {
    const std::lock_guard lock(mutex_);
    CHECK_INVARIANT(view_ == View::kAsked);
    lane = std::exchange(next_, nullptr);
    CHECK_INVARIANT(lane != nullptr && lane->taken && !lane->held);
    if (!view) {
      waiting_.put_in_front(std::exchange(on_view_, {}));
      view_ = View::kNone;
      lane->taken = false;
      changed_.notify_all();
      return;
    }
    view_ = View::kHeld;
    works_ = lane;
    lane->held = true;
  }
  auto held = std::make_shared<std::unique_ptr<rocks::Reader>>(std::move(view));
  lane->worker.post([this, lane, held] { run(*lane, *held); });
}

// With the lock held, which it gives up meanwhile. nullopt: nobody is to be told.
std::optional<resp::LongReadResult> LongReads::run_one(Lane& lane,
                                                       rocks::Reader& view,
                                                       std::unique_lock<std::mutex>& lock) {
  CHECK_INVARIANT(lane.running == 0 && works_ == &lane && view_ == View::kHeld);
  std::optional<resp::LongRead> read = on_view_.take(busy());
  CHECK_INVARIANT(read.has_value());
  turns_left_ -= turns_left_ != 0 ? 1 : 0;
  lane.begin(*read);
  lock.unlock();
  resp::ReplyStream stream(lane);
  resp::LongReadResult result = resp::run_long_read(view, *read, lane.stop, &stream);
  lock.lock();
  lane.running = 0;
  lane.to = {};
  if (lane.sent != 0) {
    result.replies.read = result.id;
  }
  if (!result.stopped) {
    return result;
  }
  if (lane.dropped) {
    return std::nullopt;
  }
  if (lane.sent != 0) {
    return resp::broken_long_read(*read);
  }
  CHECK_INVARIANT(works_ == &lane);  // who is parked has sent something
  on_view_.put_back(std::move(*read));
  return std::nullopt;
}

// With the mutex: no read begins in this lane any more.
bool LongReads::is_over(const Lane& lane) const {
  return stopping_ || works_ != &lane || !on_view_.has_any(busy()) ||
         (turns_left_ == 0 && waiting_.has_any(busy()));
}

// The view ends before anybody can hear that nothing runs.
void LongReads::run(Lane& lane, std::unique_ptr<rocks::Reader>& view) {
  for (bool last = false; !last;) {
    std::optional<resp::LongReadResult> result;
    {
      std::unique_lock lock(mutex_);
      if (!is_over(lane)) {
        result = run_one(lane, *view, lock);
      }
      last = is_over(lane);
      if (last) {
        if (works_ == &lane) {
          waiting_.put_in_front(std::exchange(on_view_, {}));
          view_ = View::kNone;
          works_ = nullptr;
        }
        view.reset();
        lane.held = lane.taken = false;
        changed_.notify_all();
      }
    }
    if (result) {
      done_(std::move(*result));
    }
  }
}

// The lane's thread, inside run_one(): a piece of the reply it makes.
void LongReads::send(Lane& lane, std::string bytes) {
  resp::LongReadResult piece;
  resp::ReplyBatch& batch = piece.replies;
  {
    const std::lock_guard lock(mutex_);
    CHECK_INVARIANT(lane.running != 0 && !bytes.empty() && bytes.size() <= UINT32_MAX);
    lane.sent += bytes.size();
    lane.unsent += bytes.size();
    piece.id = batch.read = lane.running;
    batch.connection = lane.to.connection;
    batch.parts.push_back({lane.to.slot, 0, static_cast<uint32_t>(bytes.size())});
  }
  batch.bytes = std::move(bytes);
  batch.more = true;
  done_(std::move(piece));

  std::unique_lock lock(mutex_);
  auto goes_on = [&lane] {
    return lane.stop || lane.unsent <= config::limits::kReplyWindowBytes / 2;
  };
  if (lane.unsent >= config::limits::kReplyWindowBytes) {
    lane.waits = true;
    if (!changed_.wait_for(lock, limits_.patience, goes_on) && park(lane)) {
      lock.unlock();
      done_({});
      lock.lock();
    }
    changed_.wait(lock, goes_on);
    lane.waits = false;
  }
  if (lane.stop) {
    throw resp::Stopped();
  }
}

// With the mutex. Whoever waits is served by another lane, on a later view. True: somebody does.
bool LongReads::park(Lane& lane) {
  if (works_ != &lane) {
    return false;
  }
  CHECK_INVARIANT(view_ == View::kHeld && lane.sent != 0);
  waiting_.put_in_front(std::exchange(on_view_, {}));
  works_ = nullptr;
  view_ = View::kNone;
  return !waiting_.empty();
}

void LongReads::stop() {
  if (asked_) {
    const std::lock_guard lock(asked_->mutex);
    asked_->by = nullptr;
  }
  std::vector<std::unique_ptr<Lane>> ended;
  {
    std::unique_lock lock(mutex_);
    if (view_ == View::kAsked) {
      waiting_.put_in_front(std::exchange(on_view_, {}));
      view_ = View::kNone;
      next_ = nullptr;
    }
    stopping_ = true;
    for (const auto& lane : lanes_) {
      lane->stop = true;
    }
    changed_.notify_all();
    changed_.wait(lock, [this] {
      return std::ranges::none_of(lanes_, [](const auto& lane) { return lane->held; });
    });
    CHECK_INVARIANT(view_ == View::kNone && works_ == nullptr);
    ended = std::exchange(lanes_, {});
  }
  ended.clear();  // what they were about to report is reported
  asked_.reset();
  stopping_ = false;
  asked_ms_ = 0;
}

}  // namespace kiwi::actors
