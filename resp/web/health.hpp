// What the health endpoints say, of what the loops left behind lately. Pure functions; any thread.
//
// /livez asks whether a restart would help: a loop that stands still. Never whether there is a
// leader or a quorum: a restart brings neither, and a supervisor would restart all nodes in a row.
// /readyz asks whether clients should be sent here.
#pragma once

#include <cstdint>
#include <string>

namespace kiwi::resp::web {

// Why a node is not ready, as its client loop sees it.
enum class Readiness : uint8_t {
  kReady,
  kOpening,  // its data
  kNoCluster,
  kLoading,
  kRemoved,
  kNoLeader,
  kLeaderNotReady,  // elected, and its term has no committed entry yet
  kLeaderAway,      // the link to it is down
  kDraining,
};

// Times are monotonic milliseconds.
struct Vitals {
  int64_t now_ms = 0;
  bool opened = false;         // the data; the loops run from then on
  int64_t client_beat_ms = 0;  // ten times a second
  int64_t raft_beat_ms = 0;
  bool raft_on_disk = false;  // the raft loop is in a read or write of the log
  uint64_t client_cpu_us = 0;
  uint64_t raft_cpu_us = 0;
  Readiness readiness = Readiness::kOpening;
  bool leads = false;  // and is ready to
  int64_t election_timeout_ms = 0;
};

// After a second without a beat a loop is told as stalled, after thirty a restart is due.
inline constexpr int64_t kStalledMs = 1000;
inline constexpr int64_t kDeadMs = 30'000;

bool client_stalled(const Vitals& vitals);
bool raft_stalled(const Vitals& vitals);

struct Health {
  bool ok = false;
  std::string text;  // a sentence without its end
};
Health live(const Vitals& vitals);     // /livez
Health ready(const Vitals& vitals);    // /readyz
Health leads(const Vitals& vitals);    // /leader
Health started(const Vitals& vitals);  // /startupz

}  // namespace kiwi::resp::web
