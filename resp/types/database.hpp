// The keys of the state: type, deadline and version on top of the keyspace's byte maps. Keeps every
// derived record in step with the keys: key counts, the expiry index, deletion buckets (F11) and
// the mutation counter (F10). What a key holds is the business of its type (Hash, Set, List,
// String), which stores it by elements() and effects(). Knows no Redis command.
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
#include "resp/types/comparison.hpp"
#include "resp/types/effects.hpp"
#include "resp/types/elements.hpp"
#include "resp/types/expiry_index.hpp"
#include "resp/types/field_deadlines.hpp"
#include "resp/types/group_records.hpp"
#include "resp/types/key.hpp"
#include "resp/types/key_counts.hpp"
#include "resp/types/libraries.hpp"
#include "resp/types/nodes.hpp"
#include "resp/types/once.hpp"
#include "resp/types/outward.hpp"
#include "resp/types/producers.hpp"
#include "resp/types/scripts.hpp"
#include "resp/types/settings.hpp"
#include "resp/types/shape.hpp"
#include "resp/types/steps.hpp"
#include "resp/types/user_records.hpp"
#include "resp/types/waited_keys.hpp"
#include "resp/types/watch.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

class Database {
 public:
  // `entry_work_max` is a constant in all that is not a test: it decides what entries mean.
  explicit Database(rocks::Writer& writer,
                    size_t entry_work_max = config::limits::kEntryWorkBytes,
                    const Shape& shape = kShape);
  // Of a view, for reads only: the writing half may not be called. What is kept of each logical
  // database is read when it is asked for: two thousand reads would take longer than the command.
  explicit Database(rocks::Reader& view,
                    size_t entry_work_max = config::limits::kEntryWorkBytes,
                    const Shape& shape = kShape);

  // Every key that changes is reported there; nullptr: to nobody. Also what is undone later.
  void report_to(WaitedKeys* waited) { waited_ = waited; }

  // ---- turns and undo
  const rocks::AppliedRecord& record() const { return record_; }
  // Of the entry that is being applied; between two, of the last one.
  LogIndex index_now() const { return entry_index_.value != 0 ? entry_index_ : record_.index; }
  void begin_entry(LogIndex index = {}) {  // without one it tells nobody anything
    entry_index_ = index;
    effects_.begin_entry(record_.mutation_counter);
    outward_.begin_entry(index);
    comparison_.begin_entry(index, outward_.live());
  }
  void end_entry(LogIndex index, Term term, int64_t stamp_ms);
  // Writes what is kept in memory during a turn; the caller commits.
  void end_turn();
  // What commands made big (F47): at the end of a turn, and behind reads, which end none.
  void give_back_buffers();
  void begin_command();  // before each command, writing or not
  // Names that were asked for may lie elsewhere now: for whoever has its own, not a command's.
  void forget_names() { meta_key_name_ = {}; }
  // Undo of a command, as of rocks::Writer (F30).
  void mark();
  void undo();
  void keep();
  size_t buffer_bytes() const;  // kept for the next command

  // ---- what types and whoever walks records use
  Steps& steps() { return steps_; }
  Effects& effects() { return effects_; }
  Elements& elements() { return elements_; }
  Nodes& nodes() { return nodes_; }
  FieldDeadlines& field_deadlines() { return field_deadlines_; }
  GroupRecords& group_records() { return group_records_; }
  Outward& outward() { return outward_; }
  const Shape& shape() const { return shape_; }
  Settings& settings() { return settings_; }
  const Settings& settings() const { return settings_; }
  UserRecords& users() { return users_; }
  const UserRecords& users() const { return users_; }
  Scripts& scripts() { return scripts_; }
  Comparison& comparison() { return comparison_; }
  Once& once() { return once_; }
  const Once& once() const { return once_; }
  Producers& producers() { return producers_; }
  Libraries& libraries() { return libraries_; }
  void step() { steps_.step(); }

  // ---- logical databases
  rocks::DatabaseId physical(uint32_t logical);
  uint32_t logical(rocks::DatabaseId database) const;  // the other way round
  uint64_t incarnation(uint32_t logical);              // changes with FLUSHDB and SWAPDB
  void flush(uint32_t logical);
  void swap(uint32_t a, uint32_t b);
  KeyCounts counts(rocks::DatabaseId database) const;  // of what physical() gave
  // Logical numbers that hold keys, in order.
  std::vector<uint32_t> databases_with_keys();

  // ---- keys
  // A hint (Reader::expect_reads): the names that will be looked for next, as far as one can
  // tell.
  void expect(std::span<const KeyName> names);
  // The command that names the i-th of them comes now: it is not made and hashed once more.
  void reach(size_t i) { expected_now_ = i; }
  Key find(rocks::DatabaseId database, std::string_view name, int64_t now_ms);
  // A key of that record is there for clients: neither it nor the last of its fields is due.
  bool is_live(const rocks::Metadata& meta, rocks::DatabaseId database, int64_t now_ms) {
    return !meta.expired(now_ms) && (meta.field_deadlines == 0 || !meta.may_be_due(now_ms) ||
                                     has_live_field(meta, database, now_ms));
  }
  // The key becomes a new one, described by `fresh` but for version and last_modified, which it is
  // given. Whatever was there, expired or not, is gone, its elements too.
  void create(Key& key, const rocks::Metadata& fresh);
  // The same with a version that has elements already: begin_new() gave it to another Key.
  void replace(Key& key, const rocks::Metadata& built);
  // The same in two steps, for a collection that is filled in between: begin_new() makes an empty
  // one in memory only, whose elements can be stored; store_new() writes its record. Requires that
  // the key is not live. Without the second step there is no key, and may be no element.
  void begin_new(Key& key, rocks::Type type);
  void store_new(Key& key);
  // Requires key.live: writes key.meta back as a modification of the same key.
  void update(Key& key);
  // The same in two steps, for a collection whose elements change in between: begin_update() gives
  // key.meta its new last_modified, store_updated() writes the record.
  void begin_update(Key& key);
  void store_updated(Key& key);
  void remove(Key& key);  // requires key.live
  // The same for a collection whose elements were all erased one by one: a queue that is empty most
  // of the time should not leave a range erase for each job.
  void remove_emptied(Key& key);
  void remove_expired(Key& key);  // requires present and not live
  // Stands in the index of deadlines at the earliest of them that is left: a change of the key, as
  // update(). Requires key.live and that nothing of it is due.
  void reindex(Key& key);
  // RENAME: the record moves, elements stay where they are (F40). Requires from.live and one
  // database.
  void rename(Key& from, Key& to);
  // COPY, MOVE: `to` becomes a new key with from's content and deadlines, without fields that are
  // due. Requires from.live and that the two are not the same key.
  void copy(const Key& from, Key& to);

  // Events of keys are told as the setting says now.
  void choose_events();
  // To the outside: what became of the key, whose logical database is looked up.
  void tell(const config::KeyEvent& event, const Key& key);

  // ---- walks
  // Metadata records of a database with key hash >= `hash`.
  std::unique_ptr<rocks::Cursor> key_cursor(rocks::DatabaseId database, uint64_t hash);
  // Databases that have records in the index of deadlines, those furthest behind first.
  std::vector<rocks::DatabaseId> indexed_databases() const;
  ExpiryIndex& expiry_index() { return expiry_index_; }

  // ---- WATCH (F11)
  WatchToken watch(uint32_t logical, std::string_view name, int64_t now_ms, bool& has_ttl);
  bool unchanged(const WatchToken& token, int64_t now_ms, bool& has_ttl);

 private:
  struct Counted {
    KeyCounts counts;
    bool dirty = false;
  };
  struct Mapped {
    rocks::DatabaseId id;
    uint64_t incarnation = 0;
  };
  // What undo() puts back beside what Effects do.
  struct Mark {
    uint64_t mutation_counter;
    uint32_t next_database;
    size_t counts;  // entries of counts_before_ when it was set
    size_t map;     // of map_before_
    size_t settings;
    size_t users;
    size_t floors;  // of expiry_index_
    size_t outward;
    size_t once;
  };

  uint64_t next_mutation() { return ++record_.mutation_counter; }
  const rocks::LookupKey& meta_key(rocks::DatabaseId database, std::string_view name);
  KeyCounts& counts_for_change(rocks::DatabaseId database);
  void set_mapped(uint32_t logical, Mapped mapped);
  const Mapped* mapped(uint32_t logical);
  bool has_live_field(const rocks::Metadata& meta, rocks::DatabaseId database, int64_t now_ms);
  int64_t next_field_deadline(const Key& key);
  int64_t index_place(const Key& key) const;
  void move_in_index(Key& key);
  void leave_index(Key& key);
  void copy_packed_fields(const Key& from, Key& to);
  void tell_expired(const Key& key) { tell({config::kEventExpired, "expired"}, key); }
  void tell_new(const Key& key) {
    if (outward_.tells_new()) {
      tell({config::kEventNew, "new"}, key);
    }
  }
  void forget_record(Key& key);  // record, index and counts; neither elements nor bucket
  void store(Key& key);
  // Every change of a key comes here: for those who wait for it, and for those who cache it.
  void report(std::string_view name) {
    if (waited_ != nullptr) {
      waited_->changed(name);
    }
    outward_.modified(name);
  }
  void report_all() {
    if (waited_ != nullptr) {
      waited_->all_changed();
    }
    outward_.flushed();
  }
  uint64_t bucket(rocks::DatabaseId database, std::string_view name);
  void set_bucket(const Key& key, uint64_t counter);
  void load();
  void load_logical(uint32_t logical);
  void load_mapped(uint32_t logical);
  void load_counts(rocks::DatabaseId database);

  rocks::Reader& reader_;
  WaitedKeys* waited_ = nullptr;
  const Shape shape_;
  Effects effects_;
  Steps steps_;
  Elements elements_;
  Nodes nodes_;
  FieldDeadlines field_deadlines_;
  GroupRecords group_records_;
  Settings settings_{effects_};
  UserRecords users_{effects_};
  Outward outward_;
  Comparison comparison_;
  Scripts scripts_{reader_, effects_};
  Libraries libraries_{reader_, effects_};
  Once once_{reader_, effects_, settings_};
  Producers producers_{reader_, effects_};
  rocks::AppliedRecord record_;
  LogIndex entry_index_;                          // 0: between two entries
  std::unordered_map<uint32_t, Counted> counts_;  // by physical number
  std::unordered_map<uint32_t, Mapped> map_;  // by logical number; absent = itself, never changed
  std::vector<Mark> marks_;                   // open ones, the outermost first
  std::vector<std::pair<uint32_t, KeyCounts>> counts_before_;  // by physical number
  std::vector<std::pair<uint32_t, Mapped>> map_before_;        // by logical number
  std::vector<uint32_t> dirty_counts_;
  ExpiryIndex expiry_index_;
  std::unordered_set<uint32_t> loaded_;  // of a view: logical numbers

  // Buffers of one command, reused.
  struct Expected {
    std::string key;  // empty: the name was not one to be expected
    rocks::DatabaseId database;
    uint64_t hash = 0;

    bool is_of(rocks::DatabaseId of, std::string_view name) const {
      return !key.empty() && database == of && rocks::keys::meta_user_key(key) == name;
    }
  };
  std::vector<Expected> expected_;
  size_t expected_count_ = 0;  // of the last expect(); what is behind them is reused
  size_t expected_now_ = 0;
  std::vector<rocks::LookupKey> announced_;
  std::string meta_key_bytes_;
  rocks::LookupKey meta_key_{std::string_view()};
  std::string_view meta_key_name_;  // whose key meta_key_ is: compared by address
  rocks::DatabaseId meta_key_database_;
  std::string key_;
  std::string value_;
  std::string renamed_;
  std::string from_;
  std::string to_;
};

}  // namespace kiwi::resp
