// One thread for the keyspace's slow work (flushes, checkpoints), begun with the first job, so that
// the apply thread is never held up. Owned by a Keyspace adaptor, whose end waits for the jobs that
// were posted.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace kiwi::rocks {

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
