// Strings as bits, in Redis' order: bit 0 is the highest of the first byte. Bits that no byte holds
// are 0. Walks only chunks that are there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/string_value.hpp"

namespace kiwi::resp::bits {

// A range of bits, both ends included.
struct Range {
  uint64_t first = 0;
  uint64_t last = 0;
};

// Requires range.last < 8 * string.size().
uint64_t count(const String& string, const Range& range);
// The first bit of the range that is `bit`.
std::optional<uint64_t> find(const String& string, bool bit, const Range& range);

// ---- BITFIELD: integers of any size anywhere
struct FieldType {
  bool is_signed = false;
  uint32_t bits = 0;  // 1 to 64, or to 63 of unsigned ones
};
enum class Overflow : uint8_t { kWrap, kSaturate, kFail };

// The lowest `bits` bits, with the sign carried to the left of a signed one.
int64_t get(const String& string, uint64_t offset, const FieldType& type);
// The string is long enough.
void set(String& string, uint64_t offset, const FieldType& type, int64_t value);

// What a field becomes by value + increment. `fits` is false if that is not in its range; `value`
// then is what the rule makes of it, and kFail makes nothing.
struct Sum {
  int64_t value = 0;
  bool fits = true;
};
Sum add(const FieldType& type, Overflow rule, int64_t value, int64_t increment);

// ---- BITOP
enum class Operation : uint8_t { kAnd, kOr, kXor, kNot };

// Takes sources one after the other, as they were found, and stores what they make. Sources may be
// the target, too: they are read until it is replaced.
class Combination {
 public:
  Combination(Database& database, Operation operation)
      : database_(database), operation_(operation), chunk_bytes_(database.shape().chunk_bytes) {}

  void add(const Key& source);  // a string, or not live: an empty one
  uint64_t size() const { return size_; }
  // size() is not 0.
  void store(Key& target);

 private:
  struct Spread {
    rocks::CollectionId chunks;
    uint64_t size = 0;
  };
  void fold(std::string_view bytes, bool is_first);
  bool fold_chunk(uint32_t index);
  void finish(uint64_t size);
  void store_spread(Key& target);

  Database& database_;
  const Operation operation_;
  const uint64_t chunk_bytes_;
  uint64_t size_ = 0;
  size_t sources_ = 0;
  std::vector<Spread> spread_;  // those that have more than the first chunk
  std::string result_;          // of the chunk at hand; short ones end in zeros
};

}  // namespace kiwi::resp::bits
