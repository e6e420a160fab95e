#include "resp/types/hashed.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/random_members.hpp"

namespace kiwi::resp {

void Hashed::stand_for(const Key& key) {
  Collection::stand_for(key);
  due_.reset();
  left_out_ = 0;
  // A copy: a command that has several keys open reads the others while it uses this one.
  packed_.assign(key.live && !key.meta.spread ? key.meta.value : std::string_view());
  key_.meta.value = {};
  if (key.live && !key.meta.spread && key.meta.field_deadlines != 0 &&
      key.meta.may_be_due(key.now_ms)) {
    leave_out_due();
  }
}

// Of a packed hash. It is written so if something else of it changes.
void Hashed::leave_out_due() {
  const packing::Deadlines found = packing::deadlines(packed_, key_.now_ms);
  if (found.due != 0) {
    packing::drop_due(packed_, key_.now_ms);
    key_.meta.size -= found.due;
    key_.meta.field_deadlines = found.left;
    left_out_ = found.due;
  }
}

bool Hashed::empty() const {
  return Collection::empty() ||
         (spread() && !database().is_live(key_.meta, key_.database, key_.now_ms));
}

uint64_t Hashed::due() const {
  if (key_.meta.field_deadlines == 0 || !spread() || !key_.meta.may_be_due(key_.now_ms)) {
    return 0;
  }
  if (!due_) {
    due_ = database().field_deadlines().due(key_.collection(), key_.now_ms);
    CHECK_INVARIANT(*due_ <= key_.meta.field_deadlines);
  }
  return *due_;
}

// However many are due: what comes later is counted.
bool Hashed::has_more_than(uint64_t count) const {
  const uint64_t stored = Collection::size();
  if (stored <= count) {
    return false;
  }
  if (due_ || key_.meta.field_deadlines == 0 || !spread() || !key_.meta.may_be_due(key_.now_ms)) {
    return size() > count;
  }
  CHECK_INVARIANT(key_.meta.field_deadlines <= stored);
  const uint64_t lasting = stored - key_.meta.field_deadlines;
  return lasting > count ||
         database().field_deadlines().later(key_.collection(), key_.now_ms, count + 1 - lasting) >
             count - lasting;
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

bool Hashed::find_stored(std::string_view name, PackedEntry& entry) const {
  if (Collection::empty()) {
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

void Hashed::index_deadline(std::string_view field, int64_t old_ms, int64_t deadline_ms) {
  if (old_ms == deadline_ms) {
    return;
  }
  FieldDeadlines& index = database().field_deadlines();
  if (old_ms != 0) {
    index.erase(key_.collection(), old_ms, field);
  }
  if (deadline_ms != 0) {
    index.put(key_.collection(), deadline_ms, field);
  }
}

void Hashed::count_deadline(int64_t old_ms, int64_t deadline_ms) {
  CHECK_INVARIANT(old_ms == 0 || key_.meta.field_deadlines != 0);
  key_.meta.field_deadlines -= old_ms != 0 ? 1 : 0;
  if (deadline_ms == 0) {
    return;
  }
  ++key_.meta.field_deadlines;
  key_.fields_due_ms =
      key_.fields_due_ms == 0 ? deadline_ms : std::min(key_.fields_due_ms, deadline_ms);
}

// Once in a collection's life. Entries that have a deadline carry it along.
void Hashed::spread_out() {
  key_.meta.spread = true;
  PackedEntry entry;
  for (PackedEntries entries(kind_, packed_); entries.next(entry);) {
    put_record(entry);
    index_deadline(entry.name, 0, entry.deadline_ms);
  }
  packed_.clear();
}

void Hashed::put(const PackedEntry& old, const PackedEntry& entry) {
  count_deadline(old.deadline_ms, entry.deadline_ms);
  int64_t indexed_ms = old.deadline_ms;
  if (!key_.meta.spread &&
      packed_.size() - (old.end - old.begin) + packing::entry_bytes(kind_, entry) >
          database().shape().packed_bytes) {
    packed_.erase(old.begin, old.end - old.begin);
    spread_out();
    indexed_ms = 0;
  }
  if (key_.meta.spread) {
    put_record(entry);
    index_deadline(entry.name, indexed_ms, entry.deadline_ms);
  } else {
    packing::replace(packed_, old.begin, old.end, kind_, entry);
  }
}

void Hashed::insert(const PackedEntry& entry, size_t place) {
  put({.name = {}, .begin = place, .end = place}, entry);
  ++key_.meta.size;
}

void Hashed::replace(const PackedEntry& old, const PackedEntry& entry) {
  if (old.is_due(key_.now_ms) && due_) {
    --*due_;
  }
  put(old, entry);
}

bool Hashed::remove(std::string_view name) {
  PackedEntry entry;
  if (!find(name, entry)) {
    return false;
  }
  entry.name = name;  // what was found dies with the first change
  begin_change();
  take_out(entry);
  return true;
}

void Hashed::take_out(const PackedEntry& old, bool with_index) {
  if (key_.meta.spread) {
    elements().erase(key_.collection(), old.name);
    if (with_index) {
      index_deadline(old.name, old.deadline_ms, 0);
    }
    key_.meta.removed = stamp();
    due_ = old.is_due(key_.now_ms) && due_ ? std::optional(*due_ - 1) : due_;
  } else {
    packed_.erase(old.begin, old.end - old.begin);
  }
  count_deadline(old.deadline_ms, 0);
  --key_.meta.size;
}

void Hashed::clear() {
  if (Collection::empty()) {
    return;
  }
  begin_change();
  drop_all();
}

void Hashed::drop_all() {
  if (key_.meta.spread) {
    elements().drop(key_);
    key_.meta.removed = stamp();
  }
  packed_.clear();
  key_.meta.size = key_.meta.field_deadlines = 0;
  due_.reset();
}

void Hashed::save() {
  if (changed_) {
    if (key_.meta.spread && key_.meta.size != 0 &&
        !database().is_live(key_.meta, key_.database, key_.now_ms)) {
      drop_all();  // what is left is due
    }
    key_.meta.value = packed_;
    Collection::save();
  }
}

// ---------------------------------------------------------------- random entries

// Of those that are not due, in their order; ranks ascend. One walk: some entries are due only
// until they are reclaimed.
void Hashed::draw_left(std::vector<uint64_t> ranks, const EntryVisit& visit) const {
  uint64_t rank = 0;
  size_t next = 0;
  each_entry([&](const PackedEntry& entry) {
    for (; next < ranks.size() && ranks[next] == rank; ++next) {
      if (!visit(entry)) {
        return false;
      }
    }
    ++rank;
    return next < ranks.size();
  });
}

void Hashed::draw(Prng& prng, const EntryVisit& visit) const {
  if (!spread()) {
    return random_packed::repeated(PackedEntries(kind_, packed_), size(), 1, prng, visit);
  }
  if (due() != 0) {
    return draw_left({prng.below(size())}, visit);
  }
  RandomMembers random(database(), key_);
  const std::string_view name = random.draw(prng);
  visit(of_record(name, random.record()));
}

void Hashed::draw_different(uint64_t count, Prng& prng, const EntryVisit& visit) const {
  if (!spread()) {
    return random_packed::different(PackedEntries(kind_, packed_), size(), count, prng, visit);
  }
  if (due() != 0) {
    database().effects().spend(count * sizeof(uint64_t));
    std::vector<uint64_t> ranks;
    for (uint64_t rank = 0; ranks.size() < count; ++rank) {  // Knuth's algorithm S
      database().steps().entry();
      if (prng.below(size() - rank) < count - ranks.size()) {
        ranks.push_back(rank);
      }
    }
    return draw_left(std::move(ranks), visit);
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
  if (due() != 0) {
    std::vector<uint64_t> ranks(count);
    std::generate(ranks.begin(), ranks.end(), [&] { return prng.below(size()); });
    std::sort(ranks.begin(), ranks.end());
    return draw_left(std::move(ranks), visit);
  }
  RandomMembers(database(), key_)
      .repeated(count, prng, [&](std::string_view name, std::string_view record) {
        return visit(of_record(name, record));
      });
}

}  // namespace kiwi::resp
