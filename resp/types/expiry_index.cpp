#include "resp/types/expiry_index.hpp"

#include <algorithm>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
using rocks::Family;
namespace keys = rocks::keys;

namespace {

[[noreturn]] void damaged() {
  fatal("the index of deadlines of the state database is damaged; replace this node's data");
}

}  // namespace

void ExpiryIndex::load(DatabaseId database) {
  ExpiryPlace floor = stored_floor(database);
  if (floor != ExpiryPlace{}) {
    floors_[database.value] = std::move(floor);
  }
}

ExpiryPlace ExpiryIndex::stored_floor(DatabaseId database) {
  ExpiryPlace floor;
  keys::expiry_floor(key_, database);
  if (const auto bytes = reader_.get(Family::kSystem, key_)) {
    ByteReader in(*bytes);
    floor.deadline_ms = in.le<int64_t>();
    floor.name = in.rest();
    if (!in.ok()) {
      damaged();
    }
  }
  return floor;
}

bool ExpiryIndex::holds(DatabaseId database, int64_t deadline_ms, std::string_view name) {
  keys::expiry(key_, database, deadline_ms, name);
  return reader_.get(Family::kSystem, key_).has_value();
}

std::unique_ptr<rocks::Cursor> ExpiryIndex::all(DatabaseId database) {
  keys::expiry_range(from_, to_, database);
  return reader_.cursor(Family::kSystem, from_, to_);
}

// ---------------------------------------------------------------- records

void ExpiryIndex::put(DatabaseId database, int64_t deadline_ms, std::string_view name) {
  keys::expiry(key_, database, deadline_ms, name);
  effects_.put(Family::kSystem, key_, {});
  if (const auto floor = floors_.find(database.value);
      floor != floors_.end() &&
      std::tie(deadline_ms, name) <
          std::tuple<int64_t, std::string_view>(floor->second.deadline_ms, floor->second.name)) {
    set_floor(database, {deadline_ms, std::string(name)});
  }
  if (const auto quiet = quiet_until_ms_.find(database.value); quiet != quiet_until_ms_.end()) {
    quiet->second = std::min(quiet->second, deadline_ms);
  }
}

void ExpiryIndex::erase(DatabaseId database, int64_t deadline_ms, std::string_view name) {
  keys::expiry(key_, database, deadline_ms, name);
  effects_.erase(Family::kSystem, key_);
}

void ExpiryIndex::erase_all(DatabaseId database) {
  keys::expiry_range(from_, to_, database);
  effects_.erase_range(Family::kSystem, from_, to_);
  quiet_until_ms_.erase(database.value);
  if (floors_.contains(database.value)) {
    remember(database);
    floors_.erase(database.value);
    keys::expiry_floor(key_, database);
    effects_.erase(Family::kSystem, key_);
  }
}

// ---------------------------------------------------------------- floors

const ExpiryPlace& ExpiryIndex::floor(DatabaseId database) const {
  static const ExpiryPlace kBeforeAll;
  const auto it = floors_.find(database.value);
  return it == floors_.end() ? kBeforeAll : it->second;
}

void ExpiryIndex::set_floor(DatabaseId database, ExpiryPlace floor) {
  remember(database);
  keys::expiry_floor(key_, database);
  value_.clear();
  put_le(value_, floor.deadline_ms);
  value_.append(floor.name);
  effects_.put(Family::kSystem, key_, value_);
  floors_[database.value] = std::move(floor);
}

std::unique_ptr<rocks::Cursor> ExpiryIndex::cursor(DatabaseId database) {
  keys::expiry_range(from_, to_, database);
  if (const auto it = floors_.find(database.value); it != floors_.end()) {
    keys::expiry(from_, database, it->second.deadline_ms, it->second.name);
  }
  return reader_.cursor(Family::kSystem, from_, to_);
}

std::optional<int64_t> ExpiryIndex::first_due(DatabaseId database, int64_t now_ms) {
  const auto quiet = quiet_until_ms_.find(database.value);
  if (quiet != quiet_until_ms_.end() && quiet->second > now_ms) {
    return std::nullopt;
  }
  const auto at = cursor(database);
  int64_t first_ms = std::numeric_limits<int64_t>::max();
  if (at->valid()) {
    const auto key = keys::parse_expiry(at->key());
    if (!key) {
      damaged();
    }
    first_ms = key->deadline_ms;
  }
  quiet_until_ms_[database.value] = first_ms;
  return first_ms <= now_ms ? std::optional(first_ms) : std::nullopt;
}

// ---------------------------------------------------------------- undo

void ExpiryIndex::remember(DatabaseId database) {
  if (!effects_.marked()) {
    return;
  }
  const auto it = floors_.find(database.value);
  before_.emplace_back(database.value,
                       it == floors_.end() ? std::nullopt : std::optional(it->second));
}

// What is quiet is not put back: a record that comes again was there when it was looked for.
void ExpiryIndex::undo_to(size_t mark) {
  CHECK_INVARIANT(before_.size() >= mark);
  for (; before_.size() > mark; before_.pop_back()) {
    auto& [database, floor] = before_.back();
    if (floor) {
      floors_[database] = std::move(*floor);
    } else {
      floors_.erase(database);
    }
  }
}

void ExpiryIndex::give_back_buffers() {
  for (std::string* buffer : {&key_, &from_, &to_, &value_}) {
    give_back_if_big(*buffer);
  }
}

}  // namespace kiwi::resp
