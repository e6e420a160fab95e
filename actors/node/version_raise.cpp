#include "actors/node/version_raise.hpp"

#include <utility>

namespace kiwi::actors {

RaiseOutcome may_raise(const RaiseFacts& facts) {
  RaiseOutcome outcome;
  outcome.present = facts.present;
  if (facts.own_highest <= facts.present) {
    outcome.refusal = RaiseRefusal::kHighest;
    return outcome;
  }
  for (const MemberVersion& other : facts.others) {
    if (other.highest && *other.highest <= facts.present) {
      outcome.refusal = RaiseRefusal::kTooOld;
      outcome.about = other.id;
      outcome.highest = *other.highest;
      return outcome;
    }
    if (!other.highest && outcome.may()) {
      outcome.refusal = RaiseRefusal::kUnheard;
      outcome.about = other.id;
    }
  }
  return outcome;
}

std::string sentence(const RaiseOutcome& outcome) {
  const std::string node = "node " + std::to_string(outcome.about.value);
  const std::string next = std::to_string(outcome.present + 1);
  switch (outcome.refusal) {
    case RaiseRefusal::kNone:
      return {};
    case RaiseRefusal::kHighest:
      return "ERR the cluster is at version " + std::to_string(outcome.present) +
             ", the highest that this build supports";
    case RaiseRefusal::kTooOld:
      return "ERR " + node + " supports cluster versions up to " + std::to_string(outcome.highest) +
             " only: start a newer build there first";
    case RaiseRefusal::kUnheard:
      return "ERR " + node +
             " is not linked to this node, so nobody knows here whether it supports cluster "
             "version " +
             next + ": start it, or remove it from the cluster";
  }
  return {};
}

bool AutomaticRaise::look(bool leads, bool wanted, const RaiseFacts& facts, int64_t now_ms) {
  if (!leads || !wanted || !may_raise(facts).may()) {
    counts_ = false;
    return false;
  }
  if (!std::exchange(counts_, true) || counted_ != facts.present) {
    counted_ = facts.present;
    next_ms_ = now_ms + after_ms_;
  }
  if (now_ms < next_ms_) {
    return false;
  }
  next_ms_ = now_ms + again_ms_;
  return true;
}

}  // namespace kiwi::actors
