#include "resp/types/scripts.hpp"

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

namespace {

[[noreturn]] void damaged() {
  fatal("a script's record in the state database is corrupt; replace this node's data");
}

}  // namespace

// ON DISK: kind:1, order:8 LE, text.
std::optional<Scripts::Record> Scripts::read(std::string_view sha1) {
  keys::script(key_, sha1);
  const std::optional<std::string_view> bytes = state_.get(Family::kSystem, key_);
  if (!bytes) {
    return std::nullopt;
  }
  ByteReader in(*bytes);
  Record record;
  record.kind = static_cast<Kind>(in.le<uint8_t>());
  record.order = in.le<uint64_t>();
  record.text = in.rest();
  if (!in.ok() || (record.kind != Kind::kEvaluated && record.kind != Kind::kLoaded)) {
    damaged();
  }
  return record;
}

std::optional<std::string> Scripts::text(std::string_view sha1) {
  std::optional<Record> record = read(sha1);
  return record ? std::optional(std::move(record->text)) : std::nullopt;
}

bool Scripts::contains(std::string_view sha1) {
  keys::script(key_, sha1);
  return state_.get(Family::kSystem, key_).has_value();
}

// ON DISK: next order, oldest order, evaluated, their bytes, loaded, their bytes; 8 each, LE.
Scripts::Total Scripts::total() {
  keys::scripts_total(key_);
  Total total;
  const std::optional<std::string_view> bytes = state_.get(Family::kSystem, key_);
  if (!bytes) {
    return total;
  }
  ByteReader in(*bytes);
  total.next_order = in.le<uint64_t>();
  total.oldest_order = in.le<uint64_t>();
  total.evaluated = in.le<uint64_t>();
  total.evaluated_bytes = in.le<uint64_t>();
  total.loaded = in.le<uint64_t>();
  total.loaded_bytes = in.le<uint64_t>();
  if (!in.done()) {
    damaged();
  }
  return total;
}

void Scripts::store(const Total& total) {
  keys::scripts_total(key_);
  value_.clear();
  put_le(value_, total.next_order);
  put_le(value_, total.oldest_order);
  put_le(value_, total.evaluated);
  put_le(value_, total.evaluated_bytes);
  put_le(value_, total.loaded);
  put_le(value_, total.loaded_bytes);
  effects_.put(Family::kSystem, key_, value_);
}

void Scripts::store(std::string_view sha1, Kind kind, uint64_t order, std::string_view text) {
  CHECK_INVARIANT(kind == Kind::kEvaluated || order == 0);
  keys::script(key_, sha1);
  value_.clear();
  put_u8(value_, static_cast<uint8_t>(kind));
  put_le(value_, order);
  value_.append(text);
  effects_.put(Family::kSystem, key_, value_);
  give_back_if_big(value_);
}

void Scripts::forget_order(uint64_t order) {
  keys::script_order(key_, order);
  effects_.erase(Family::kSystem, key_);
}

void Scripts::drop_oldest(Total& total) {
  CHECK_INVARIANT(total.evaluated != 0);
  // By their numbers, which SCRIPT LOAD leaves gaps in: a cursor would pass what was erased before.
  std::string sha1;
  uint64_t order = total.oldest_order;
  for (;; ++order) {
    if (order >= total.next_order) {
      damaged();
    }
    keys::script_order(key_, order);
    if (const auto found = state_.get(Family::kSystem, key_)) {
      sha1 = *found;
      break;
    }
  }
  total.oldest_order = order + 1;
  const std::optional<Record> record = read(sha1);
  if (!record || record->kind != Kind::kEvaluated) {
    damaged();
  }
  CHECK_INVARIANT(total.evaluated_bytes >= bytes_of(record->text));
  --total.evaluated;
  total.evaluated_bytes -= bytes_of(record->text);
  forget_order(order);
  keys::script(key_, sha1);
  effects_.erase(Family::kSystem, key_);
}

void Scripts::evaluated(std::string_view sha1, std::string_view text) {
  if (bytes_of(text) > kEvaluatedBytes || contains(sha1)) {
    return;
  }
  Total now = total();
  store(sha1, Kind::kEvaluated, now.next_order, text);
  keys::script_order(key_, now.next_order);
  effects_.put(Family::kSystem, key_, sha1);
  ++now.next_order;
  ++now.evaluated;
  now.evaluated_bytes += bytes_of(text);
  while (now.evaluated > kEvaluated || now.evaluated_bytes > kEvaluatedBytes) {
    drop_oldest(now);
  }
  CHECK_INVARIANT(now.evaluated != 0);  // the newest is never the one that goes
  store(now);
}

bool Scripts::load(std::string_view sha1, std::string_view text) {
  const std::optional<Record> known = read(sha1);
  if (known && known->kind == Kind::kLoaded) {
    return true;
  }
  Total now = total();
  if (now.loaded_bytes + bytes_of(text) > kLoadedBytes) {
    return false;
  }
  if (known) {
    CHECK_INVARIANT(now.evaluated != 0 && now.evaluated_bytes >= bytes_of(text));
    forget_order(known->order);
    --now.evaluated;
    now.evaluated_bytes -= bytes_of(text);
  }
  store(sha1, Kind::kLoaded, 0, text);
  ++now.loaded;
  now.loaded_bytes += bytes_of(text);
  store(now);
  return true;
}

void Scripts::flush() {
  std::string from;
  std::string to;
  keys::script_range(from, to);
  effects_.erase_range(Family::kSystem, from, to);
}

}  // namespace kiwi::resp
