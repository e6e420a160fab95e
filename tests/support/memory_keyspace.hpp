// rocks::Keyspace in ordinary maps: for fast tests of what stands above it. "Disk" is the last
// flush(); crash() goes back to it.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/checksum.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::rocks {

class MemoryKeyspace : public Keyspace {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;
  using Maps = std::array<Map, kFamilies>;

  std::optional<std::string_view> get(Family family, const LookupKey& key) override {
    return find(maps_, family, checked(key));
  }
  uint64_t hash(std::string_view key) const override { return hash_of(key); }
  std::unique_ptr<Cursor> cursor(Family family,
                                 std::string_view from,
                                 std::string_view to) override {
    return std::make_unique<MapCursor>(maps_[at(family)], from, to);
  }
  std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                std::string_view from,
                                                std::string_view to) override {
    return std::make_unique<MapReverseCursor>(maps_[at(family)], from, to);
  }
  void put(Family family, const LookupKey& wanted, std::string_view value) override {
    const std::string_view key = checked(wanted);
    Map& map = maps_[at(family)];
    pending_ += key.size() + value.size();
    auto it = map.find(key);
    if (it == map.end()) {
      remember(family, key, std::nullopt);
      map.emplace(key, value);
    } else {
      remember(family, key, it->second);
      it->second.assign(value);
    }
  }
  std::string_view put_joined(Family family,
                              const LookupKey& key,
                              std::string_view head,
                              std::string_view tail) override {
    put(family, key, std::string(head).append(tail));
    return find(maps_, family, key.bytes).value_or(std::string_view());
  }
  void erase(Family family, const LookupKey& wanted) override {
    const std::string_view key = checked(wanted);
    Map& map = maps_[at(family)];
    pending_ += key.size();
    if (auto it = map.find(key); it != map.end()) {
      remember(family, key, it->second);
      map.erase(it);
    }
  }
  void erase_range(Family family, std::string_view from, std::string_view to) override {
    Map& map = maps_[at(family)];
    auto last = to.empty() ? map.end() : map.lower_bound(to);
    for (auto it = map.lower_bound(from); it != last;) {
      remember(family, it->first, it->second);
      it = map.erase(it);
    }
  }
  void spill(std::span<const Record> records) override {
    for (const Record& record : records) {
      maps_[at(record.family)][record.key] = record.value;  // undo() knows nothing of it
    }
    ++spills_;
  }
  void drop_spilled(Family family, std::string_view from, std::string_view to) override {
    CHECK_INVARIANT(from < to);
    Map& map = maps_[at(family)];
    map.erase(map.lower_bound(from), map.lower_bound(to));
  }
  void expect_reads(Family, std::span<const LookupKey>) override {}
  void give_up() override {}
  void mark() override { marks_.push_back(undo_.size()); }
  void undo() override {
    for (size_t i = undo_.size(); i-- > marks_.back();) {
      Map& map = maps_[at(undo_[i].family)];
      if (undo_[i].before) {
        map[undo_[i].key] = *undo_[i].before;
      } else {
        map.erase(undo_[i].key);
      }
    }
    undo_.resize(marks_.back());
    marks_.pop_back();
  }
  void keep() override {
    marks_.pop_back();
    if (marks_.empty()) {
      undo_.clear();
    }
  }
  void commit(LogIndex applied) override {
    CHECK_INVARIANT(marks_.empty());
    applied_ = applied;
    pending_ = 0;
    ++commits_;
  }
  size_t pending_bytes() const override { return pending_; }
  LogIndex flushed_index() override { return flushed_; }
  void flush() override {
    disk_ = maps_;
    flushed_ = applied_;
  }
  void flush_async(std::function<void(LogIndex)> done) override {
    flush();
    done(flushed_);
  }
  // "Files" that checkpoint_at() finds again.
  void checkpoint(std::string directory, std::function<void(Result<LogIndex>)> done) override {
    CHECK_INVARIANT(pending_ == 0);
    if (!checkpoints_.emplace(directory, maps_).second) {
      done(Error{Errc::kInvalid, "the directory " + directory + " exists"});
      return;
    }
    done(applied_);
  }
  std::unique_ptr<Reader> view() override { return std::make_unique<MapReader>(maps_); }
  void view_async(std::function<void(std::unique_ptr<Reader>)> done) override { done(view()); }
  uint32_t view_cost() override { return 0; }
  void compact() override {}
  uint32_t pressure() override { return 0; }
  void when_room(std::function<void()> done) override { done(); }
  bool tidy() override { return false; }
  uint64_t owed_bytes() override { return 0; }
  Usage usage() override { return {}; }

  // Power loss: what was not flushed is gone.
  void crash() {
    maps_ = disk_;
    applied_ = flushed_;
    pending_ = 0;
    undo_.clear();
    marks_.clear();
  }
  const Maps& maps() const { return maps_; }
  const Maps& flushed_maps() const { return disk_; }
  const Maps& checkpoint_at(const std::string& directory) const {
    return checkpoints_.at(directory);
  }
  // As if the process had started on these files.
  void become(Maps maps, LogIndex applied) {
    maps_ = disk_ = std::move(maps);
    applied_ = flushed_ = applied;
    pending_ = 0;
    undo_.clear();
    marks_.clear();
  }
  size_t commits() const { return commits_; }
  size_t spills() const { return spills_; }

 private:
  static size_t at(Family family) { return static_cast<size_t>(family); }
  static uint64_t hash_of(std::string_view key) { return checksum64(key, 1); }
  // A hash that comes with a key is that key's: in a real keyspace another one finds nothing.
  static std::string_view checked(const LookupKey& key) {
    CHECK_INVARIANT(!key.hash || *key.hash == hash_of(key.bytes));
    return key.bytes;
  }
  static std::optional<std::string_view> find(const Maps& maps,
                                              Family family,
                                              std::string_view key) {
    const Map& map = maps[at(family)];
    auto it = map.find(key);
    return it == map.end() ? std::nullopt : std::optional<std::string_view>(it->second);
  }

  class MapCursor : public Cursor {
   public:
    MapCursor(const Map& map, std::string_view from, std::string_view to)
        : map_(map), to_(to), it_(map.lower_bound(from)) {}
    bool valid() const override { return it_ != map_.end() && (to_.empty() || it_->first < to_); }
    void next() override { ++it_; }
    void seek(std::string_view key) override { it_ = map_.lower_bound(key); }
    std::string_view key() const override { return it_->first; }
    std::string_view value() const override { return it_->second; }

   private:
    const Map& map_;
    std::string to_;
    Map::const_iterator it_;
  };
  class MapReverseCursor : public ReverseCursor {
   public:
    MapReverseCursor(const Map& map, std::string_view from, std::string_view to)
        : begin_(map.lower_bound(from)), it_(to.empty() ? map.end() : map.lower_bound(to)) {}
    bool valid() const override { return it_ != begin_; }
    void next() override { --it_; }
    std::string_view key() const override { return std::prev(it_)->first; }
    std::string_view value() const override { return std::prev(it_)->second; }

   private:
    Map::const_iterator begin_;
    Map::const_iterator it_;
  };
  class MapReader : public Reader {
   public:
    explicit MapReader(Maps maps) : maps_(std::move(maps)) {}
    std::optional<std::string_view> get(Family family, const LookupKey& key) override {
      return find(maps_, family, checked(key));
    }
    uint64_t hash(std::string_view key) const override { return hash_of(key); }
    std::unique_ptr<Cursor> cursor(Family family,
                                   std::string_view from,
                                   std::string_view to) override {
      return std::make_unique<MapCursor>(maps_[at(family)], from, to);
    }
    std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                  std::string_view from,
                                                  std::string_view to) override {
      return std::make_unique<MapReverseCursor>(maps_[at(family)], from, to);
    }
    void expect_reads(Family, std::span<const LookupKey>) override {}

   private:
    Maps maps_;
  };
  struct Before {
    Family family;
    std::string key;
    std::optional<std::string> before;
  };
  void remember(Family family, std::string_view key, std::optional<std::string> before) {
    if (!marks_.empty()) {
      undo_.push_back({family, std::string(key), std::move(before)});
    }
  }

  Maps maps_;
  Maps disk_;
  std::map<std::string, Maps> checkpoints_;
  std::vector<Before> undo_;
  std::vector<size_t> marks_;  // where in undo_ each open one begins
  LogIndex applied_;
  LogIndex flushed_;
  size_t pending_ = 0;
  size_t commits_ = 0;
  size_t spills_ = 0;
};

}  // namespace kiwi::rocks
