// The hash of keys in memory: with a seed that no client knows, so that none can choose keys that
// meet in one chain (F63). No order, nothing stored and nothing sent comes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "config/base/checksum.hpp"

namespace kiwi::rocks {

uint64_t random_seed();

class SeededHash {
 public:
  explicit SeededHash(std::optional<uint64_t> seed) : seed_(seed ? *seed : random_seed()) {}

  uint64_t operator()(std::string_view key) const { return checksum64(key, seed_); }

 private:
  uint64_t seed_;
};

}  // namespace kiwi::rocks
