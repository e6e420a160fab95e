// Runs long reads (resp/long_read.hpp) beside the client loop: one thread, one view of the state
// at a time. A view may make the keyspace write to files what it holds in memory, so they come
// at a pace that writers do not feel (F65); it serves whoever waits, one read of each connection in
// turn, and ends when newcomers wait and each had its turn. Plain class.
//
// Owned by StateMachine; its methods are the client loop's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "actors/state/long_read_queue.hpp"
#include "config/base/job_thread.hpp"
#include "resp/long_read.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::actors {

class LongReads {
 public:
  using Done = std::function<void(resp::LongReadResult)>;
  explicit LongReads(Done done);  // called on a thread of its own, once per read
  ~LongReads();
  LongReads(const LongReads&) = delete;
  LongReads& operator=(const LongReads&) = delete;

  void add(std::vector<resp::LongRead> reads);
  // Those of them that have not begun are over, and what is to be told of them; one that runs goes
  // on.
  std::vector<resp::LongReadResult> expire(const std::vector<uint64_t>& ids);
  // Nobody waits for these: they are not run, and one that runs is stopped.
  void drop(const std::vector<uint64_t>& ids);
  // To be called after add(), after each Done, after each turn and now and then: begins what waits,
  // on the state as it is committed now, if a view is cheap for the writers.
  void pump(rocks::StateStore& store, int64_t now_ms);
  // Returns when no view is held any more (the keyspace may end then); what was not done waits
  // for the next pump(). A view that is not made yet is not waited for: whoever makes it drops
  // it.
  void stop();

 private:
  enum class View : uint8_t { kNone, kAsked, kHeld };
  // Reached by views that come when nobody waits for them any more.
  struct Asked {
    std::mutex mutex;
    LongReads* by = nullptr;  // null: dropped
  };

  void view_made(std::unique_ptr<rocks::Reader> view, int64_t took_ms);
  void run(std::unique_ptr<rocks::Reader>& view);
  bool run_one(rocks::Reader& view, std::unique_lock<std::mutex>& lock, resp::LongReadResult& out);
  int64_t pause_ms(uint32_t cost) const;

  const Done done_;
  int64_t asked_ms_ = 0;               // for the last view that cost something
  std::unique_ptr<JobThread> worker_;  // with the first read
  std::shared_ptr<Asked> asked_;       // the last view
  std::atomic<int64_t> took_ms_{0};    // to make that view
  std::atomic<bool> stop_read_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  LongReadQueue waiting_;  // for the next view
  LongReadQueue on_view_;  // for this one
  size_t turns_left_ = 0;  // reads that still run on it when others wait
  uint64_t running_ = 0;   // 0: none does
  bool running_dropped_ = false;
  View view_ = View::kNone;
  bool stopping_ = false;
};

}  // namespace kiwi::actors
