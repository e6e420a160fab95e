#include "resp/types/elements.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/element_value.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::CollectionId;
using rocks::Family;
using rocks::Type;
namespace keys = rocks::keys;

// ---------------------------------------------------------------- by field

std::optional<std::string_view> Elements::get(CollectionId collection, std::string_view field) {
  steps_.step();
  keys::element(key_, collection, field);
  return reader_.get(Family::kElement, key_);
}

void Elements::put(CollectionId collection, std::string_view field, std::string_view value) {
  keys::element(key_, collection, field);
  effects_.put(Family::kElement, key_, value);
}

void Elements::erase(CollectionId collection, std::string_view field) {
  keys::element(key_, collection, field);
  effects_.erase(Family::kElement, key_);
}

std::unique_ptr<rocks::Cursor> Elements::cursor(CollectionId collection, uint64_t hash) {
  keys::element_from(from_, collection, hash);
  keys::collection_end(to_, collection);
  return reader_.cursor(Family::kElement, from_, to_);
}

// ---------------------------------------------------------------- by position

void Elements::damaged(const char* what) {
  fatal(std::string(what) + " in the state database; replace this node's data directory");
}

std::string_view Elements::at(CollectionId list, int64_t position) {
  steps_.step();
  keys::list_element(key_, list, position);
  const std::optional<std::string_view> found = reader_.get(Family::kElement, key_);
  if (!found) {
    damaged("an element of a list is missing");
  }
  return *found;
}

void Elements::put_at(CollectionId list, int64_t position, std::string_view value) {
  keys::list_element(key_, list, position);
  effects_.put(Family::kElement, key_, value);
}

void Elements::erase_at(CollectionId list, int64_t from, int64_t to) {
  CHECK_INVARIANT(from <= to);
  constexpr int64_t kFew = 64;  // a range tombstone costs every later read more than a few erases
  if (to - from <= kFew) {
    for (int64_t position = from; position < to; ++position) {
      keys::list_element(key_, list, position);
      effects_.erase(Family::kElement, key_);
    }
    return;
  }
  bounds(list, from, to);
  effects_.erase_range(Family::kElement, from_, to_);
}

void Elements::bounds(CollectionId list, int64_t from, int64_t to) {
  keys::list_element(from_, list, from);
  keys::list_element(to_, list, to);
}

// ---------------------------------------------------------------- whole collections

void Elements::drop(const Key& key) {
  if (!key.meta.has_elements()) {
    return;
  }
  if (key.meta.type == Type::kList && key.meta.list_head < key.meta.list_tail) {
    erase_at(key.collection(), key.meta.list_head, key.meta.list_tail);
    return;
  }
  keys::collection_begin(from_, key.collection());
  keys::collection_end(to_, key.collection());
  effects_.erase_range(Family::kElement, from_, to_);
  if (key.meta.type == Type::kSortedSet) {
    effects_.erase_range(Family::kScore, from_, to_);
  }
}

void Elements::copy(Type type, CollectionId from, CollectionId to) {
  copy_family(Family::kElement, type, from, to);
  copy_family(Family::kScore, type, from, to);
}

// In a copy nothing is newer than the collection: stamps begin anew.
void Elements::put_copy(Family family, Type type, std::string_view key, std::string_view value) {
  if (type == Type::kSet) {
    encode_member(value_, 0);
    return effects_.put(family, key, value_);
  }
  if (type == Type::kHash) {
    std::optional<FieldValue> field = decode_field(value);
    if (!field) {
      damaged("a field of a hash is damaged");
    }
    field->stamp = 0;
    encode_field(value_, *field);
    return effects_.put(family, key, value_);
  }
  effects_.put(family, key, value);
}

void Elements::copy_family(Family family, Type type, CollectionId from, CollectionId to) {
  constexpr size_t kStep = 512;
  std::string begin;
  std::string end;
  std::string target;
  keys::collection_begin(begin, from);
  keys::collection_end(end, from);
  keys::collection_begin(target, to);
  const size_t prefix = begin.size();
  CHECK_INVARIANT(from != to && target.size() == prefix);
  std::vector<std::pair<std::string, std::string>> records;  // what follows the prefix; value
  do {
    records.clear();
    auto cursor = reader_.cursor(family, begin, end);
    for (; cursor->valid() && records.size() < kStep; cursor->next()) {
      effects_.spend(cursor->key().size() + cursor->value().size());
      records.emplace_back(cursor->key().substr(prefix), cursor->value());
    }
    cursor.reset();
    for (const auto& [rest, value] : records) {
      target.resize(prefix);
      target.append(rest);
      put_copy(family, type, target, value);
    }
    if (!records.empty()) {  // go on right behind the last one
      begin.resize(prefix);
      begin.append(records.back().first).push_back('\0');
    }
  } while (records.size() == kStep);
}

// ---------------------------------------------------------------- buffers

size_t Elements::buffer_bytes() const {
  return key_.capacity() + from_.capacity() + to_.capacity() + value_.capacity();
}

void Elements::give_back_key() { give_back_if_big(key_); }

void Elements::give_back_buffers() {
  for (std::string* buffer : {&key_, &from_, &to_, &value_}) {
    give_back_if_big(*buffer);
  }
}

}  // namespace kiwi::resp
