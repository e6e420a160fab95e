// What hashes and sets have in common: a collection of names. It is packed, all of its entries in
// the key's record, as long as they fit (shape.hpp); what outgrows that is spread, a record per
// entry in the order of (hash, bytes), and stays so whatever goes. Each name is there once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/prng.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/handle.hpp"
#include "resp/types/packed.hpp"

namespace kiwi::resp {

class Hashed : public Collection {
 public:
  // Of a collection that is there. Not so: walks answer all entries at once, a SCAN's page too.
  bool spread() const { return (key_.live || fresh_) && key_.meta.spread; }
  // As of Collection, without fields that are due. Of a spread hash that has some they are counted,
  // once.
  uint64_t size() const { return Collection::size() - due(); }

  bool remove(std::string_view name);        // false: it was not there
  bool empty() const;                        // costs no count
  bool has_more_than(uint64_t count) const;  // looks at no more entries than that
  void clear();
  void save();  // as of Collection

  // For Handles.
  void stand_for(const Key& key);
  void give_back() { give_back_if_big(record_); }

 protected:
  Hashed(Database& database, HashedKind kind) : Collection(database), kind_(kind) {}
  using EntryVisit = std::function<bool(const PackedEntry& entry)>;  // false: no more are wanted

  // What is in an entry is valid until the next call into the Database or a change. An entry that
  // is due is absent: packed ones are left out when the handle is opened, others stay stored until
  // they are reclaimed, and their names may come again.
  bool find(std::string_view name, PackedEntry& entry) const {
    return find_stored(name, entry) && !entry.is_due(key_.now_ms);
  }
  bool find_stored(std::string_view name, PackedEntry& entry) const;
  template <class Visit>
  void each_entry(Visit visit) const;
  // Of a spread one: visit(entry, hash) for all whose hash is at least `from` (F33), due ones too.
  template <class Visit>
  void each_entry_from(uint64_t from, Visit visit) const;

  void begin_change();
  // A new entry: at `place` among packed ones. Nothing of it may lie in this collection; behind
  // begin_change().
  void insert(const PackedEntry& entry, size_t place);
  // In place of `old`, that find_stored() gave.
  void replace(const PackedEntry& old, const PackedEntry& entry);
  // The same; `with_index`: its deadline leaves the index of a spread one, too.
  void take_out(const PackedEntry& old, bool with_index = true);
  size_t packed_end() const { return packed_.size(); }
  uint64_t left_out() const { return left_out_; }  // packed entries that were due

  // Entries that `prng` draws, of a collection that is not empty.
  void draw(Prng& prng, const EntryVisit& visit) const;
  void draw_different(uint64_t count, Prng& prng, const EntryVisit& visit) const;  // <= size()
  void draw_repeated(uint64_t count, Prng& prng, const EntryVisit& visit) const;

  PackedEntry of_record(std::string_view name, std::string_view record) const;

  std::string packed_;  // the entries, unless spread

 private:
  // `old`: an empty place among packed entries, or the entry that makes way.
  void put(const PackedEntry& old, const PackedEntry& entry);
  void put_record(const PackedEntry& entry);
  void index_deadline(std::string_view field, int64_t old_ms, int64_t deadline_ms);
  void count_deadline(int64_t old_ms, int64_t deadline_ms);
  void spread_out();
  void drop_all();
  void leave_out_due();
  uint64_t due() const;
  // Of a spread one some of whose entries are due.
  void draw_left(std::vector<uint64_t> ranks, const EntryVisit& visit) const;

  const HashedKind kind_;
  std::string record_;  // a buffer
  uint64_t left_out_ = 0;
  mutable std::optional<uint64_t> due_;  // entries that are stored and due, once somebody asked
};

template <class Visit>
void Hashed::each_entry(Visit visit) const {
  if (Collection::empty()) {
    return;
  }
  if (spread()) {
    return each_entry_from(0, [&](const PackedEntry& entry, uint64_t) {
      return entry.is_due(key_.now_ms) || visit(entry);
    });
  }
  PackedEntry entry;
  for (PackedEntries entries(kind_, packed_); entries.next(entry) && visit(entry);) {
    database().steps().entry();
  }
}

template <class Visit>
void Hashed::each_entry_from(uint64_t from, Visit visit) const {
  for (auto cursor = elements().cursor(key_.collection(), from); cursor->valid(); cursor->next()) {
    database().step();
    const PackedEntry entry = of_record(rocks::keys::element_field(cursor->key()), cursor->value());
    if (!visit(entry, rocks::keys::element_hash(cursor->key()))) {
      return;
    }
  }
}

}  // namespace kiwi::resp
