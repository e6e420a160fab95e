#include "actors/node/joining.hpp"

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "resp/texts.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kComeBackMs = 1500;  // for the leader to see a wiped node by itself
constexpr int64_t kAskAgainMs = 1000;
constexpr int64_t kByHandMs = 60'000;

}  // namespace

std::string sentence(const JoinResult& result) {
  switch (result.end) {
    case JoinEnd::kIn:
      return {};
    case JoinEnd::kLogMissing:
      return std::string(resp::texts::kJoinLogMissing);
    case JoinEnd::kNoAnswer:
      return std::string(resp::texts::kJoinNoAnswer);
    case JoinEnd::kNobodyReached:
      return "ERR failed to connect to cluster for join, please check logs";
    case JoinEnd::kRefused:
      return sentence(result.reply);
    case JoinEnd::kRefusedLater:
      return resp::texts::join_refused_later(sentence(result.reply));
  }
  return {};
}

void Joining::by_option(std::vector<config::PeerAddress> members) {
  CHECK_INVARIANT(!attempt_ && !members.empty());
  attempt_.emplace().addresses = std::move(members);
}

void Joining::come_back(std::vector<config::PeerAddress> members, int64_t now_ms) {
  if (!attempt_ && !members.empty()) {
    attempt_.emplace().addresses = std::move(members);
    attempt_->again_ms = now_ms + kComeBackMs;
  }
}

bool Joining::by_hand(std::vector<config::PeerAddress> members, int64_t now_ms) {
  if (attempt_) {
    return false;
  }
  attempt_.emplace();
  attempt_->addresses_left = members.size();
  attempt_->addresses = std::move(members);
  attempt_->deadline_ms = now_ms + kByHandMs;
  tick(now_ms);
  return true;
}

void Joining::tick(int64_t now_ms) {
  if (!attempt_ || attempt_->asking) {
    return;
  }
  Attempt& now = *attempt_;
  if (now.admitted) {
    if (now.addresses_left && now_ms >= now.deadline_ms) {
      end(JoinEnd::kLogMissing);
    }
    return;
  }
  if (now_ms < now.again_ms) {
    return;
  }
  if (now.addresses_left && (*now.addresses_left)-- == 0) {
    end(now.unknown ? JoinEnd::kNoAnswer : JoinEnd::kNobodyReached);
    return;
  }
  CHECK_INVARIANT(!now.addresses.empty());
  now.asking = true;
  effects_.ask = now.addresses[now.next++ % now.addresses.size()].peer;
}

void Joining::answered(const VisitOutcome& outcome, int64_t now_ms) {
  const bool yes = outcome.reply && outcome.reply->yes();
  if (!attempt_) {
    // A link said it first, and the log is empty yet: the way to the leader is in the answer.
    if (yes) {
      effects_.met = outcome.reply->configuration;
    }
    return;
  }
  attempt_->asking = false;
  if (!yes) {
    refused(outcome, now_ms);
    return;
  }
  attempt_->admitted = true;
  log_notice("node " + std::to_string(outcome.node.value) +
             " let this node in; waiting for the log");
  effects_.met = outcome.reply->configuration;
}

void Joining::refused(const VisitOutcome& outcome, int64_t now_ms) {
  Attempt& now = *attempt_;
  const bool by_hand = now.addresses_left.has_value();
  const std::string problem = outcome.reply ? sentence(*outcome.reply) : outcome.problem;
  if (now.said != problem) {
    now.said = problem;
    log_warning("joining a cluster: " + problem);
  }
  const bool may_come = outcome.reply && outcome.reply->may_come_yet();
  now.again_ms = by_hand ? 0 : now_ms + kAskAgainMs;
  if (by_hand && outcome.reply) {  // a member said no
    end(now.unknown && !may_come ? JoinEnd::kRefusedLater : JoinEnd::kRefused, *outcome.reply);
    return;
  }
  now.unknown = now.unknown || may_come || (!outcome.reply && outcome.asked);
  tick(now_ms);
}

void Joining::welcomed(const raft::Configuration& members) {
  if (attempt_) {
    attempt_->admitted = true;
  }
  effects_.met = members;
}

void Joining::core_runs() {
  if (attempt_) {
    end(JoinEnd::kIn);
  }
}

void Joining::end(JoinEnd how, VisitReply reply) {
  CHECK_INVARIANT(attempt_.has_value());
  if (attempt_->addresses_left) {
    effects_.tell_operator = JoinResult{how, std::move(reply)};
  }
  attempt_.reset();
}

}  // namespace kiwi::actors
