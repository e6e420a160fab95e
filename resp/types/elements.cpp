#include "resp/types/elements.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/nodes.hpp"
#include "resp/types/tree_entry.hpp"
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

std::unique_ptr<rocks::Cursor> Elements::all(Family family, rocks::DatabaseId database) {
  keys::collection_begin(from_, {database, 0});
  keys::database_end(to_, database);
  return reader_.cursor(family, from_, to_);
}

void Elements::damaged(const char* what) {
  fatal(std::string(what) + " in the state database; replace this node's data directory");
}

// ---------------------------------------------------------------- whole collections

void Elements::drop(const Key& key) {
  if (key.meta.has_fields()) {
    keys::collection_begin(from_, key.collection());
    keys::collection_end(to_, key.collection());
    effects_.erase_range(Family::kElement, from_, to_);
  }
  if (key.meta.has_nodes()) {
    drop_nodes(key);
  }
}

void Elements::drop_nodes(const Key& key) {
  constexpr uint64_t kFew = 64;  // a range tombstone costs every later read more than a few erases
  if (key.meta.type == Type::kList && key.meta.next_node <= kFew) {
    for (uint64_t node = 1; node < key.meta.next_node; ++node) {  // maybe gone already
      keys::node(key_, key.collection(), 0, node);
      effects_.erase(Family::kNode, key_);
    }
    return;
  }
  keys::collection_begin(from_, key.collection());
  keys::collection_end(to_, key.collection());
  effects_.erase_range(Family::kNode, from_, to_);
}

void Elements::copy(Type type, CollectionId from, CollectionId to) {
  if (type != Type::kList) {
    copy_family(Family::kElement, type, from, to);
  }
  if (type != Type::kHash && type != Type::kSet) {
    copy_family(Family::kNode, type, from, to);
  }
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
  if (family == Family::kNode) {
    return put_node_copy(key, value);
  }
  if (type == Type::kSortedSet) {
    const std::optional<MemberScore> member = decode_scored(value);
    if (!member) {
      damaged("a member of a sorted set is damaged");
    }
    encode_scored(value_, {member->score, 0});
    return effects_.put(family, key, value_);
  }
  effects_.put(family, key, value);
}

void Elements::put_node_copy(std::string_view key, std::string_view value) {
  std::optional<NodeRecord> node = decode_node(value);
  if (!node) {
    damaged_tree();
  }
  node->stamp = 0;
  encode_node(value_, *node);
  effects_.put(Family::kNode, key, value_);
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
