// LookRule: may the client loop leave its sockets alone until what is under way is committed? Who
// writes waits for that commit anyway, so to be read before it gains such a client nothing and
// costs the loop a wake-up each. Whoever could be answered sooner can gain: then the loop looks at
// its sockets as they come.
//
// Plain class; made by TcpServer; client loop; the time is given (monotonic microseconds).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "resp/router_status.hpp"

namespace kiwi::actors {

class LookRule {
 public:
  // Whoever gained from being read will again, so long after it. A first read behind a longer
  // silence may find the loop asleep until the commit under way: kShortUs at most, where those are
  // short. Longer, and whoever asks INFO each second would keep the loop awake for all.
  static constexpr int64_t kGainUs = 200'000;
  // Where commits take longer than this, groups overlap instead of taking turns: a client that
  // writes would wait too long to be read. Four times what the router lets writes wait behind
  // others.
  static constexpr int64_t kShortUs = 4000;

  // A client did something else than to write, or is new: nobody knows what it will say.
  void can_gain() { gained_ = true; }
  // The node ends: who says nothing more should be noticed. For good.
  void end() { ending_ = true; }
  // Once at the end of each turn of the router.
  [[nodiscard]] bool may_sleep(const resp::Flight& flight, size_t clients, int64_t now_us);

  std::optional<int64_t> commit_us() const { return commit_us_; }  // as of late; none: not seen yet

 private:
  void measure(const resp::Flight& flight, int64_t now_us);

  bool gained_ = false;  // since the last turn
  std::optional<int64_t> gained_us_;
  std::optional<int64_t> commit_us_;
  uint64_t watched_ = 0;  // a batch under way; 0: none
  int64_t watched_since_us_ = 0;
  bool ending_ = false;
};

}  // namespace kiwi::actors
