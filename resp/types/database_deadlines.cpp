// Database: deadlines of keys and of the fields of hashes.
#include <algorithm>
#include <limits>

#include "config/base/check.hpp"
#include "resp/types/database.hpp"
#include "resp/types/packed.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
using rocks::Metadata;

namespace {

// A key's deadline became another one; 0: it has none.
void count_deadline(KeyCounts& counts, int64_t before_ms, int64_t after_ms) {
  if (before_ms != 0) {
    CHECK_INVARIANT(counts.keys_with_ttl != 0);
    --counts.keys_with_ttl;
    counts.deadlines.remove(before_ms);
  }
  if (after_ms != 0) {
    ++counts.keys_with_ttl;
    counts.deadlines.add(after_ms);
  }
}

}  // namespace

bool Database::has_live_field(const Metadata& meta, DatabaseId database, int64_t now_ms) {
  if (!meta.spread) {
    return packing::deadlines(meta.value, now_ms).due < meta.size;
  }
  if (meta.size > meta.field_deadlines) {
    return true;
  }
  const auto last = field_deadlines_.last(meta.collection(database));
  CHECK_INVARIANT(last.has_value());
  return *last > now_ms;
}

// ---------------------------------------------------------------- the index

// Where a key stands with the deadlines that it has now; 0: nowhere. It moves only if it must.
int64_t Database::index_place(const Key& key) const {
  CHECK_INVARIANT(key.meta.field_deadlines <= key.meta.size);
  if (!key.meta.has_deadline()) {
    return 0;
  }
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  const int64_t known_ms = std::min(key.meta.expire_at_ms != 0 ? key.meta.expire_at_ms : kNever,
                                    key.fields_due_ms != 0 ? key.fields_due_ms : kNever);
  const bool stands = key.stored_indexed_at_ms != 0 && !key.index_anew;
  CHECK_INVARIANT(key.meta.expire_at_ms != 0 || key.fields_due_ms != 0 || stands);
  return stands ? std::min(known_ms, key.stored_indexed_at_ms) : known_ms;
}

// The record that says so is about to be written.
void Database::move_in_index(Key& key) {
  const Metadata& meta = key.meta;
  if (meta.expire_at_ms != key.stored_expire_at_ms) {
    count_deadline(counts_for_change(key.database), key.stored_expire_at_ms, meta.expire_at_ms);
  }
  if (meta.indexed_at_ms != key.stored_indexed_at_ms) {
    if (key.stored_indexed_at_ms != 0) {
      expiry_index_.erase(key.database, key.stored_indexed_at_ms, key.name);
      --counts_for_change(key.database).indexed;
    }
    if (meta.indexed_at_ms != 0) {
      expiry_index_.put(key.database, meta.indexed_at_ms, key.name);
      ++counts_for_change(key.database).indexed;
    }
  }
  key.stored_expire_at_ms = meta.expire_at_ms;
  key.stored_indexed_at_ms = meta.indexed_at_ms;
  key.fields_due_ms = 0;
  key.index_anew = false;
}

void Database::leave_index(Key& key) {
  if (key.stored_expire_at_ms != 0) {
    count_deadline(counts_for_change(key.database), key.stored_expire_at_ms, 0);
  }
  if (key.stored_indexed_at_ms != 0) {
    CHECK_INVARIANT(counts(key.database).indexed != 0);
    expiry_index_.erase(key.database, key.stored_indexed_at_ms, key.name);
    --counts_for_change(key.database).indexed;
  }
  key.stored_expire_at_ms = key.stored_indexed_at_ms = 0;
}

// The earliest deadline of a field that is not due; 0: there is none.
int64_t Database::next_field_deadline(const Key& key) {
  if (key.meta.field_deadlines == 0) {
    return 0;
  }
  if (!key.meta.spread) {
    return packing::deadlines(key.meta.value, key.now_ms).first_ms;
  }
  return field_deadlines_.first_after(key.collection(), key.now_ms).value_or(0);
}

void Database::reindex(Key& key) {
  CHECK_INVARIANT(key.live && key.stored_indexed_at_ms != 0);
  key.index_anew = true;
  key.fields_due_ms = next_field_deadline(key);
  update(key);
}

// ---------------------------------------------------------------- copies of hashes

// Of a packed one, without what is due.
void Database::copy_packed_fields(const Key& from, Key& to) {
  CHECK_INVARIANT(!from.meta.spread);
  const packing::Deadlines found = packing::deadlines(renamed_, from.now_ms);
  packing::drop_due(renamed_, from.now_ms);
  to.meta.size -= found.due;
  to.meta.field_deadlines = found.left;
  to.fields_due_ms = found.first_ms;
}

std::vector<DatabaseId> Database::indexed_databases() const {
  std::vector<DatabaseId> found;
  for (const auto& [number, counted] : counts_) {
    if (counted.counts.indexed != 0) {
      found.push_back(DatabaseId{number});
    }
  }
  std::sort(found.begin(), found.end(), [&](DatabaseId a, DatabaseId b) {
    const ExpiryPlace& first = expiry_index_.floor(a);
    const ExpiryPlace& second = expiry_index_.floor(b);
    return first != second ? first < second : a < b;
  });
  return found;
}

}  // namespace kiwi::resp
