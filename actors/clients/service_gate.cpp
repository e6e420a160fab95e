#include "actors/clients/service_gate.hpp"

namespace kiwi::actors {

void ServiceGate::waiting_for_cluster(bool known_to_have_one) { wiped_ = known_to_have_one; }

void ServiceGate::started(LogIndex commit_hint, int64_t now_ms) {
  hint_ = commit_hint;
  started_ms_ = now_ms;
}

void ServiceGate::leader_ready(LogIndex commit) {
  if (!leader_commit_) {
    leader_commit_ = commit;
  }
}

void ServiceGate::committed(LogIndex index, int64_t now_ms) {
  commit_ = index;
  if (awaited_ && applied_ >= *awaited_) {
    awaited_.reset();
  }
  if (!awaited_ && applied_ < commit_) {
    awaited_ = commit_;
    awaited_since_ms_ = now_ms;
  }
}

resp::Service ServiceGate::service(int64_t now_ms) {
  if (removed_ || second_cluster_) {
    return resp::Service::kRemoved;
  }
  if (!hint_) {
    return wiped_ ? resp::Service::kLoading : resp::Service::kUninitialized;
  }
  if (!caught_up_) {
    const bool replayed = applied_ >= *hint_;
    if (leader_commit_) {
      caught_up_ = replayed && applied_ >= *leader_commit_;
      open_ = caught_up_;
    } else {
      open_ = replayed && now_ms - started_ms_ >= patience_ms_;
    }
  }
  committed(commit_, now_ms);
  if (receiving_ || installing_) {
    return resp::Service::kLoading;
  }
  if (awaited_ && now_ms - awaited_since_ms_ > lag_ms_) {
    return resp::Service::kLoading;
  }
  return open_ ? resp::Service::kUp : resp::Service::kLoading;
}

}  // namespace kiwi::actors
