// Database: keys.
#include <algorithm>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/types/database.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
using rocks::Family;
using rocks::Type;
namespace keys = rocks::keys;

namespace {

// Worth a way of its own into the Keyspace.
bool is_long_string(const rocks::Metadata& meta) {
  constexpr size_t kLong = 1024;
  return meta.type == Type::kString && !meta.spread && meta.value.size() >= kLong;
}

}  // namespace

const rocks::LookupKey& Database::meta_key(DatabaseId database, std::string_view name) {
  // Names are views into a command's argv, whose bytes stay put until the next begin_command().
  if (meta_key_name_.data() == name.data() && meta_key_name_.size() == name.size() &&
      meta_key_database_ == database && name.data() != nullptr) {
    return meta_key_;
  }
  // Compared by content: whatever was expected, the key is the right one.
  if (expected_now_ < expected_count_ && expected_[expected_now_].is_of(database, name)) {
    const Expected& expected = expected_[expected_now_];
    meta_key_ = {expected.key, expected.hash};
  } else {
    keys::meta(meta_key_bytes_, database, name);
    meta_key_ = {meta_key_bytes_, reader_.hash(meta_key_bytes_)};
  }
  meta_key_name_ = name;
  meta_key_database_ = database;
  return meta_key_;
}

void Database::expect(std::span<const KeyName> names) {
  constexpr size_t kNameMax = 1024;  // a copy of each is kept; to hash a long one takes longer
  forget_names();                    // meta_key_ may be one of those that are replaced
  expected_.resize(std::max(expected_.size(), names.size()));
  expected_count_ = names.size();
  expected_now_ = 0;
  announced_.clear();
  for (size_t i = 0; i < names.size(); ++i) {
    const KeyName& name = names[i];
    Expected& expected = expected_[i];
    expected.key.clear();
    if (!name.bytes.empty() && name.bytes.size() <= kNameMax &&
        name.database < config::limits::kDatabases) {
      expected.database = physical(name.database);
      keys::meta(expected.key, expected.database, name.bytes);
      expected.hash = reader_.hash(expected.key);
      announced_.emplace_back(expected.key, expected.hash);
    }
  }
  reader_.expect_reads(Family::kMeta, announced_);
}

Key Database::find(DatabaseId database, std::string_view name, int64_t now_ms) {
  step();
  Key key;
  key.name = name;
  key.database = database;
  key.now_ms = now_ms;
  auto bytes = reader_.get(Family::kMeta, meta_key(database, name));
  if (!bytes) {
    return key;
  }
  if (!rocks::decode(*bytes, key.meta)) {
    fatal("a metadata record of the state database is corrupt; replace this node's data directory");
  }
  key.present = true;
  key.stored_expire_at_ms = key.meta.expire_at_ms;
  key.stored_indexed_at_ms = key.meta.indexed_at_ms;
  key.paid_bytes = effects_.wrote(key.meta.last_modified) ? key.meta.value.size() : 0;
  key.live = is_live(key.meta, database, now_ms);
  return key;
}

void Database::forget_record(Key& key) {
  report(key.name);  // which may lie in what is erased
  leave_index(key);
  --counts_for_change(key.database).keys;
  effects_.erase(Family::kMeta, meta_key(key.database, key.name));
  key.present = key.live = false;
}

// Writes key.meta. Its value may be a view into the Keyspace, so it is encoded before anything else
// is asked of that.
void Database::store(Key& key) {
  check_key_name(key.name);
  report(key.name);
  if (key.meta.type == Type::kString) {
    effects_.spend_string(key.meta.value.size());
  } else {
    const size_t size = key.meta.value.size();
    effects_.spend_packed(size - std::min(size, key.paid_bytes));
    key.paid_bytes = std::max(size, key.paid_bytes);
  }
  key.meta.indexed_at_ms = index_place(key);
  if (is_long_string(key.meta) && key.meta.indexed_at_ms == key.stored_indexed_at_ms) {
    const std::string_view bytes = key.meta.value;
    rocks::encode_head(value_, key.meta);
    move_in_index(key);  // stays where it is: nothing is asked of the Keyspace
    effects_.put_joined(Family::kMeta, meta_key(key.database, key.name), value_, bytes);
  } else {
    rocks::encode(value_, key.meta);
    move_in_index(key);
    effects_.put(Family::kMeta, meta_key(key.database, key.name), value_);
  }
  key.present = key.live = true;
}

void Database::tell(const config::KeyEvent& event, const Key& key) {
  if (outward_.wants(event.of)) {
    outward_.key_event(event, logical(key.database), key.name);
  }
}

void Database::create(Key& key, const rocks::Metadata& fresh) {
  const bool overwrites = key.live;
  if (key.present) {
    if (!overwrites) {
      tell_expired(key);
    }
    elements_.drop(key);
  } else {
    ++counts_for_change(key.database).keys;
  }
  key.meta = fresh;
  key.meta.version = key.meta.last_modified = next_mutation();
  store(key);
  if (!overwrites) {
    tell_new(key);
  }
}

void Database::replace(Key& key, const rocks::Metadata& built) {
  CHECK_INVARIANT(built.version == record_.mutation_counter);  // nothing came in between
  const bool overwrites = key.live;
  if (key.present) {
    if (!overwrites) {
      tell_expired(key);
    }
    elements_.drop(key);
  } else {
    ++counts_for_change(key.database).keys;
  }
  key.meta = built;
  store(key);
  if (!overwrites) {
    tell_new(key);
  }
}

void Database::begin_new(Key& key, Type type) {
  CHECK_INVARIANT(!key.live);
  if (key.present) {
    remove_expired(key);
  }
  key.meta = rocks::Metadata{};
  key.meta.type = type;
  key.meta.version = key.meta.last_modified = next_mutation();
}

void Database::store_new(Key& key) {
  // Of all collections only streams are there without elements.
  CHECK_INVARIANT(!key.present && (key.meta.size > 0 || key.meta.type == Type::kStream));
  ++counts_for_change(key.database).keys;
  store(key);
  tell_new(key);
}

void Database::update(Key& key) {
  begin_update(key);
  store_updated(key);
}

void Database::begin_update(Key& key) {
  CHECK_INVARIANT(key.live);
  key.meta.last_modified = next_mutation();
}

void Database::store_updated(Key& key) {
  CHECK_INVARIANT(key.live);
  store(key);
}

void Database::remove(Key& key) {
  CHECK_INVARIANT(key.live);
  elements_.drop(key);
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
  tell_expired(key);
  elements_.drop(key);
  forget_record(key);
  if (bucket(key.database, key.name) < key.meta.last_modified) {
    set_bucket(key, key.meta.last_modified);
  }
}

void Database::rename(Key& from, Key& to) {
  CHECK_INVARIANT(from.live && from.database == to.database && from.name != to.name);
  effects_.expect_string(from.meta.value.size());
  if (to.present) {
    if (!to.live) {
      tell_expired(to);
    }
    elements_.drop(to);
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
  // Which of its fields is due first is not looked up: it is not before the old place.
  to.fields_due_ms = moved->field_deadlines != 0 ? moved->indexed_at_ms : 0;
  store(to);
  tell_new(to);
}

void Database::copy(const Key& from, Key& to) {
  CHECK_INVARIANT(from.live && (from.database != to.database || from.name != to.name));
  effects_.expect_string(from.meta.type == Type::kString ? from.meta.string_bytes()
                                                         : from.meta.value.size());
  if (from.meta.has_fields() && from.meta.type != Type::kString) {
    steps_.expect(from.meta.size);  // each is a record
  }
  renamed_.assign(from.meta.value);  // a view into the Keyspace
  if (to.present) {
    if (!to.live) {
      tell_expired(to);
    }
    elements_.drop(to);
  } else {
    ++counts_for_change(to.database).keys;
  }
  to.meta = from.meta;
  to.meta.removed = 0;
  to.meta.version = to.meta.last_modified = next_mutation();
  to.fields_due_ms = 0;
  if (from.meta.field_deadlines != 0 && !from.meta.spread) {
    copy_packed_fields(from, to);
  } else if (from.meta.has_elements()) {
    const Elements::Copied copied =
        elements_.copy(from.meta.type, from.collection(), to.collection(), from.now_ms);
    CHECK_INVARIANT(copied.due <= from.meta.field_deadlines);
    to.meta.size -= copied.due;
    to.meta.field_deadlines -= copied.due;
    to.fields_due_ms = copied.first_deadline_ms;
  }
  to.meta.value = renamed_;
  if (to.meta.type == Type::kString && to.meta.spread) {
    effects_.spend_string(to.meta.size);
  }
  store(to);
  tell_new(to);
}

// ---------------------------------------------------------------- walks

std::unique_ptr<rocks::Cursor> Database::key_cursor(DatabaseId database, uint64_t hash) {
  keys::meta_from(from_, database, hash);
  keys::database_end(to_, database);
  return reader_.cursor(Family::kMeta, from_, to_);
}

}  // namespace kiwi::resp
