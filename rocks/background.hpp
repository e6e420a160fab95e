// Threads that work beside those who answer clients, and give way to them.
#pragma once

#include <atomic>
#include <cstdint>

#include "config/base/job_thread.hpp"

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

// From now on each breathe() of the calling thread adds one there, for who watches whether its work
// goes on; null: no longer.
void count_steps(std::atomic<uint64_t>* steps);

// For a keyspace's slow work (flushes, checkpoints), so that the apply thread is never held up.
inline JobThread background_thread() {
  return {JobThread::Start::kWithFirstJob, JobThread::End::kAllJobs, work_in_background};
}

}  // namespace kiwi::rocks
