// One thread that does jobs in order, for what may not hold up whoever posts it. Plain class; its
// owner outlives nothing that the jobs use, and nobody posts once the destructor runs.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace kiwi {

class JobThread {
 public:
  enum class Start : uint8_t { kNow, kWithFirstJob };
  // What the destructor waits for.
  enum class End : uint8_t { kJobAtHand, kAllJobs };

  // `before` runs on the thread, ahead of the first job.
  JobThread(Start start, End end, std::function<void()> before = {});
  ~JobThread();
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  void post(std::function<void()> job);  // any thread

 private:
  void run();

  const End end_;
  const std::function<void()> before_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace kiwi
