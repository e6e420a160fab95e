// A walk over what RocksDB holds of a family, in either direction: an iterator that owns its bounds
// and stops the process when RocksDB reports damage. And what both directions of a walk over
// several layers share: merged_cursor.hpp and rocks/table/table_walk.hpp are written once for both.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/db.h>

#include "rocks/failed_reads.hpp"
#include "rocks/range_set.hpp"

namespace kiwi::rocks {

inline bool below(std::string_view key, std::string_view to) { return to.empty() || key < to; }

// Within [from, to); empty `to`: to the end of the family. Where it stands is undefined before the
// first seek.
class StoredWalk {
 public:
  struct Source {
    rocksdb::DB* db = nullptr;
    rocksdb::ColumnFamilyHandle* family = nullptr;
    const std::string* path = nullptr;            // for error messages; outlives the walk
    const rocksdb::Snapshot* snapshot = nullptr;  // outlives it too; nullptr = now
  };
  StoredWalk(const Source& source, std::string_view from, std::string_view to);
  StoredWalk(const StoredWalk&) = delete;
  StoredWalk& operator=(const StoredWalk&) = delete;

  bool valid() const { return valid_; }
  std::string_view key() const { return iterator_->key().ToStringView(); }
  std::string_view value() const { return iterator_->value().ToStringView(); }
  std::string_view from() const { return from_; }
  std::string_view to() const { return to_; }
  void end() { valid_ = false; }

  void seek(std::string_view at) {
    move([&] { iterator_->Seek(at); });
  }
  void next() {
    move([&] { iterator_->Next(); });
  }
  void seek_last() {
    move([&] { iterator_->SeekToLast(); });
  }
  void seek_before(std::string_view end);  // last key < end
  void prev() {
    move([&] { iterator_->Prev(); });
  }

 private:
  // The iterator may forget what it could not read (failed_reads.hpp).
  template <class Step>
  void move(const Step& step) {
    const int64_t lost = blocks_lost();
    step();
    valid_ = iterator_->Valid();
    if (!valid_ || blocks_lost() != lost) {
      check_status(blocks_lost() != lost);
    }
  }
  void check_status(bool lost) const;
  [[noreturn]] void stop_at_damage() const;
  rocksdb::ReadOptions options() const;

  const Source source_;
  std::string from_;
  std::string to_;
  rocksdb::Slice lower_;
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  bool valid_ = false;
};

// The two ways to go. order() < 0: `a` comes before `b`. pass() leaves the erased range that the
// walk stands in.
struct Forwards {
  static constexpr bool kBack = false;
  static int order(std::string_view a, std::string_view b) { return a.compare(b); }
  template <class Walk>
  static void step(Walk& walk) {
    walk.next();
  }
  template <class Walk>
  static void pass(Walk& walk, const RangeSet::Map::value_type& erased) {
    if (erased.second.never || !below(erased.second.key, walk.to())) {
      walk.end();
    } else {
      walk.seek(erased.second.key);
    }
  }
};
struct Backwards {
  static constexpr bool kBack = true;
  static int order(std::string_view a, std::string_view b) { return b.compare(a); }
  template <class Walk>
  static void step(Walk& walk) {
    walk.prev();
  }
  template <class Walk>
  static void pass(Walk& walk, const RangeSet::Map::value_type& erased) {
    walk.seek_before(erased.first);
  }
};

}  // namespace kiwi::rocks
