#include "raft/mutants.hpp"

#include <array>
#include <cstddef>

namespace kiwi::raft {

const char* mutant_name(Mutant mutant) {
  static constexpr std::array kNames = {
      "none",
      "vote-before-persist",
      "ack-before-persist",
      "commit-old-terms",
      "no-noop-gate",
      "read-without-confirmation",
      "truncate-matching-suffix",
      "stale-token-believed",
      "token-ignored-at-term-change",
      "removed-voter-counted",
      "learner-counted",
      "commit-by-last-index",
      "read-bound-ignored",
      "configuration-not-rolled-back",
      "wiped-voter-counted",
      "read-counted-early",
      "step-down-keeps-reads",
      "new-term-keeps-clock",
      "lease-from-answer",
      "lease-after-timeout-now",
      "cut-above-flushed",
      "pin-ignored",
      "suffix-dropped-at-install",
      "old-snapshot-believed",
      "snapshot-configuration-ignored",
      "ack-while-installing",
      "removed-never-campaigns",
      "reader-clock-unlimited",
      "stopped-leader-answers",
      "unapplied-kept",
      "unready-leader-stays",
      "living-member-replaced",
      "old-copy-counted",
  };
  static_assert(kNames.size() == static_cast<size_t>(Mutant::kCount));
  return kNames[static_cast<size_t>(mutant)];
}

}  // namespace kiwi::raft
