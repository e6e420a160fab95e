#include "resp/types/user_records.hpp"

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

namespace {

constexpr uint64_t kRecordBytes = 64;  // what a user takes beside name and rights

[[noreturn]] void damaged() {
  fatal("a user's record in the state database is corrupt; replace this node's data");
}

}  // namespace

uint64_t UserRecords::bytes_of(std::string_view name, const Record& record) {
  return record == nullptr ? 0 : kRecordBytes + name.size() + record->rights.size();
}

// ON DISK: number (varint), rights. Of all together: version, next number (varints).
void UserRecords::load(rocks::Reader& state) {
  by_name_.clear();
  bytes_ = 0;
  std::string from;
  std::string to;
  keys::user_range(from, to);
  for (auto at = state.cursor(Family::kSystem, from, to); at->valid(); at->next()) {
    const std::optional<std::string_view> name = keys::user_name(at->key());
    ByteReader in(at->value());
    if (!name) {
      total_.version = in.varint();
      total_.next_id = in.varint();
      if (!in.done()) {
        damaged();
      }
      continue;
    }
    UserRecord record;
    record.id = in.varint();
    record.rights = in.rest();
    if (!in.ok() || record.id == 0 || (record.id == kDefaultId) != (*name == kDefault)) {
      damaged();
    }
    replace(*name, std::make_shared<const UserRecord>(std::move(record)));
  }
}

UserRecords::Record UserRecords::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

bool UserRecords::put(std::string_view name, std::string_view rights) {
  const Record known = find(name);
  UserRecord record;
  record.id = known != nullptr ? known->id : name == kDefault ? kDefaultId : total_.next_id;
  record.rights = rights;
  Record fresh = std::make_shared<const UserRecord>(std::move(record));
  const uint64_t bytes = bytes_ - bytes_of(name, known) + bytes_of(name, fresh);
  if (bytes > kBytes || (known == nullptr && by_name_.size() == kCount)) {
    return false;
  }
  change(name, std::move(fresh));
  return true;
}

void UserRecords::erase(std::string_view name) {
  CHECK_INVARIANT(name != kDefault && find(name) != nullptr);
  change(name, nullptr);
}

void UserRecords::change(std::string_view name, Record record) {
  if (effects_.marked()) {
    before_.push_back({std::string(name), find(name), total_});
  }
  ++total_.version;
  keys::user(key_, name);
  if (record == nullptr) {
    effects_.erase(Family::kSystem, key_);
  } else {
    total_.next_id += record->id == total_.next_id ? 1 : 0;
    value_.clear();
    put_varint(value_, record->id);
    value_.append(record->rights);
    effects_.put(Family::kSystem, key_, value_);
  }
  replace(name, std::move(record));
  keys::users_total(key_);
  value_.clear();
  put_varint(value_, total_.version);
  put_varint(value_, total_.next_id);
  effects_.put(Family::kSystem, key_, value_);
}

// In memory only.
void UserRecords::replace(std::string_view name, Record record) {
  const auto found = by_name_.find(name);
  bytes_ += bytes_of(name, record);
  if (found == by_name_.end()) {
    if (record != nullptr) {
      by_name_.emplace(name, std::move(record));
    }
  } else {
    const uint64_t gone = bytes_of(name, found->second);
    CHECK_INVARIANT(bytes_ >= gone);
    bytes_ -= gone;
    if (record == nullptr) {
      by_name_.erase(found);
    } else {
      found->second = std::move(record);
    }
  }
  ++changes_;
}

void UserRecords::undo_to(size_t mark) {
  for (; before_.size() > mark; before_.pop_back()) {
    Before& before = before_.back();
    replace(before.name, std::move(before.record));
    total_ = before.total;
  }
}

}  // namespace kiwi::resp
