// Database: keys and elements of collections.
#include <algorithm>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/database.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
using rocks::Family;
using rocks::Type;
namespace keys = rocks::keys;

const std::string& Database::meta_key(DatabaseId database, std::string_view name) {
  // Names are views into a command's argv, whose bytes stay put until the next begin_command().
  if (meta_key_name_.data() != name.data() || meta_key_name_.size() != name.size() ||
      meta_key_database_ != database || name.data() == nullptr) {
    keys::meta(meta_key_, database, name);
    meta_key_name_ = name;
    meta_key_database_ = database;
  }
  return meta_key_;
}

void Database::expect(std::span<const FirstArgument> names) {
  constexpr size_t kNameMax = 1024;  // a copy of each is kept; to hash a long one takes longer
  size_t count = 0;
  if (expected_keys_.size() < names.size()) {
    expected_keys_.resize(names.size());
  }
  for (const FirstArgument& name : names) {
    if (!name.bytes.empty() && name.bytes.size() <= kNameMax &&
        name.database < config::limits::kDatabases) {
      keys::meta(expected_keys_[count++], physical(name.database), name.bytes);
    }
  }
  reader_.expect_reads(Family::kMeta, std::span(expected_keys_).first(count));
}

Key Database::find(DatabaseId database, std::string_view name, int64_t now_ms) {
  step();
  Key key;
  key.name = name;
  key.database = database;
  auto bytes = reader_.get(Family::kMeta, meta_key(database, name));
  if (!bytes) {
    return key;
  }
  auto meta = rocks::decode_metadata(*bytes);
  if (!meta) {
    fatal("a metadata record of the state database is corrupt; replace this node's data directory");
  }
  key.present = true;
  key.meta = *meta;
  key.stored_expire_at_ms = meta->expire_at_ms;
  key.live = !meta->expired(now_ms);
  return key;
}

void Database::drop_elements(const Key& key) {
  if (key.meta.type == Type::kString) {
    return;
  }
  if (key.meta.type == Type::kList && key.meta.list_head < key.meta.list_tail) {
    erase_list_elements(key, key.meta.list_head, key.meta.list_tail);
    return;
  }
  keys::collection_begin(from_, key.collection());
  keys::collection_end(to_, key.collection());
  erase_range(Family::kElement, from_, to_);
  if (key.meta.type == Type::kSortedSet) {
    erase_range(Family::kScore, from_, to_);
  }
}

void Database::put_expiry(const Key& key, int64_t expire_at_ms) {
  if (expire_at_ms != 0) {
    keys::expiry(key_, expire_at_ms, key.database, key.name);
    put(Family::kSystem, key_, {});
    expiry_floor_.is_there(key_);
    ++counts_for_change(key.database).keys_with_ttl;
  }
}

void Database::erase_expiry(const Key& key) {
  if (key.stored_expire_at_ms != 0) {
    keys::expiry(key_, key.stored_expire_at_ms, key.database, key.name);
    erase(Family::kSystem, key_);
    --counts_for_change(key.database).keys_with_ttl;
  }
}

void Database::forget_record(Key& key) {
  erase_expiry(key);
  --counts_for_change(key.database).keys;
  erase(Family::kMeta, meta_key(key.database, key.name));
  key.present = key.live = false;
  key.stored_expire_at_ms = 0;
}

// Writes key.meta. Its value may be a view into the Keyspace, so it is encoded before anything else
// is asked of that.
void Database::store(Key& key) {
  rocks::encode(value_, key.meta);
  if (key.meta.expire_at_ms != key.stored_expire_at_ms) {
    erase_expiry(key);
    put_expiry(key, key.meta.expire_at_ms);
    key.stored_expire_at_ms = key.meta.expire_at_ms;
  }
  put(Family::kMeta, meta_key(key.database, key.name), value_);
  key.present = key.live = true;
}

void Database::create(Key& key, const rocks::Metadata& fresh) {
  if (key.present) {
    drop_elements(key);
  } else {
    ++counts_for_change(key.database).keys;
  }
  key.meta = fresh;
  key.meta.version = key.meta.last_modified = next_mutation();
  store(key);
}

void Database::update(Key& key) {
  CHECK_INVARIANT(key.live);
  key.meta.last_modified = next_mutation();
  store(key);
}

void Database::remove(Key& key) {
  CHECK_INVARIANT(key.live);
  drop_elements(key);
  remove_emptied(key);
}

void Database::remove_emptied(Key& key) {
  CHECK_INVARIANT(key.live);
  forget_record(key);
  set_bucket(key, next_mutation());
}

void Database::remove_expired(Key& key) {
  CHECK_INVARIANT(key.present && !key.live);
  // Not a mutation: for clients the key was gone already. Whoever saw it missing holds a token that
  // is at least as new as its last change, unless it was created after the token was given.
  drop_elements(key);
  forget_record(key);
  if (bucket(key.database, key.name) < key.meta.last_modified) {
    set_bucket(key, key.meta.last_modified);
  }
}

void Database::rename(Key& from, Key& to) {
  CHECK_INVARIANT(from.live && from.database == to.database && from.name != to.name);
  if (to.present) {
    drop_elements(to);
    forget_record(to);
  }
  auto bytes = reader_.get(Family::kMeta, meta_key(from.database, from.name));
  CHECK_INVARIANT(bytes.has_value());
  renamed_.assign(*bytes);  // meta.value of what goes into `to` is a view into it
  auto moved = rocks::decode_metadata(renamed_);
  CHECK_INVARIANT(moved.has_value());
  forget_record(from);
  set_bucket(from, next_mutation());
  ++counts_for_change(to.database).keys;
  to.meta = *moved;
  to.meta.last_modified = next_mutation();
  store(to);
}

void Database::copy(const Key& from, Key& to) {
  CHECK_INVARIANT(from.live && (from.database != to.database || from.name != to.name));
  renamed_.assign(from.meta.value);  // a view into the Keyspace
  rocks::Metadata fresh = from.meta;
  fresh.value = renamed_;
  create(to, fresh);
  if (fresh.type != Type::kString) {
    copy_records(Family::kElement, from.collection(), to.collection());
    copy_records(Family::kScore, from.collection(), to.collection());
  }
}

void Database::copy_records(Family family, rocks::CollectionId from, rocks::CollectionId to) {
  constexpr size_t kStep = 512;
  std::string begin;
  std::string end;
  std::string target;
  keys::collection_begin(begin, from);
  keys::collection_end(end, from);
  keys::collection_begin(target, to);
  size_t prefix = begin.size();
  std::vector<std::pair<std::string, std::string>> records;  // what follows the prefix; value
  do {
    records.clear();
    auto cursor = reader_.cursor(family, begin, end);
    for (; cursor->valid() && records.size() < kStep; cursor->next()) {
      spend(cursor->key().size() + cursor->value().size());
      records.emplace_back(cursor->key().substr(prefix), cursor->value());
    }
    cursor.reset();
    for (const auto& [rest, value] : records) {
      target.resize(prefix);
      target.append(rest);
      put(family, target, value);
    }
    if (!records.empty()) {  // go on right behind the last one
      begin.resize(prefix);
      begin.append(records.back().first).push_back('\0');
    }
  } while (records.size() == kStep);
}

void Database::erase_stale_expiry(int64_t expire_at_ms,
                                  DatabaseId database,
                                  std::string_view name) {
  keys::expiry(key_, expire_at_ms, database, name);
  erase(Family::kSystem, key_);
}

void Database::keep_expiry(int64_t expire_at_ms, DatabaseId database, std::string_view name) {
  keys::expiry(key_, expire_at_ms, database, name);
  expiry_floor_.is_there(key_);
}

// ---------------------------------------------------------------- elements

std::optional<std::string_view> Database::element(const Key& key, std::string_view field) {
  step();
  keys::element(key_, key.collection(), field);
  return reader_.get(Family::kElement, key_);
}

void Database::put_element(const Key& key, std::string_view field, std::string_view value) {
  keys::element(key_, key.collection(), field);
  put(Family::kElement, key_, value);
}

void Database::erase_element(const Key& key, std::string_view field) {
  keys::element(key_, key.collection(), field);
  erase(Family::kElement, key_);
}

void Database::element_missing() {
  fatal(
      "an element of a list is missing in the state database; replace this node's data directory");
}

std::string_view Database::list_element(const Key& key, int64_t position) {
  step();
  keys::list_element(key_, key.collection(), position);
  const std::optional<std::string_view> found = reader_.get(Family::kElement, key_);
  if (!found) {
    element_missing();
  }
  return *found;
}

void Database::put_list_element(const Key& key, int64_t position, std::string_view value) {
  keys::list_element(key_, key.collection(), position);
  put(Family::kElement, key_, value);
}

void Database::erase_list_elements(const Key& key, int64_t from, int64_t to) {
  constexpr int64_t kFew = 64;  // a range tombstone costs every later read more than a few erases
  if (to - from <= kFew) {
    for (int64_t position = from; position < to; ++position) {
      keys::list_element(key_, key.collection(), position);
      erase(Family::kElement, key_);
    }
    return;
  }
  keys::list_element(from_, key.collection(), from);
  keys::list_element(to_, key.collection(), to);
  erase_range(Family::kElement, from_, to_);
}

void Database::list_bounds(const Key& key, int64_t from, int64_t to) {
  keys::list_element(from_, key.collection(), from);
  keys::list_element(to_, key.collection(), to);
}

std::unique_ptr<rocks::Cursor> Database::element_cursor(const Key& key, uint64_t hash) {
  keys::element_from(from_, key.collection(), hash);
  keys::collection_end(to_, key.collection());
  return reader_.cursor(Family::kElement, from_, to_);
}

std::unique_ptr<rocks::Cursor> Database::key_cursor(DatabaseId database, uint64_t hash) {
  keys::meta_from(from_, database, hash);
  keys::database_end(to_, database);
  return reader_.cursor(Family::kMeta, from_, to_);
}

std::unique_ptr<rocks::Cursor> Database::expiry_cursor(int64_t not_after_ms) {
  keys::expiry_range(from_, to_, not_after_ms);
  from_ = std::max(from_, expiry_floor_.key());
  return reader_.cursor(Family::kSystem, from_, to_);
}

}  // namespace kiwi::resp
