// What the loops leave behind for whoever asks after the node's health: beats, and what the client
// loop last knew. Each field has one writer; read by the HTTP thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include "resp/web/health.hpp"

namespace kiwi::actors {

struct Pulse {
  std::atomic<bool> opened{false};  // written last at the start: the loops are there
  std::atomic<int64_t> client_beat_ms{0};
  std::atomic<int64_t> raft_beat_ms{0};
  std::atomic<bool> raft_on_disk{false};
  std::atomic<uint64_t> client_cpu_us{0};
  std::atomic<uint64_t> raft_cpu_us{0};
  std::atomic<resp::web::Readiness> readiness{resp::web::Readiness::kOpening};
  std::atomic<bool> leads{false};

  resp::web::Vitals seen(int64_t now_ms, int64_t election_timeout_ms) const {
    resp::web::Vitals out;
    out.opened = opened;
    out.now_ms = now_ms;
    out.client_beat_ms = client_beat_ms;
    out.raft_beat_ms = raft_beat_ms;
    out.raft_on_disk = raft_on_disk;
    out.client_cpu_us = client_cpu_us;
    out.raft_cpu_us = raft_cpu_us;
    out.readiness = readiness;
    out.leads = leads;
    out.election_timeout_ms = election_timeout_ms;
    return out;
  }
};

// Of the calling thread.
inline uint64_t thread_cpu_us() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(used.tv_nsec) / 1000;
}

}  // namespace kiwi::actors
