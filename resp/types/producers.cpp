#include "resp/types/producers.hpp"

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

namespace {

[[noreturn]] void damaged() {
  fatal("a producer's record in the state database is corrupt; replace this node's data");
}

}  // namespace

// ON DISK: varint number, then what once_record.hpp says of it.
std::optional<ProducerRow> Producers::find(uint64_t user, std::string_view name) {
  keys::producer(key_, user, name);
  const auto bytes = state_.get(Family::kSystem, key_);
  if (!bytes) {
    return std::nullopt;
  }
  ByteReader in(*bytes);
  ProducerRow row;
  row.number = in.varint();
  std::optional<OnceRecord> last = decode_once(in.rest());
  if (!in.ok() || !last) {
    damaged();
  }
  row.last = std::move(*last);
  return row;
}

uint64_t Producers::count() {
  keys::producers_total(key_);
  const auto bytes = state_.get(Family::kSystem, key_);
  if (!bytes) {
    return 0;
  }
  ByteReader in(*bytes);
  const uint64_t count = in.varint();
  if (!in.done()) {
    damaged();
  }
  return count;
}

void Producers::set_count(uint64_t count) {
  keys::producers_total(key_);
  value_.clear();
  put_varint(value_, count);
  effects_.put(Family::kSystem, key_, value_);
}

bool Producers::has_room() { return count() < kMost; }

void Producers::put(uint64_t user, std::string_view name, const ProducerRow& row) {
  CHECK_INVARIANT(!name.empty() && row.last.reply.size() <= kReplyBytes);
  keys::producer(key_, user, name);
  const bool fresh = !state_.get(Family::kSystem, key_).has_value();
  std::string last;
  encode(last, row.last);
  value_.clear();
  put_varint(value_, row.number);
  value_.append(last);
  effects_.put(Family::kSystem, key_, value_);
  if (fresh) {
    set_count(count() + 1);
  }
}

bool Producers::drop(uint64_t user, std::string_view name) {
  keys::producer(key_, user, name);
  if (!state_.get(Family::kSystem, key_)) {
    return false;
  }
  effects_.erase(Family::kSystem, key_);
  const uint64_t before = count();
  CHECK_INVARIANT(before != 0);
  set_count(before - 1);
  return true;
}

std::vector<std::string> Producers::names(uint64_t user, std::string_view after, size_t most) {
  std::string to;
  keys::producer_range(key_, to, user);
  std::vector<std::string> found;
  keys::producer(key_, user, after);
  for (auto at = state_.cursor(Family::kSystem, key_, to); at->valid() && found.size() < most;
       at->next()) {
    const std::string_view name = keys::producer_name(at->key());
    if (!name.empty() && name != after) {
      found.emplace_back(name);
    }
  }
  return found;
}

}  // namespace kiwi::resp
