#include "resp/types/once.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "config/setting.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

namespace {

constexpr uint8_t kFloorFormat = 1;

[[noreturn]] void damaged() {
  fatal("a token's record in the state database is corrupt; replace this node's data");
}

}  // namespace

// ---------------------------------------------------------------- hashes

void Once::Hashes::insert(uint64_t hash) {
  if (2 * (used_ + 1) > slots_.size()) {
    std::vector<uint64_t> before(std::max<size_t>(8, 2 * slots_.size()));
    before.swap(slots_);
    used_ = 0;
    for (const uint64_t one : before) {
      if (one != 0) {
        insert(one);
      }
    }
  }
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at] != 0 && slots_[at] != hash) {
    at = (at + 1) & (slots_.size() - 1);
  }
  used_ += slots_[at] == 0 ? 1 : 0;
  slots_[at] = hash;
  CHECK_INVARIANT(2 * used_ <= slots_.size());
}

bool Once::Hashes::contains(uint64_t hash) const {
  if (slots_.empty()) {
    return false;
  }
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at] != 0 && slots_[at] != hash) {
    at = (at + 1) & (slots_.size() - 1);
  }
  return slots_[at] == hash;
}

// ---------------------------------------------------------------- what is there

void Once::load() {
  keys::once_floor(key_);
  if (const auto value = state_.get(Family::kSystem, key_)) {
    ByteReader in(*value);
    const auto format = in.le<uint8_t>();
    floor_ms_ = in.le<uint64_t>();
    if (!in.done() || format != kFloorFormat) {
      damaged();
    }
  }
  keys::once_second_range(key_, to_);
  for (auto at = state_.cursor(Family::kSystem, key_, to_); at->valid(); at->next()) {
    const std::optional<uint64_t> second = keys::parse_once_second(at->key());
    ByteReader in(at->value());
    Second kept;
    kept.count.records = in.varint();
    kept.count.bytes = in.varint();
    kept.whole = false;
    if (!second || !in.done() || kept.count.records == 0) {
      damaged();
    }
    all_.records += kept.count.records;
    all_.bytes += kept.count.bytes;
    seconds_.emplace_hint(seconds_.end(), *second, std::move(kept));
  }
}

uint64_t Once::hash_of(const Name& name) {
  keys::once_record(key_, name);
  return state_.hash(key_);
}

bool Once::may_be_there(const Name& name) {
  if (effects_.read_only()) {
    return true;
  }
  const auto second = seconds_.find(name.ms / kSecondMs);
  if (second == seconds_.end() || !second->second.whole) {
    return second != seconds_.end();
  }
  const uint64_t hash = hash_of(name);
  return hash == 0 || second->second.hashes.contains(hash);
}

std::optional<OnceRecord> Once::find(const Name& name) {
  if (!may_be_there(name)) {
    return std::nullopt;
  }
  keys::once_record(key_, name);
  const auto bytes = state_.get(Family::kSystem, key_);
  if (!bytes) {
    return std::nullopt;
  }
  std::optional<OnceRecord> record = decode_once(*bytes);
  if (!record) {
    damaged();
  }
  return record;
}

int64_t Once::forgotten_until_ms(int64_t stamp_ms) {
  return std::max(static_cast<int64_t>(floor_ms_), stamp_ms - limits().window_ms);
}

const Once::Limits& Once::limits() {
  if (limits_of_ != settings_.changes()) {
    limits_of_ = settings_.changes();
    const auto number = [this](std::string_view name, int64_t unless_set) {
      return static_cast<uint64_t>(settings_.number(name, unless_set));
    };
    limits_.window_ms = settings_.number(config::kOnceWindowSetting, config::kOnceWindow) * 1000;
    limits_.records = number(config::kOnceMaxRecordsSetting, config::kOnceMaxRecords);
    limits_.bytes = number(config::kOnceMaxBytesSetting, config::kOnceMaxBytes);
    limits_.reply = number(config::kOnceMaxReplySetting, config::kOnceMaxReply);
  }
  return limits_;
}

Once::Total Once::total() const {
  const uint64_t oldest = seconds_.empty() ? 0 : seconds_.begin()->first * kSecondMs;
  return {all_.records, all_.bytes, floor_ms_, oldest};
}

// ---------------------------------------------------------------- what is written

void Once::touch(uint64_t second) {
  if (dirty_.empty() || dirty_.back() != second) {
    dirty_.push_back(second);
  }
}

void Once::add(uint64_t second, uint64_t records, uint64_t bytes, uint64_t bytes_before) {
  Second& to = seconds_[second];
  if (effects_.marked()) {
    before_.push_back({second, to.count});
  }
  CHECK_INVARIANT(to.count.bytes >= bytes_before && all_.bytes >= bytes_before);
  to.count.records += records;
  to.count.bytes += bytes - bytes_before;
  all_.records += records;
  all_.bytes += bytes - bytes_before;
  touch(second);
}

void Once::put(const Name& name, const OnceRecord& record) {
  CHECK_INVARIANT(!effects_.read_only());
  const uint64_t second = name.ms / kSecondMs;
  uint64_t bytes_before = 0;
  bool known = false;
  if (may_be_there(name)) {
    keys::once_record(key_, name);
    if (const auto old = state_.get(Family::kSystem, key_)) {
      known = true;
      bytes_before = key_.size() + old->size() + kRecordBytes;
    }
  }
  encode(value_, record);
  const uint64_t hash = hash_of(name);  // leaves the record's key in key_
  effects_.put(Family::kSystem, key_, value_);
  add(second, known ? 0 : 1, key_.size() + value_.size() + kRecordBytes, bytes_before);
  if (Second& of = seconds_[second]; of.whole && hash != 0) {
    of.hashes.insert(hash);
  }
  ++written_;
  give_back_if_big(value_);
}

void Once::evict(std::map<uint64_t, Second>::iterator oldest) {
  const uint64_t second = oldest->first;
  const Count count = oldest->second.count;
  CHECK_INVARIANT(all_.records >= count.records && all_.bytes >= count.bytes);
  keys::once_range(key_, to_, second * kSecondMs, (second + 1) * kSecondMs);
  effects_.erase_range(Family::kSystem, key_, to_);
  all_.records -= count.records;
  all_.bytes -= count.bytes;
  touch(second);
  seconds_.erase(oldest);
  floor_ms_ = std::max(floor_ms_, (second + 1) * kSecondMs - 1);
  floor_moved_ = true;
}

void Once::end_entry(int64_t stamp_ms) {
  if (written_ == 0) {
    return;
  }
  CHECK_INVARIANT(before_.empty() && !effects_.marked());
  const Limits& most = limits();
  for (uint64_t left = std::exchange(written_, 0) * kEvictionsPerRecord; left != 0; --left) {
    const auto oldest = seconds_.begin();
    if (oldest == seconds_.end()) {
      break;
    }
    const auto end_ms = static_cast<int64_t>((oldest->first + 1) * kSecondMs - 1);
    const bool too_old = end_ms < stamp_ms - most.window_ms;
    if (!too_old && all_.records <= most.records && all_.bytes <= most.bytes) {
      break;
    }
    evict(oldest);
  }
}

void Once::end_turn() {
  for (const uint64_t second : dirty_) {
    keys::once_second(key_, second);
    const auto found = seconds_.find(second);
    if (found == seconds_.end()) {
      effects_.writer().erase(Family::kSystem, key_);
      continue;
    }
    value_.clear();
    put_varint(value_, found->second.count.records);
    put_varint(value_, found->second.count.bytes);
    effects_.writer().put(Family::kSystem, key_, value_);
  }
  dirty_.clear();
  if (std::exchange(floor_moved_, false)) {
    keys::once_floor(key_);
    value_.clear();
    put_u8(value_, kFloorFormat);
    put_le(value_, floor_ms_);
    effects_.writer().put(Family::kSystem, key_, value_);
  }
}

// The hashes of what is taken back stay: one too many costs a read.
void Once::undo_to(size_t mark) {
  CHECK_INVARIANT(before_.size() >= mark);
  for (; before_.size() > mark; before_.pop_back()) {
    const Before& before = before_.back();
    const auto found = seconds_.find(before.second);
    CHECK_INVARIANT(found != seconds_.end());
    all_.records -= found->second.count.records - before.count.records;
    all_.bytes -= found->second.count.bytes - before.count.bytes;
    found->second.count = before.count;
    if (before.count.records == 0) {
      seconds_.erase(found);
    }
  }
}

}  // namespace kiwi::resp
