#include "resp/web/health.hpp"

#include <algorithm>

#include "config/base/check.hpp"

namespace kiwi::resp::web {

namespace {

constexpr int64_t kBeatMs = 100;

int64_t age(int64_t beat_ms, const Vitals& vitals) {
  return std::max<int64_t>(0, vitals.now_ms - beat_ms);
}

std::string stands(const char* loop, int64_t for_ms) {
  return std::string("the ") + loop + " loop stands still for " + std::to_string(for_ms / 1000) +
         " s";
}

const char* sentence(Readiness readiness) {
  switch (readiness) {
    case Readiness::kReady:
      return "ready";
    case Readiness::kOpening:
      return "the node opens its data";
    case Readiness::kNoCluster:
      return "the node belongs to no cluster yet";
    case Readiness::kLoading:
      return "the node catches up with its cluster";
    case Readiness::kRemoved:
      return "the node was removed from its cluster";
    case Readiness::kNoLeader:
      return "no leader is known";
    case Readiness::kLeaderNotReady:
      return "the leader is not ready yet";
    case Readiness::kLeaderAway:
      return "the link to the leader is down";
    case Readiness::kDraining:
      return "the node is drained";
  }
  return "not ready";
}

}  // namespace

bool client_stalled(const Vitals& vitals) {
  return vitals.opened && age(vitals.client_beat_ms, vitals) > kStalledMs;
}

bool raft_stalled(const Vitals& vitals) {
  return vitals.opened && age(vitals.raft_beat_ms, vitals) > kStalledMs;
}

Health live(const Vitals& vitals) {
  if (!vitals.opened) {
    return {true, sentence(Readiness::kOpening)};
  }
  if (age(vitals.client_beat_ms, vitals) > kDeadMs) {
    return {false, stands("client", age(vitals.client_beat_ms, vitals))};
  }
  // A disk that hangs is not cured by a new process.
  if (age(vitals.raft_beat_ms, vitals) > kDeadMs && !vitals.raft_on_disk) {
    return {false, stands("raft", age(vitals.raft_beat_ms, vitals))};
  }
  return {true, "alive"};
}

Health ready(const Vitals& vitals) {
  if (!vitals.opened) {
    return {false, sentence(Readiness::kOpening)};
  }
  // What a loop said last holds for as long as it goes on.
  const int64_t patience_ms =
      std::max<int64_t>(kStalledMs, 2 * vitals.election_timeout_ms + 2 * kBeatMs);
  CHECK_INVARIANT(patience_ms >= kStalledMs);
  if (age(vitals.client_beat_ms, vitals) > patience_ms) {
    return {false, stands("client", age(vitals.client_beat_ms, vitals))};
  }
  if (age(vitals.raft_beat_ms, vitals) > patience_ms) {
    return {false, stands("raft", age(vitals.raft_beat_ms, vitals))};
  }
  return {vitals.readiness == Readiness::kReady, sentence(vitals.readiness)};
}

Health leads(const Vitals& vitals) {
  Vitals serving = vitals;
  if (serving.readiness == Readiness::kDraining) {
    serving.readiness = Readiness::kReady;  // until another node leads, it serves on
  }
  if (const Health health = ready(serving); !health.ok) {
    return health;
  }
  return {vitals.leads, vitals.leads ? "this node leads" : "another node leads"};
}

Health started(const Vitals& vitals) {
  return {vitals.opened, vitals.opened ? "started" : sentence(Readiness::kOpening)};
}

}  // namespace kiwi::resp::web
