#include "config/base/job_thread.hpp"

#include <future>
#include <memory>
#include <string>

#include <doctest/doctest.h>

namespace kiwi {
namespace {

TEST_SUITE("base") {
  TEST_CASE("a job thread does its jobs in the order in which they came, behind its first word") {
    std::string done;
    std::promise<void> last;
    JobThread thread(JobThread::Start::kNow, JobThread::End::kAllJobs, [&] { done += '>'; });
    for (const char job : {'a', 'b', 'c'}) {
      thread.post([&done, job] { done += job; });
    }
    thread.post([&] { last.set_value(); });
    last.get_future().wait();
    CHECK(done == ">abc");
  }

  TEST_CASE("the end of a job thread waits for the job at hand, or for all that were posted") {
    for (const auto end : {JobThread::End::kJobAtHand, JobThread::End::kAllJobs}) {
      std::string done;
      {
        std::promise<void> begun;
        JobThread thread(JobThread::Start::kWithFirstJob, end);
        thread.post([&] {
          begun.set_value();
          done += 'a';
        });
        for (const char job : {'b', 'c', 'd'}) {
          thread.post([&done, job] { done += job; });
        }
        begun.get_future().wait();
      }
      CHECK(done.starts_with('a'));
      CHECK((end == JobThread::End::kJobAtHand || done == "abcd"));
    }
  }

  TEST_CASE("a job thread without jobs ends") {
    const JobThread begun(JobThread::Start::kNow, JobThread::End::kAllJobs);
    const JobThread never(JobThread::Start::kWithFirstJob, JobThread::End::kAllJobs);
  }

  TEST_CASE("what a job holds ends with the job, not with the next one") {
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> seen = held;
    std::promise<bool> gone;
    JobThread thread(JobThread::Start::kWithFirstJob, JobThread::End::kAllJobs);
    thread.post([held = std::move(held)] {});
    thread.post([&] { gone.set_value(seen.expired()); });
    CHECK(gone.get_future().get());
  }
}

}  // namespace
}  // namespace kiwi
