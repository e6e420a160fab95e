// When the cluster's version may rise (F46): all members, learners too, support the next one. By
// hand at once; by itself when that has been so for a minute, so that a node which is tried with a
// new build can go back.
//
// Plain: what members said comes in, what to propose goes out. Owned by Node, client loop. Times
// are monotonic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/base/ids.hpp"

namespace kiwi::actors {

struct MemberVersion {
  NodeId id;
  std::optional<uint32_t> highest;  // that its build supports; nullopt: it cannot be heard now
};

struct RaiseFacts {
  uint32_t present = 1;  // of the cluster, as applied here
  uint32_t own_highest = 1;
  std::vector<MemberVersion> others;
};

enum class RaiseRefusal : uint8_t {
  kNone,
  kHighest,  // this build knows no later version
  kTooOld,   // `about` does not support it
  kUnheard,  // whether `about` does is not known
};
struct RaiseOutcome {
  RaiseRefusal refusal = RaiseRefusal::kNone;
  NodeId about;
  uint32_t present = 0;
  uint32_t highest = 0;  // kTooOld: that `about` supports

  bool may() const { return refusal == RaiseRefusal::kNone; }
};
// What no waiting cures is said first: a member that is too old before one that is away.
RaiseOutcome may_raise(const RaiseFacts& facts);
// An error reply, first word included; empty: it may.
std::string sentence(const RaiseOutcome& outcome);

class AutomaticRaise {
 public:
  AutomaticRaise(int64_t after_ms, int64_t again_ms) : after_ms_(after_ms), again_ms_(again_ms) {}

  // Asked again and again. True: propose the next version now. It may be lost, so it is proposed
  // again while nothing comes of it.
  bool look(bool leads, bool wanted, const RaiseFacts& facts, int64_t now_ms);

 private:
  const int64_t after_ms_;
  const int64_t again_ms_;
  bool counts_ = false;   // all support the version after counted_
  uint32_t counted_ = 0;  // the present one since then
  int64_t next_ms_ = 0;   // when it is proposed
};

}  // namespace kiwi::actors
