#include "resp/types/effects.hpp"

#include <algorithm>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"

namespace kiwi::resp {

using rocks::Family;

namespace {

// Kinds of effects in the checksum. Part of the state's format, never renumber.
enum Effect : uint8_t { kPut = 1, kErase = 2, kEraseRange = 3, kEntry = 4 };

static_assert(kEntry < 1 << 4 && rocks::kFamilies <= 1 << 4, "both share a byte");

uint8_t of(Family family, Effect effect) {
  return static_cast<uint8_t>(static_cast<uint8_t>(family) << 4 | effect);
}

}  // namespace

const char* NameTooLong::what() const noexcept {
  static_assert(config::limits::kKeyNameBytes == 65'535);
  static_assert(config::limits::kFieldBytes == 1'048'576);
  switch (of) {
    case Of::kKey:
      return "ERR the name of a key is longer than 65535 bytes";
    case Of::kField:
      return "ERR a field or member is longer than 1048576 bytes";
    case Of::kGroup:
      return "ERR the name of a group or consumer is longer than 1048576 bytes";
  }
  return "ERR a name is too long";
}

void Effects::mix(uint8_t effect, std::string_view key, std::string_view value) {
  checksum_ = checksum64(value, checksum64(key, checksum_ + effect));
}

void Effects::put(Family family, const rocks::LookupKey& key, std::string_view value) {
  mix(of(family, kPut), key.bytes, value);
  writer().put(family, key, value);
  written();
}

// The checksum is that of put(): it takes the value as a whole.
void Effects::put_joined(Family family,
                         const rocks::LookupKey& key,
                         std::string_view head,
                         std::string_view tail) {
  const std::string_view value = writer().put_joined(family, key, head, tail);
  mix(of(family, kPut), key.bytes, value);
  written();
}

void Effects::erase(Family family, const rocks::LookupKey& key) {
  mix(of(family, kErase), key.bytes, {});
  writer().erase(family, key);
  written();
}

void Effects::erase_range(Family family, std::string_view from, std::string_view to) {
  mix(of(family, kEraseRange), from, to);
  writer().erase_range(family, from, to);
}

void Effects::begin_entry(uint64_t mutation_counter) {
  CHECK_INVARIANT(marks_.empty());
  began_at_ = mutation_counter;
  spent_ = 0;
  rewrote_ = false;
  overdrawn_ = false;
  told_large_ = false;
}

void Effects::spend_much(size_t more) {
  if (spent_ > entry_work_max_ || more > entry_work_max_ - spent_) {
    throw TooMuchForOneEntry();
  }
  spent_ += more;
  tell_if_large();
}

void Effects::spend_written(size_t bytes) {
  const size_t more = bytes + kRecordWork;
  if (spent_ > entry_work_max_ || more > entry_work_max_ - spent_) {
    spent_ = std::max(spent_, entry_work_max_);
    overdrawn_ = true;
    throw TooMuchForOneEntry();
  }
  spend(bytes);
}

void Effects::tell_if_large() {
  if (spent_ > large_entry_ && !std::exchange(told_large_, true) && on_large_entry_) {
    on_large_entry_();
  }
}

size_t Effects::beyond_carried(size_t bytes) const {
  return bytes - std::min(bytes, carried_ + kRecordWork);
}

void Effects::expect_string(size_t bytes) const {
  const size_t beyond = beyond_carried(bytes);
  if (beyond != 0 && rewrote_ && spent_ + beyond > entry_work_max_) {
    throw TooMuchForOneEntry();
  }
}

void Effects::spend_beyond_carried(size_t bytes) {
  expect_string(bytes);
  rewrote_ = true;
  spent_ += beyond_carried(bytes);
  tell_if_large();
}

void Effects::end_entry(LogIndex index, uint64_t mutation_counter) {
  CHECK_INVARIANT(marks_.empty());
  position_.clear();
  put_le(position_, index.value);
  put_le(position_, mutation_counter);
  mix(kEntry, position_, {});
}

void Effects::mark() {
  writer().mark();
  marks_.push_back(checksum_);
}

void Effects::undo() {
  CHECK_INVARIANT(!marks_.empty());
  writer().undo();
  checksum_ = marks_.back();
  marks_.pop_back();
}

void Effects::keep() {
  CHECK_INVARIANT(!marks_.empty());
  writer().keep();
  marks_.pop_back();
}

}  // namespace kiwi::resp
