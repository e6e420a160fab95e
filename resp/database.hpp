// The state as commands see it: keys with type, deadline and version on top of the Keyspace's byte
// maps. Keeps every derived record in step with the keys: key counts, the expiry index, deletion
// buckets (F11), the mutation counter (F10) and the rolling checksum (F34). Knows no Redis command.
//
// Owned by the Executor; client loop only. Only entries may call the writing half: everything here
// is a function of (state, entry), reads included, so no clock and no option.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "config/limits.hpp"
#include "resp/batch.hpp"
#include "resp/expiry_floor.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

// A key as it was found. Valid until the command ends; meta.value only until the next call into the
// Database that reads or writes.
struct Key {
  std::string_view name;
  rocks::DatabaseId database;
  bool present = false;  // it has a record, maybe an expired one, which no client can tell (F34)
  bool live = false;     // it exists for clients
  rocks::Metadata meta;
  int64_t stored_expire_at_ms = 0;  // the record's deadline: meta's may be edited before update()

  bool is(rocks::Type type) const { return live && meta.type == type; }
  rocks::CollectionId collection() const { return meta.collection(database); }
};

struct KeyCounts {
  uint64_t keys = 0;
  uint64_t keys_with_ttl = 0;
};

struct TooManySteps {};

// F61: what commands of one entry read into memory or write, beyond what clients sent, is bounded:
// an entry is one commit. Alike on every node.
struct TooMuchForOneEntry : std::exception {
  const char* what() const noexcept override { return "too much for one entry"; }
};

class Database {
 public:
  // `entry_work_max` is a constant in all that is not a test: it decides what entries mean.
  explicit Database(rocks::Writer& writer, size_t entry_work_max = config::limits::kEntryWorkBytes);
  // Of a view, for reads only: the writing half may not be called. What is kept of each logical
  // database is read when it is asked for: two thousand reads would take longer than the command.
  explicit Database(rocks::Reader& view, size_t entry_work_max = config::limits::kEntryWorkBytes);

  // ---- turns and undo
  const rocks::AppliedRecord& record() const { return record_; }
  // Entry by entry: its position becomes part of the checksum.
  void begin_entry() { spent_ = 0; }
  void end_entry(LogIndex index, Term term, int64_t stamp_ms);
  // Writes what is kept in memory during a turn; the caller commits.
  void end_turn();
  void begin_command();  // before each command, writing or not
  // Counts the records that a command looks at; what walks records itself calls it for each. Above
  // the limit it throws: a read that turns out to be too long for its turn.
  void step() {
    if (++steps_ > steps_max_) {
      throw TooManySteps();
    }
  }
  void limit_steps(uint64_t steps_max) { steps_max_ = steps_max; }  // until begin_command()
  uint64_t steps() const { return steps_; }
  // A record that a command copies, moves or holds in memory. Throws TooMuchForOneEntry.
  void spend(size_t bytes) {
    spent_ += bytes + kRecordWork;
    if (spent_ > entry_work_max_) {
      throw TooMuchForOneEntry();
    }
  }
  // Reads are not executed everywhere: what they spend is counted apart.
  size_t exchange_spent(size_t spent) { return std::exchange(spent_, spent); }
  size_t entry_work_max() const { return entry_work_max_; }
  // F30: Writer's undo of a command; marks nest, each is closed by one undo() or keep().
  void mark();
  void undo();
  void keep();
  size_t buffer_bytes() const;  // kept for the next command

  // ---- logical databases
  rocks::DatabaseId physical(uint32_t logical);
  uint64_t incarnation(uint32_t logical);  // changes with FLUSHDB and SWAPDB
  void flush(uint32_t logical);
  void swap(uint32_t a, uint32_t b);
  KeyCounts counts(rocks::DatabaseId database) const;  // of what physical() gave
  // Logical numbers that hold keys, in order.
  std::vector<uint32_t> databases_with_keys();

  // ---- keys
  // A hint (Reader::expect_reads): the names that will be looked for next, as far as one can
  // tell.
  void expect(std::span<const FirstArgument> names);
  Key find(rocks::DatabaseId database, std::string_view name, int64_t now_ms);
  // The key becomes a new one, described by `fresh` but for version and last_modified, which it is
  // given. Whatever was there, expired or not, is gone, its elements too.
  void create(Key& key, const rocks::Metadata& fresh);
  // Requires key.live: writes key.meta back as a modification of the same key.
  void update(Key& key);
  void remove(Key& key);  // requires key.live
  // The same for a collection whose elements were all erased one by one: a queue that is empty most
  // of the time should not leave a range erase for each job.
  void remove_emptied(Key& key);
  void remove_expired(Key& key);  // requires present and not live
  // RENAME: the record moves, elements stay where they are (F40). Requires from.live and one
  // database.
  void rename(Key& from, Key& to);
  // COPY, MOVE: `to` becomes a new key with from's content and deadline. Requires from.live and
  // that the two are not the same key.
  void copy(const Key& from, Key& to);
  // Removes an expiry index record that no key has any more.
  void erase_stale_expiry(int64_t expire_at_ms, rocks::DatabaseId database, std::string_view name);

  // ---- elements of collections
  std::optional<std::string_view> element(const Key& key, std::string_view field);
  void put_element(const Key& key, std::string_view field, std::string_view value);
  void erase_element(const Key& key, std::string_view field);
  std::string_view list_element(const Key& key, int64_t position);  // of the list: must be there
  void put_list_element(const Key& key, int64_t position, std::string_view value);
  void erase_list_elements(const Key& key, int64_t from, int64_t to);  // [from, to)
  // Calls visit(position, value) for the elements at [from, to), upwards or downwards, until it
  // answers false. No writes inside.
  template <class Visit>
  void walk_list(const Key& key, int64_t from, int64_t to, Visit visit);
  template <class Visit>
  void walk_list_back(const Key& key, int64_t from, int64_t to, Visit visit);
  // From the member with hash >= `hash` to the collection's end.
  std::unique_ptr<rocks::Cursor> element_cursor(const Key& key, uint64_t hash);
  // Metadata records of a database with key hash >= `hash`.
  std::unique_ptr<rocks::Cursor> key_cursor(rocks::DatabaseId database, uint64_t hash);
  // Index records of deadlines, from the floor on.
  std::unique_ptr<rocks::Cursor> expiry_cursor(int64_t not_after_ms);
  ExpiryFloor& expiry_floor() { return expiry_floor_; }
  // The index record stays, though an entry was to remove it: the key is not over yet.
  void keep_expiry(int64_t expire_at_ms, rocks::DatabaseId database, std::string_view name);

  // ---- WATCH (F11)
  WatchToken watch(uint32_t logical, std::string_view name, int64_t now_ms, bool& has_ttl);
  bool unchanged(const WatchToken& token, int64_t now_ms);

 private:
  struct Counted {
    KeyCounts counts;
    bool dirty = false;
  };
  struct Mapped {
    rocks::DatabaseId id;
    uint64_t incarnation = 0;
  };
  // What undo() puts back beside the Writer's own undo.
  struct Mark {
    uint64_t mutation_counter;
    uint64_t checksum;
    size_t spent;
    uint32_t next_database;
    size_t counts;  // entries of counts_before_ when it was set
    size_t map;     // of map_before_
  };

  rocks::Writer& writer();
  uint64_t next_mutation() { return ++record_.mutation_counter; }
  void mix(uint8_t effect, std::string_view key, std::string_view value);
  void put(rocks::Family family, std::string_view key, std::string_view value);
  void erase(rocks::Family family, std::string_view key);
  void erase_range(rocks::Family family, std::string_view from, std::string_view to);
  const std::string& meta_key(rocks::DatabaseId database, std::string_view name);
  KeyCounts& counts_for_change(rocks::DatabaseId database);
  void set_mapped(uint32_t logical, Mapped mapped);
  const Mapped* mapped(uint32_t logical);
  void drop_elements(const Key& key);
  void put_expiry(const Key& key, int64_t expire_at_ms);
  void erase_expiry(const Key& key);
  void forget_record(Key& key);  // record, index and counts; neither elements nor bucket
  void store(Key& key);
  // Copies the records of a collection to another, in steps: no write may happen under a cursor.
  void copy_records(rocks::Family family, rocks::CollectionId from, rocks::CollectionId to);
  void list_bounds(const Key& key, int64_t from, int64_t to);  // to from_ and to_
  [[noreturn]] static void element_missing();
  uint64_t bucket(rocks::DatabaseId database, std::string_view name);
  void set_bucket(const Key& key, uint64_t counter);
  void give_back_buffers();
  void load();
  void load_logical(uint32_t logical);
  void load_mapped(uint32_t logical);
  void load_counts(rocks::DatabaseId database);

  rocks::Reader& reader_;
  rocks::Writer* const writer_;  // the same object; nullptr: a view
  rocks::AppliedRecord record_;
  std::unordered_map<uint32_t, Counted> counts_;  // by physical number
  std::unordered_map<uint32_t, Mapped> map_;  // by logical number; absent = itself, never changed
  std::vector<Mark> marks_;                                    // open ones, the outermost first
  std::vector<std::pair<uint32_t, KeyCounts>> counts_before_;  // by physical number
  std::vector<std::pair<uint32_t, Mapped>> map_before_;        // by logical number
  std::vector<uint32_t> dirty_counts_;
  ExpiryFloor expiry_floor_;
  std::unordered_set<uint32_t> loaded_;  // of a view: logical numbers

  static constexpr size_t kRecordWork = 100;  // what memory a record takes beside its bytes
  const size_t entry_work_max_;
  size_t spent_ = 0;
  uint64_t steps_ = 0;
  uint64_t steps_max_ = std::numeric_limits<uint64_t>::max();

  // Buffers of one command, reused.
  std::vector<std::string> expected_keys_;
  std::string meta_key_;
  std::string_view meta_key_name_;  // whose key meta_key_ is: compared by address
  rocks::DatabaseId meta_key_database_;
  std::string key_;
  std::string value_;
  std::string renamed_;
  std::string from_;
  std::string to_;
};

template <class Visit>
void Database::walk_list(const Key& key, int64_t from, int64_t to, Visit visit) {
  list_bounds(key, from, to);
  auto cursor = reader_.cursor(rocks::Family::kElement, from_, to_);
  for (int64_t position = from; position < to; ++position, cursor->next()) {
    step();
    if (!cursor->valid()) {
      element_missing();
    }
    if (!visit(position, cursor->value())) {
      return;
    }
  }
}

template <class Visit>
void Database::walk_list_back(const Key& key, int64_t from, int64_t to, Visit visit) {
  list_bounds(key, from, to);
  auto cursor = reader_.reverse_cursor(rocks::Family::kElement, from_, to_);
  for (int64_t position = to; position-- > from; cursor->next()) {
    step();
    if (!cursor->valid()) {
      element_missing();
    }
    if (!visit(position, cursor->value())) {
      return;
    }
  }
}

}  // namespace kiwi::resp
