// When Raft is told how far the state is, and which term an applied entry had. Nothing there waits
// for plain batches that are applied, and to wake its loop for each costs a wake-up and a turn a
// write: the timer tells it. What is waited for is told at once: a configuration, a no-op, more
// bytes than kTellBytes.
//
// Plain class; owned by StateMachine, on the client loop.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "raft/types.hpp"

namespace kiwi::actors {

class AppliedNews {
 public:
  // By the core's own measure, and far less than it lets be under way to apply (F28).
  static constexpr uint64_t kTellBytes = 256 * 1024;

  // What the state holds already, by this start or by a snapshot.
  AppliedNews(LogIndex applied, Term term) { begin(applied, term); }
  void begin(LogIndex applied, Term term);

  // It comes to be applied; in the order of the log.
  void given(const raft::Entry& entry);
  // Everything up to it is applied.
  void applied(LogIndex index);
  // Something of what was given is waited for.
  bool urgent() const { return told_at_once_ != LogIndex{}; }
  // What to tell, if there is anything new; it is taken for told.
  std::optional<LogIndex> take();

  // nullopt: of what was forgotten.
  std::optional<Term> term_of(LogIndex index) const;
  void forget_below(LogIndex index);  // that one itself is kept

 private:
  LogIndex untold_;  // applied up to here; 0 = told
  LogIndex given_;
  uint64_t untold_bytes_ = 0;                    // given since all that was given was told
  LogIndex told_at_once_;                        // up to here it waits; 0 = for nothing
  std::deque<std::pair<LogIndex, Term>> terms_;  // where each term begins
};

}  // namespace kiwi::actors
