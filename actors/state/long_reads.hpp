// Runs long reads (resp/long_read.hpp) beside the client loop. A view of the state may make the
// keyspace write to files what it holds in memory, so views come at a pace that writers do not feel
// (F65); one serves whoever waits, one read of each connection in turn, and ends when newcomers
// wait and each had its turn. Plain class.
//
// A view is used by a *lane*, a thread of its own. One lane works at a time. A long reply leaves in
// pieces, and only kReplyWindowBytes of it may be on their way: a lane whose client does not keep
// up is parked with its view, and another one goes on with the rest. Lanes are few, so clients that
// read too slowly are cut off when others wait, and any after a time: views pin files.
//
// Owned by StateMachine; its methods are the client loop's.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/state/long_read_queue.hpp"
#include "config/base/job_thread.hpp"
#include "resp/long_read.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::actors {

struct LongReadLimits {
  size_t lanes = 16;                       // and so views, and replies that wait for their clients
  std::chrono::milliseconds patience{20};  // for a client, before its lane is parked
  // Who took nothing for so long is cut off; while others wait for a lane, sooner.
  std::chrono::milliseconds silence{60'000};
  std::chrono::milliseconds silence_of_few{10'000};
  uint64_t slow_bytes_a_second = 256 << 10;  // on the whole: cut off while others wait for a lane
  std::chrono::milliseconds view_age{600'000};
};

class LongReads {
 public:
  using Done = std::function<void(resp::LongReadResult)>;
  // Called on threads of their own, once per read, and before that for each piece of its reply;
  // with id 0: nothing is done, but pump() may have something to do.
  explicit LongReads(Done done, const LongReadLimits& limits = {});
  ~LongReads();
  LongReads(const LongReads&) = delete;
  LongReads& operator=(const LongReads&) = delete;

  void add(std::vector<resp::LongRead> reads);
  // Those of them that have not begun are over, and what is to be told of them; one that runs goes
  // on.
  std::vector<resp::LongReadResult> expire(const std::vector<uint64_t>& ids);
  // Nobody waits for these: they are not run, and one that runs is stopped.
  void drop(const std::vector<uint64_t>& ids);
  void taken(const resp::ReplyTaken& taken);  // of a reply in pieces
  // To be called after add(), after each Done, after each turn and now and then: begins what waits,
  // on the state as it is committed now, if a view is cheap for the writers.
  void pump(rocks::StateStore& store, int64_t now_ms);
  // Returns when no view is held any more (the keyspace may end then); what was not begun waits
  // for the next pump(), and a reply of which pieces were sent is broken off. A view that is not
  // made yet is not waited for: whoever makes it drops it.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  enum class View : uint8_t { kNone, kAsked, kHeld };
  // Reached by views that come when nobody waits for them any more.
  struct Asked {
    std::mutex mutex;
    LongReads* by = nullptr;  // null: dropped
  };
  struct Lane;

  void view_made(std::unique_ptr<rocks::Reader> view, int64_t took_ms);
  void run(Lane& lane, std::unique_ptr<rocks::Reader>& view);
  std::optional<resp::LongReadResult> run_one(Lane& lane,
                                              rocks::Reader& view,
                                              std::unique_lock<std::mutex>& lock);
  bool is_over(const Lane& lane) const;
  void send(Lane& lane, std::string bytes);
  bool park(Lane& lane);
  void cut_slow();
  std::vector<resp::ConnectionId> busy() const;
  Lane* free_lane();
  int64_t pause_ms(uint32_t cost) const;

  const Done done_;
  const LongReadLimits limits_;
  int64_t asked_ms_ = 0;             // for the last view that cost something
  std::shared_ptr<Asked> asked_;     // the last view
  std::atomic<int64_t> took_ms_{0};  // to make that view

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  LongReadQueue waiting_;    // for the next view
  LongReadQueue on_view_;    // for that of the lane that works
  size_t turns_left_ = 0;    // reads that still run on it when others wait
  View view_ = View::kNone;  // of the lane that works
  Lane* works_ = nullptr;    // with kHeld
  Lane* next_ = nullptr;     // with kAsked: who gets it
  bool stopping_ = false;
};

}  // namespace kiwi::actors
