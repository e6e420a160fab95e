// Do the states of all nodes agree? The leader asks now and then (kiwi.compare); each node that
// applies the question says, through the log, what its rolling checksum was there (kiwi.checksum);
// and each node finds in the answers whether it is the one that differs. So nothing is asked that a
// wrong state could answer for others, and all judge by the same answers.
//
// Memory only: it is no part of the state, and nothing that entries leave behind depends on it.
// Part of the Database.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/ids.hpp"

namespace kiwi::resp {

class Comparison {
 public:
  enum class Verdict : uint8_t {
    kOpen,         // not enough answers yet, or nothing new
    kThisDiffers,  // from what a majority of the voters say
    kOthersDiffer,
    kNoMajority,  // everybody answered, and no majority says the same
  };
  struct Claim {
    LogIndex index;  // of the question
    uint64_t checksum = 0;
    bool operator==(const Claim&) const = default;
  };

  // Of the entry that is applied. `live`: it is not repeated after a start.
  void begin_entry(LogIndex index, bool live) {
    index_ = index;
    live_ = live;
  }
  // The question: what is the checksum here?
  void ask(uint64_t checksum) {
    asked_ = Claim{index_, checksum};
    answers_.clear();
    judged_ = false;
    if (live_) {
      to_say_ = asked_;
    }
  }
  // A member's answer. One to another question than the last that was asked here counts for
  // nothing.
  void answer(NodeId node, const Claim& claim) {
    if (asked_ && claim.index == asked_->index && answers_.size() < kAnswersMax) {
      answers_.emplace(node, claim.checksum);  // the first one counts
    }
  }
  // Once for each question, as soon as it can be said.
  Verdict judge(std::span<const NodeId> voters);

  // What this node has to say.
  std::optional<Claim> take_claim() { return std::exchange(to_say_, std::nullopt); }
  const std::optional<Claim>& asked() const { return asked_; }
  bool this_differs() const { return this_differs_; }  // from then on, always
  // What most voters say, after a verdict.
  uint64_t majority() const { return majority_; }

 private:
  static constexpr size_t kAnswersMax = 64;  // more than there are members

  LogIndex index_;
  bool live_ = false;
  std::optional<Claim> asked_;  // and what this node has there
  std::optional<Claim> to_say_;
  std::map<NodeId, uint64_t> answers_;
  uint64_t majority_ = 0;
  bool judged_ = false;
  bool this_differs_ = false;
};

}  // namespace kiwi::resp
