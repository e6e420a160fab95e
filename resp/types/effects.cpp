#include "resp/types/effects.hpp"

#include <algorithm>
#include <map>

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
  if (build_ != nullptr) [[unlikely]] {
    build_->put(family, key.bytes, value);
  } else {
    writer().put(family, key, value);
  }
  written();
}

// The checksum is that of put(): it takes the value as a whole.
void Effects::put_joined(Family family,
                         const rocks::LookupKey& key,
                         std::string_view head,
                         std::string_view tail) {
  CHECK_INVARIANT(build_ == nullptr);
  const std::string_view value = writer().put_joined(family, key, head, tail);
  mix(of(family, kPut), key.bytes, value);
  written();
}

void Effects::erase(Family family, const rocks::LookupKey& key) {
  CHECK_INVARIANT(build_ == nullptr);
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
  spilled_.clear();
  built_ = 0;
  built_in_turn_ = 0;
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
  if (spent_ > large_entry_) {
    tell_large();
  }
}

void Effects::tell_large() {
  if (!std::exchange(told_large_, true) && on_large_entry_) {
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
  marks_.push_back({checksum_, spilled_.size()});
}

void Effects::undo() {
  CHECK_INVARIANT(!marks_.empty() && build_ == nullptr);
  writer().undo();
  checksum_ = marks_.back().checksum;
  drop_spilled(marks_.back().spilled);
  marks_.pop_back();
}

// Their versions will be used again. Whatever has one in between is undone as well.
void Effects::drop_spilled(size_t from) {
  std::map<uint32_t, std::pair<rocks::CollectionId, rocks::CollectionId>> ranges;  // by database
  for (size_t i = from; i < spilled_.size(); ++i) {
    const rocks::CollectionId& spilled = spilled_[i];
    const auto [range, fresh] =
        ranges.try_emplace(spilled.database.value, std::pair(spilled, spilled));
    CHECK_INVARIANT(fresh || range->second.second < spilled);
    range->second.second = spilled;
  }
  for (const auto& [database, range] : ranges) {
    std::string begin;
    std::string end;
    rocks::keys::collection_begin(begin, range.first);
    rocks::keys::collection_end(end, range.second);
    for (const Family family : {Family::kElement, Family::kNode}) {
      writer().drop_spilled(family, begin, end);
    }
  }
  spilled_.resize(from);
}

// ---------------------------------------------------------------- builds

Effects::Build::Build(Effects& effects, rocks::CollectionId collection)
    : effects_(effects), collection_(collection) {
  CHECK_INVARIANT(effects_.build_ == nullptr);
  rocks::keys::collection_begin(prefix_, collection);
  effects_.build_ = this;
}

void Effects::Build::put(Family family, std::string_view key, std::string_view value) {
  CHECK_INVARIANT(family == Family::kElement || family == Family::kNode);
  CHECK_INVARIANT(key.starts_with(prefix_));
  const size_t more = key.size() + value.size() + kRecordWork;
  effects_.count_built(more);
  bytes_ += more;
  records_.push_back({family, std::string(key), std::string(value)});
  if (bytes_ >= effects_.spill_bytes_) {
    spill();
  }
}

// Alike on every node, whenever it spills. As with what is spent: undone, it stays counted.
void Effects::count_built(size_t bytes) {
  if (bytes > build_max_ - std::min(build_max_, built_)) {
    throw TooMuchForOneEntry();
  }
  built_ += bytes;
  if (built_ > large_entry_) {
    tell_large();
  }
}

void Effects::Build::spill() {
  Effects& all = effects_;
  if (all.spilled_.empty() || all.spilled_.back() != collection_) {
    all.spilled_.push_back(collection_);
  }
  if (all.before_spill_) {
    all.before_spill_();
  }
  all.writer().spill(records_);
  records_.clear();
  bytes_ = 0;
}

void Effects::Build::finish() {
  CHECK_INVARIANT(effects_.build_ == this);
  effects_.build_ = nullptr;
  if (effects_.built_in_turn_ + bytes_ > effects_.spill_bytes_) {
    spill();
    return;
  }
  effects_.built_in_turn_ += bytes_;
  for (const rocks::Writer::Record& record : records_) {
    effects_.writer().put(record.family, record.key, record.value);
  }
  records_.clear();
}

void Effects::keep() {
  CHECK_INVARIANT(!marks_.empty());
  writer().keep();
  marks_.pop_back();
}

}  // namespace kiwi::resp
