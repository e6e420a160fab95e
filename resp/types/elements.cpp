#include "resp/types/elements.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/group_records.hpp"
#include "resp/types/nodes.hpp"
#include "resp/types/tree_entry.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::CollectionId;
using rocks::Family;
using rocks::Type;
namespace keys = rocks::keys;

// ---------------------------------------------------------------- by field

const rocks::LookupKey& Elements::element_key(CollectionId collection, std::string_view field) {
  if (field_key_.empty() || keys::key_collection(field_key_) != collection ||
      keys::element_field(field_key_) != field) {
    keys::element(field_key_, collection, field);
    element_ = {field_key_, reader_.hash(field_key_)};
  }
  return element_;
}

std::optional<std::string_view> Elements::get(CollectionId collection, std::string_view field) {
  steps_.step();
  return reader_.get(Family::kElement, element_key(collection, field));
}

void Elements::put(CollectionId collection, std::string_view field, std::string_view value) {
  check_field_name(field);
  effects_.put(Family::kElement, element_key(collection, field), value);
}

void Elements::erase(CollectionId collection, std::string_view field) {
  effects_.erase(Family::kElement, element_key(collection, field));
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

// ---------------------------------------------------------------- by number

std::string_view Elements::chunk_bytes(std::string_view record) {
  const std::optional<std::string_view> bytes = decode_chunk(record);
  if (!bytes) {
    damaged("a chunk of a string is damaged");
  }
  return *bytes;
}

std::string_view Elements::chunk(CollectionId string, uint32_t index) {
  steps_.step();
  keys::string_chunk(key_, string, index);
  const std::optional<std::string_view> found = reader_.get(Family::kElement, key_);
  return found ? chunk_bytes(*found) : std::string_view();
}

void Elements::put_chunk(CollectionId string,
                         uint32_t index,
                         uint64_t stamp,
                         std::string_view bytes) {
  keys::string_chunk(key_, string, index);
  encode_chunk(value_, stamp, bytes);
  effects_.put(Family::kElement, key_, value_);
}

std::unique_ptr<rocks::Cursor> Elements::chunk_cursor(CollectionId string, uint32_t index) {
  keys::string_chunk(from_, string, index);
  keys::collection_end(to_, string);
  return reader_.cursor(Family::kElement, from_, to_);
}

// A range tombstone costs every later read more than a few erases.
bool Elements::drop_few_chunks(const Key& key) {
  constexpr uint64_t kFew = 64;
  const uint64_t chunks = (key.meta.size + chunk_bytes_ - 1) / chunk_bytes_;
  if (chunks > kFew) {
    return false;
  }
  for (uint64_t index = 0; index < chunks; ++index) {
    keys::string_chunk(key_, key.collection(), static_cast<uint32_t>(index));
    effects_.erase(Family::kElement, key_);
  }
  return true;
}

// ---------------------------------------------------------------- whole collections

void Elements::drop(const Key& key) {
  if (key.meta.has_fields() && !(key.meta.type == Type::kString && drop_few_chunks(key))) {
    keys::collection_begin(from_, key.collection());
    keys::collection_end(to_, key.collection());
    effects_.erase_range(Family::kElement, from_, to_);
  }
  if (key.meta.has_nodes()) {
    drop_nodes(key);
  }
}

void Elements::drop_nodes(const Key& key) {
  constexpr uint64_t kFew = 8;  // a range tombstone costs every later read more than a few erases
  const bool tree_only = key.meta.type == Type::kList ||
                         (key.meta.type == Type::kStream && key.meta.stream.next_group == 1);
  if (tree_only && key.meta.next_node <= kFew) {
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

std::unique_ptr<rocks::Cursor> Elements::records(Family family, CollectionId collection) {
  keys::collection_begin(from_, collection);
  keys::collection_end(to_, collection);
  return reader_.cursor(family, from_, to_);
}

Elements::Copied Elements::copy(Type type, CollectionId from, CollectionId to, int64_t now_ms) {
  Effects::Build build(effects_, to);
  Copied copied;
  if (type == Type::kHash) {
    copy_family(Family::kElement, from, to, [&](std::string_view key, std::string_view value) {
      put_field_copy(key, value, now_ms, copied);
    });
  } else if (type != Type::kList && type != Type::kStream) {
    copy_family(Family::kElement, from, to, [&](std::string_view key, std::string_view value) {
      put_copy(Family::kElement, type, key, value);
    });
  }
  if (type != Type::kHash && type != Type::kSet && type != Type::kString) {
    copy_family(Family::kNode, from, to, [&](std::string_view key, std::string_view value) {
      put_copy(Family::kNode, type, key, value);
    });
  }
  build.finish();
  return copied;
}

// The index of deadlines is made anew: fewer may be left.
void Elements::put_field_copy(std::string_view key,
                              std::string_view value,
                              int64_t now_ms,
                              Copied& copied) {
  std::optional<FieldValue> field = decode_field(value);
  if (!field) {
    damaged("a field of a hash is damaged");
  }
  if (field->deadline_ms != 0) {
    if (field->deadline_ms <= now_ms) {
      ++copied.due;
      return;
    }
    copied.first_deadline_ms = copied.first_deadline_ms == 0
                                   ? field->deadline_ms
                                   : std::min(copied.first_deadline_ms, field->deadline_ms);
    keys::field_deadline(key_, keys::key_collection(key), field->deadline_ms,
                         keys::element_field(key));
    effects_.put(Family::kNode, key_, {});
  }
  field->stamp = 0;
  encode_field(value_, *field);
  effects_.put(Family::kElement, key, value_);
}

// In a copy nothing is newer than the collection: stamps begin anew.
void Elements::put_copy(Family family, Type type, std::string_view key, std::string_view value) {
  if (type == Type::kSet) {
    encode_member(value_, 0);
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
  if (type == Type::kString) {
    encode_chunk(value_, 0, chunk_bytes(value));
    return effects_.put(family, key, value_);
  }
  effects_.put(family, key, value);
}

void Elements::put_node_copy(std::string_view key, std::string_view value) {
  if (!keys::parse_node(key)) {
    return put_group_copy(key, value);
  }
  std::optional<NodeRecord> node = decode_node(value);
  if (!node) {
    damaged_tree();
  }
  node->stamp = 0;
  encode_node(value_, *node);
  effects_.put(Family::kNode, key, value_);
}

// Of a stream: what is no node belongs to its groups.
void Elements::put_group_copy(std::string_view key, std::string_view value) {
  if (!keys::is_stream_group(key)) {
    return effects_.put(Family::kNode, key, value);
  }
  GroupRecord group = decode_group(value);
  group.pending.removed = 0;
  encode_group(value_, group);
  effects_.put(Family::kNode, key, value_);
}

template <class Put>
void Elements::copy_family(Family family, CollectionId from, CollectionId to, Put put) {
  constexpr size_t kStep = 512;
  constexpr size_t kStepBytes = 256 << 10;
  std::string begin;
  std::string end;
  std::string target;
  keys::collection_begin(begin, from);
  keys::collection_end(end, from);
  keys::collection_begin(target, to);
  const size_t prefix = begin.size();
  CHECK_INVARIANT(from != to && target.size() == prefix);
  std::vector<std::pair<std::string, std::string>> records;  // what follows the prefix; value
  bool more = true;
  while (more) {
    records.clear();
    size_t bytes = 0;
    auto cursor = reader_.cursor(family, begin, end);
    for (; cursor->valid() && records.size() < kStep && bytes < kStepBytes; cursor->next()) {
      steps_.step();
      records.emplace_back(cursor->key().substr(prefix), cursor->value());
      bytes += records.back().first.size() + records.back().second.size();
    }
    more = cursor->valid();
    cursor.reset();
    for (const auto& [rest, value] : records) {
      target.resize(prefix);
      target.append(rest);
      put(target, value);
    }
    if (!records.empty()) {  // go on right behind the last one
      begin.resize(prefix);
      begin.append(records.back().first).push_back('\0');
    }
  }
}

// ---------------------------------------------------------------- buffers

size_t Elements::buffer_bytes() const {
  return field_key_.capacity() + key_.capacity() + from_.capacity() + to_.capacity() +
         value_.capacity();
}

// An empty field_key_ is of no element.
void Elements::give_back_buffers() {
  for (std::string* buffer : {&field_key_, &key_, &from_, &to_, &value_}) {
    give_back_if_big(*buffer);
  }
}

}  // namespace kiwi::resp
