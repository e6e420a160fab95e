#include "resp/types/hashed.hpp"

#include "config/base/check.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/random_members.hpp"

namespace kiwi::resp {

void Hashed::stand_for(const Key& key) {
  Collection::stand_for(key);
  // A copy: a command that has several keys open reads the others while it uses this one.
  packed_.assign(key.live && !key.meta.spread ? key.meta.value : std::string_view());
  key_.meta.value = {};
}

void Hashed::begin_change() {
  Collection::begin_change(kind_ == HashedKind::kSet ? rocks::Type::kSet : rocks::Type::kHash);
}

PackedEntry Hashed::of_record(std::string_view name, std::string_view record) const {
  if (kind_ == HashedKind::kSet) {
    return {.name = name};
  }
  const std::optional<FieldValue> field = decode_field(record);
  if (!field) {
    Elements::damaged("a field of a hash is damaged");
  }
  return {.name = name, .deadline_ms = field->deadline_ms, .value = field->value};
}

bool Hashed::find(std::string_view name, PackedEntry& entry) const {
  if (empty()) {
    return false;
  }
  if (!spread()) {
    database().steps().step(1 + size() / Steps::kEntriesPerStep);  // it compares one by one
    return packing::find(kind_, packed_, name, entry);
  }
  const std::optional<std::string_view> record = elements().get(key_.collection(), name);
  if (record) {
    entry = of_record(name, *record);
  }
  return record.has_value();
}

// ---------------------------------------------------------------- changes

void Hashed::put_record(const PackedEntry& entry) {
  if (kind_ == HashedKind::kSet) {
    encode_member(record_, stamp());
  } else {
    encode_field(record_, {entry.deadline_ms, stamp(), entry.value});
  }
  elements().put(key_.collection(), entry.name, record_);
}

// Once in a collection's life. Entries that have a deadline carry it along, passed or not.
void Hashed::spread_out() {
  key_.meta.spread = true;
  PackedEntry entry;
  for (PackedEntries entries(kind_, packed_); entries.next(entry);) {
    put_record(entry);
  }
  packed_.clear();
}

// Packed entries at [begin, end) make way.
void Hashed::put(const PackedEntry& entry, size_t begin, size_t end) {
  if (!key_.meta.spread && packed_.size() - (end - begin) + packing::entry_bytes(kind_, entry) >
                               database().shape().packed_bytes) {
    packed_.erase(begin, end - begin);
    spread_out();
  }
  if (key_.meta.spread) {
    put_record(entry);
  } else {
    packing::replace(packed_, begin, end, kind_, entry);
  }
}

void Hashed::insert(const PackedEntry& entry, size_t place) {
  put(entry, place, place);
  ++key_.meta.size;
}

void Hashed::replace(const PackedEntry& old, const PackedEntry& entry) {
  put(entry, old.begin, old.end);
}

bool Hashed::remove(std::string_view name) {
  PackedEntry entry;
  if (!find(name, entry)) {
    return false;
  }
  begin_change();
  if (key_.meta.spread) {
    elements().erase(key_.collection(), name);
    key_.meta.removed = stamp();
  } else {
    packed_.erase(entry.begin, entry.end - entry.begin);
  }
  --key_.meta.size;
  return true;
}

void Hashed::clear() {
  if (empty()) {
    return;
  }
  begin_change();
  if (key_.meta.spread) {
    elements().drop(key_);
    key_.meta.removed = stamp();
  }
  packed_.clear();
  key_.meta.size = 0;
}

void Hashed::save() {
  if (changed_) {
    key_.meta.value = packed_;
    Collection::save();
  }
}

// ---------------------------------------------------------------- random entries

void Hashed::draw(Prng& prng, const EntryVisit& visit) const {
  if (!spread()) {
    return random_packed::repeated(PackedEntries(kind_, packed_), size(), 1, prng, visit);
  }
  RandomMembers random(database(), key_);
  const std::string_view name = random.draw(prng);
  visit(of_record(name, random.record()));
}

void Hashed::draw_different(uint64_t count, Prng& prng, const EntryVisit& visit) const {
  if (!spread()) {
    return random_packed::different(PackedEntries(kind_, packed_), size(), count, prng, visit);
  }
  RandomMembers(database(), key_)
      .different(count, prng, [&](std::string_view name, std::string_view record) {
        return visit(of_record(name, record));
      });
}

void Hashed::draw_repeated(uint64_t count, Prng& prng, const EntryVisit& visit) const {
  if (!spread()) {
    return random_packed::repeated(PackedEntries(kind_, packed_), size(), count, prng,
                                   [&](const PackedEntry& entry) {
                                     database().steps().entry();
                                     return visit(entry);
                                   });
  }
  RandomMembers(database(), key_)
      .repeated(count, prng, [&](std::string_view name, std::string_view record) {
        return visit(of_record(name, record));
      });
}

}  // namespace kiwi::resp
