// What hashes and sets have in common: a collection of names. It is packed, all of its entries in
// the key's record, as long as they fit (shape.hpp); what outgrows that is spread, a record per
// entry in the order of (hash, bytes), and stays so whatever goes. Each name is there once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/prng.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/handle.hpp"
#include "resp/types/packed.hpp"

namespace kiwi::resp {

class Hashed : public Collection {
 public:
  // Of a collection that is there. Not so: walks answer all entries at once, a SCAN's page too.
  bool spread() const { return (key_.live || fresh_) && key_.meta.spread; }

  bool remove(std::string_view name);  // false: it was not there
  void clear();
  void save();  // as of Collection

  // For Handles.
  void stand_for(const Key& key);
  void give_back() { give_back_if_big(record_); }

 protected:
  Hashed(Database& database, HashedKind kind) : Collection(database), kind_(kind) {}
  using EntryVisit = std::function<bool(const PackedEntry& entry)>;  // false: no more are wanted

  // What is in an entry is valid until the next call into the Database or a change.
  bool find(std::string_view name, PackedEntry& entry) const;
  template <class Visit>
  void each_entry(Visit visit) const;
  // Of a spread one: visit(entry, hash) for all whose hash is at least `from` (F33).
  template <class Visit>
  void each_entry_from(uint64_t from, Visit visit) const;

  void begin_change();
  // A new entry: at `place` among packed ones. Nothing of it may lie in this collection; behind
  // begin_change().
  void insert(const PackedEntry& entry, size_t place);
  // In place of `old`, that find() gave.
  void replace(const PackedEntry& old, const PackedEntry& entry);
  size_t packed_end() const { return packed_.size(); }

  // Entries that `prng` draws, of a collection that is not empty.
  void draw(Prng& prng, const EntryVisit& visit) const;
  void draw_different(uint64_t count, Prng& prng, const EntryVisit& visit) const;  // <= size()
  void draw_repeated(uint64_t count, Prng& prng, const EntryVisit& visit) const;

  PackedEntry of_record(std::string_view name, std::string_view record) const;

  std::string packed_;  // the entries, unless spread

 private:
  void put(const PackedEntry& entry, size_t begin, size_t end);
  void put_record(const PackedEntry& entry);
  void spread_out();

  const HashedKind kind_;
  std::string record_;  // a buffer
};

template <class Visit>
void Hashed::each_entry(Visit visit) const {
  if (empty()) {
    return;
  }
  if (spread()) {
    return each_entry_from(0, [&](const PackedEntry& entry, uint64_t) { return visit(entry); });
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
