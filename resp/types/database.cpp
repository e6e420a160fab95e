#include "resp/types/database.hpp"

#include <algorithm>
#include <stdexcept>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "config/limits.hpp"
#include "config/setting.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
using rocks::Family;
namespace keys = rocks::keys;

namespace {

// Logical databases that were never flushed or swapped are their own physical ones; fresh physical
// numbers start above all of those. Part of the state's format.
constexpr uint32_t kFirstFreshDatabase = 1 << 16;
static_assert(config::limits::kDatabases <= kFirstFreshDatabase);

}  // namespace

Database::Database(rocks::Writer& writer, size_t entry_work_max, const Shape& shape)
    : reader_(writer),
      shape_(shape),
      effects_(&writer, entry_work_max),
      elements_(reader_, effects_, steps_, shape.chunk_bytes),
      nodes_(reader_, effects_, steps_),
      field_deadlines_(reader_, effects_, steps_),
      group_records_(reader_, effects_, steps_),
      expiry_index_(reader_, effects_) {
  load();
  if (record_.index != LogIndex{}) {
    // The entry that was building it is applied again, and builds it again under the same version.
    rocks::drop_hidden(writer, record_.mutation_counter);
  }
  settings_.load(writer);
  users_.load(writer);
  once_.load();
  for (uint32_t logical = 0; logical < config::limits::kDatabases; ++logical) {
    load_logical(logical);
  }
}

Database::Database(rocks::Reader& view, size_t entry_work_max, const Shape& shape)
    : reader_(view),
      shape_(shape),
      effects_(nullptr, entry_work_max),
      elements_(reader_, effects_, steps_, shape.chunk_bytes),
      nodes_(reader_, effects_, steps_),
      field_deadlines_(reader_, effects_, steps_),
      group_records_(reader_, effects_, steps_),
      expiry_index_(reader_, effects_) {
  load();
  settings_.load_for_reads(view);
}

void Database::load() {
  keys::applied_record(key_);
  if (auto bytes = reader_.get(Family::kSystem, key_)) {
    auto record = rocks::decode_applied(*bytes);
    if (!record) {
      fatal("the applied record of the state database is corrupt; replace this node's data");
    }
    record_ = *record;
    effects_.load_checksum(record_.checksum);
  }
  record_.next_database = std::max(record_.next_database, kFirstFreshDatabase);
}

void Database::load_logical(uint32_t logical) {
  load_mapped(logical);
  auto it = map_.find(logical);
  const DatabaseId database = it == map_.end() ? DatabaseId{logical} : it->second.id;
  load_counts(database);
  if (!effects_.read_only()) {
    expiry_index_.load(database);
  }
}

void Database::load_mapped(uint32_t logical) {
  keys::database_map(key_, logical);
  if (auto bytes = reader_.get(Family::kSystem, key_)) {
    ByteReader in(*bytes);
    Mapped mapped;
    mapped.id.value = in.le<uint32_t>();
    mapped.incarnation = in.le<uint64_t>();
    if (!in.done()) {
      fatal("a database map record of the state database is corrupt; replace this node's data");
    }
    map_[logical] = mapped;
  }
}

void Database::load_counts(DatabaseId database) {
  keys::key_count(key_, database);
  if (auto bytes = reader_.get(Family::kSystem, key_)) {
    ByteReader in(*bytes);
    KeyCounts counts;
    counts.keys = in.le<uint64_t>();
    counts.keys_with_ttl = in.le<uint64_t>();
    counts.indexed = in.le<uint64_t>();
    counts.deadlines.high = in.le<uint64_t>();
    counts.deadlines.low = in.le<uint64_t>();
    if (!in.done()) {
      fatal("a key count record of the state database is corrupt; replace this node's data");
    }
    counts_[database.value].counts = counts;
  }
}

// ---------------------------------------------------------------- turns and undo

void Database::end_entry(LogIndex index, Term term, int64_t stamp_ms) {
  once_.end_entry(stamp_ms);
  entry_index_ = {};
  record_.index = index;
  record_.term = term;
  record_.stamp_ms = stamp_ms;
  outward_.end_entry();
  effects_.end_entry(index, record_.mutation_counter);
  record_.checksum = effects_.checksum();
}

// The counts and the applied record follow from what the entries did.
void Database::end_turn() {
  CHECK_INVARIANT(marks_.empty());
  rocks::Writer& writer = effects_.writer();
  for (uint32_t id : dirty_counts_) {
    auto it = counts_.find(id);
    if (it == counts_.end() || !it->second.dirty) {
      continue;
    }
    it->second.dirty = false;
    keys::key_count(key_, DatabaseId{id});
    if (it->second.counts.keys == 0) {
      writer.erase(Family::kSystem, key_);
      counts_.erase(it);
      continue;
    }
    value_.clear();
    put_le(value_, it->second.counts.keys);
    put_le(value_, it->second.counts.keys_with_ttl);
    put_le(value_, it->second.counts.indexed);
    put_le(value_, it->second.counts.deadlines.high);
    put_le(value_, it->second.counts.deadlines.low);
    writer.put(Family::kSystem, key_, value_);
  }
  dirty_counts_.clear();
  once_.end_turn();
  keys::applied_record(key_);
  rocks::encode(value_, record_);
  writer.put(Family::kSystem, key_, value_);
  give_back_buffers();
}

void Database::begin_command() {
  meta_key_name_ = {};
  give_back_if_big(meta_key_bytes_);
  give_back_if_big(key_);
  steps_.begin();
}

void Database::give_back_buffers() {
  meta_key_name_ = {};
  for (std::string* buffer : {&meta_key_bytes_, &key_, &value_, &renamed_, &from_, &to_}) {
    give_back_if_big(*buffer);
  }
  elements_.give_back_buffers();
  nodes_.give_back();
  field_deadlines_.give_back_buffers();
  group_records_.give_back_buffers();
  expiry_index_.give_back_buffers();
}

size_t Database::buffer_bytes() const {
  size_t bytes = elements_.buffer_bytes() + field_deadlines_.buffer_bytes() +
                 group_records_.buffer_bytes() + expiry_index_.buffer_bytes();
  for (const std::string* buffer : {&meta_key_bytes_, &key_, &value_, &renamed_, &from_, &to_}) {
    bytes += buffer->capacity();
  }
  return bytes;
}

void Database::mark() {
  effects_.mark();
  marks_.push_back({record_.mutation_counter, record_.next_database, counts_before_.size(),
                    map_before_.size(), settings_.mark(), users_.mark(), expiry_index_.mark(),
                    outward_.mark(), once_.mark()});
}

void Database::undo() {
  CHECK_INVARIANT(!marks_.empty());
  effects_.undo();
  const Mark& mark = marks_.back();
  CHECK_INVARIANT(record_.mutation_counter >= mark.mutation_counter);
  CHECK_INVARIANT(counts_before_.size() >= mark.counts && map_before_.size() >= mark.map);
  record_.mutation_counter = mark.mutation_counter;
  record_.next_database = mark.next_database;
  for (; counts_before_.size() > mark.counts; counts_before_.pop_back()) {
    counts_[counts_before_.back().first].counts = counts_before_.back().second;
  }
  for (; map_before_.size() > mark.map; map_before_.pop_back()) {
    map_[map_before_.back().first] = map_before_.back().second;
  }
  settings_.undo_to(mark.settings);
  users_.undo_to(mark.users);
  expiry_index_.undo_to(mark.floors);
  outward_.undo_to(mark.outward);
  once_.undo_to(mark.once);
  marks_.pop_back();
}

void Database::keep() {
  CHECK_INVARIANT(!marks_.empty());
  effects_.keep();
  marks_.pop_back();
  if (marks_.empty()) {
    counts_before_.clear();
    map_before_.clear();
    settings_.keep_all();
    users_.keep_all();
    expiry_index_.keep_all();
    once_.keep_all();
  }
}

// ---------------------------------------------------------------- logical databases

const Database::Mapped* Database::mapped(uint32_t logical) {
  if (effects_.read_only() && loaded_.insert(logical).second) {
    load_logical(logical);
  }
  auto it = map_.find(logical);
  return it == map_.end() ? nullptr : &it->second;
}

DatabaseId Database::physical(uint32_t logical) {
  const Mapped* m = mapped(logical);
  return m != nullptr ? m->id : DatabaseId{logical};
}

// What is no text of the option, a later build's maybe, tells nobody anything.
void Database::choose_events() {
  const std::string_view text = settings_.value(config::kKeyEventsSetting);
  outward_.set_classes(config::parse_key_events(text).value_or(0));
}

// Of a database that was flushed meanwhile, any number: it holds no keys.
uint32_t Database::logical(DatabaseId database) const {
  for (const auto& [number, mapped] : map_) {
    if (mapped.id == database) {
      return number;
    }
  }
  return database.value;
}

uint64_t Database::incarnation(uint32_t logical) {
  const Mapped* m = mapped(logical);
  return m != nullptr ? m->incarnation : 0;
}

void Database::set_mapped(uint32_t logical, Mapped now) {
  if (!marks_.empty()) {
    map_before_.emplace_back(logical, Mapped{physical(logical), incarnation(logical)});
  }
  map_[logical] = now;
  keys::database_map(key_, logical);
  value_.clear();
  put_le(value_, now.id.value);
  put_le(value_, now.incarnation);
  effects_.put(Family::kSystem, key_, value_);
}

void Database::flush(uint32_t logical) {
  if (record_.next_database == UINT32_MAX) {
    // F30: the command fails on all nodes. Its successor would be a number that holds keys.
    throw std::length_error("every database number was used");
  }
  DatabaseId old = physical(logical);
  CHECK_INVARIANT(record_.next_database >= kFirstFreshDatabase);
  set_mapped(logical, Mapped{DatabaseId{record_.next_database++}, next_mutation()});
  report_all();
  // One range per family, whatever the database holds.
  keys::meta_from(from_, old, 0);
  keys::database_end(to_, old);
  effects_.erase_range(Family::kMeta, from_, to_);
  keys::collection_begin(from_, {old, 0});
  effects_.erase_range(Family::kElement, from_, to_);
  effects_.erase_range(Family::kNode, from_, to_);
  keys::deletion_bucket(from_, old, 0);
  keys::deletion_bucket(to_, old, rocks::kDeletionBuckets - 1);
  to_.push_back('\0');
  effects_.erase_range(Family::kSystem, from_, to_);
  expiry_index_.erase_all(old);
  counts_for_change(old) = KeyCounts{};
}

void Database::swap(uint32_t a, uint32_t b) {
  DatabaseId id_a = physical(a);
  DatabaseId id_b = physical(b);
  set_mapped(a, Mapped{id_b, next_mutation()});
  set_mapped(b, Mapped{id_a, next_mutation()});
  report_all();
}

KeyCounts Database::counts(DatabaseId database) const {
  auto it = counts_.find(database.value);
  return it == counts_.end() ? KeyCounts{} : it->second.counts;
}

KeyCounts& Database::counts_for_change(DatabaseId database) {
  Counted& counted = counts_[database.value];
  if (!marks_.empty()) {
    counts_before_.emplace_back(database.value, counted.counts);
  }
  if (!counted.dirty) {
    counted.dirty = true;
    dirty_counts_.push_back(database.value);
  }
  return counted.counts;
}

std::vector<uint32_t> Database::databases_with_keys() {
  std::vector<uint32_t> found;
  for (uint32_t logical = 0; logical < config::limits::kDatabases; ++logical) {
    if (counts(physical(logical)).keys > 0) {
      found.push_back(logical);
    }
  }
  return found;
}

}  // namespace kiwi::resp
