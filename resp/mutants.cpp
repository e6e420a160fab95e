#include "resp/mutants.hpp"

#include <array>
#include <cstddef>

namespace kiwi::resp {

const char* mutant_name(Mutant mutant) {
  static constexpr std::array kNames = {
      "none",
      "number-reused",
      "void-not-sent",
      "refusal-answered-at-once",
      "zombie-after-timeout",
      "timeout-says-failed",
      "read-ignores-writes",
      "write-overtakes-reads",
      "never-sent-again",
      "duplicate-applied",
      "read-before-index",
      "expire-unconditional",
      "ask-numbers-again",
      "long-read-old-clock",
      "lost-reply-says-err",
      "long-read-overtaken",
      "round-beside-clamped",
      "serve-in-vain-answered",
      "timeout-beside-serve",
      "once-age-first",
      "once-floor-ignored",
      "once-nil-not-kept",
      "once-no-script-kept",
      "once-waiter-not-woken",
  };
  static_assert(kNames.size() == static_cast<size_t>(Mutant::kCount));
  return kNames[static_cast<size_t>(mutant)];
}

}  // namespace kiwi::resp
