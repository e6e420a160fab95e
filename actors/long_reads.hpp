// Runs long reads (resp/long_read.hpp) beside the client loop: one thread, one picture of the state
// at a time for all that wait for one, and not many a second, for each makes the keyspace write to
// files what it holds in memory. Plain class.
//
// Owned by StateMachine; its methods are the client loop's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "actors/worker.hpp"
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
  // To be called after add(), after each Done, and now and then: begins what waits, on the state
  // as it is committed now.
  void pump(rocks::Keyspace& keyspace, int64_t now_ms);
  // Returns when no picture is held any more (the keyspace may end then); what was not done waits
  // for the next pump().
  void stop();

 private:
  void run(std::unique_ptr<rocks::Reader>& view);

  const Done done_;
  std::deque<resp::LongRead> waiting_;  // client loop only
  int64_t next_ms_ = 0;                 // no new picture before

  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<resp::LongRead> running_;
  bool busy_ = false;               // a picture is being made or held
  std::unique_ptr<Worker> worker_;  // with the first read
};

}  // namespace kiwi::actors
