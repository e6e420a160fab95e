#include "rocks/hash_seed.hpp"

#include <sys/random.h>

#include "config/base/check.hpp"

namespace kiwi::rocks {

uint64_t random_seed() {
  uint64_t seed = 0;
  CHECK_INVARIANT(::getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

}  // namespace kiwi::rocks
