// One thread for the keyspace's slow work (flushes, checkpoints), begun with the first job, so that
// the apply thread is never held up. Owned by a Keyspace adaptor, whose end waits for the jobs that
// were posted.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace kiwi::rocks {

// Makes the calling thread one that works beside those who answer clients: it gets less of a busy
// processor, never takes it from another thread by waking up, and has a long slice (from Linux 6.12
// on a thread that wakes up may take the processor from one with a longer slice at once). Not
// SCHED_IDLE: what such a thread holds (a mutex of RocksDB) nobody gets while others are busy, and
// without privileges it could not come back. Best effort; the threads that it makes inherit it.
void work_in_background();

enum class Pace : uint8_t {
  kSteady,  // 0.1 ms of rest after 1 ms of work: others wait for what is done
  kSlow,    // as much rest as work: at most half a processor
};

// Said again and again by long loops: lets others have the processor for a moment, if the calling
// thread works in the background. Priorities are not enough: they do not count between nodes that
// share a machine (Linux schedules sessions as groups), and a thread that wakes up may have to wait
// for the kernel's next tick for each thread before it.
void breathe(Pace pace = Pace::kSteady);

class Background {
 public:
  Background() = default;
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void post(std::function<void()> job);  // one thread at a time

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace kiwi::rocks
