#include "resp/types/dump/key_loader.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/types/dump/object_reader.hpp"
#include "resp/types/dump/stream_loader.hpp"
#include "resp/types/hash.hpp"
#include "resp/types/list.hpp"
#include "resp/types/set.hpp"
#include "resp/types/string_value.hpp"
#include "resp/types/zset.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr size_t kElementFrame = 2;  // what an element takes at least, beside its bytes

class KeyLoader final : public ObjectVisitor {
 public:
  KeyLoader(Database& database, const Key& key, const LoadOptions& options)
      : database_(database),
        key_(key),
        options_(options),
        list_(database),
        set_(database),
        hash_(database),
        sorted_(database),
        stream_(database, [this](size_t bytes) { count(bytes); }) {}

  LoadOutcome load(uint8_t type, RdbReader& in) {
    const std::optional<ObjectKind> kind = kind_of(type);
    if (!kind) {
      return LoadOutcome::kNotSupported;
    }
    kind_ = *kind;
    if (key_.name.size() > config::limits::kKeyNameBytes) {
      return LoadOutcome::kTooLong;
    }
    list_.stand_for(key_);
    set_.stand_for(key_);
    hash_.stand_for(key_);
    sorted_.stand_for(key_);
    stream_.stand_for(key_);
    if (!options_.pause) {
      in.before_unpacking([this](size_t packed, size_t unpacked) { unpack(packed, unpacked); });
    }
    const ReadOutcome outcome = read_object(type, in, *this);
    in.before_unpacking(nullptr);
    if (outcome != ReadOutcome::kWhole) {
      if (options_.pause) {
        save();
      }
      return outcome == ReadOutcome::kEmpty    ? LoadOutcome::kEmpty
             : too_long_ || stream_.too_long() ? LoadOutcome::kTooLong
                                               : LoadOutcome::kBadData;
    }
    save();
    set_deadline();
    return LoadOutcome::kDone;
  }

  bool on_string(std::string_view value) override {
    if (value.size() > kStringBytes) {
      return false;
    }
    count(value.size());
    String::assign(database_, key_, value, options_.expire_at_ms);
    return true;
  }

  bool on_list_element(std::string_view element) override {
    count(element.size());
    list_.push(ListEnd::kTail, element);
    return true;
  }

  bool on_set_member(std::string_view member) override {
    count(member.size());
    return fits(member) && set_.add(member);  // false: it came twice
  }

  bool on_sorted_set_member(std::string_view member, double score) override {
    count(member.size());
    if (!fits(member) || sorted_.add(score, member).outcome != AddOutcome::kAdded) {
      return false;  // it is too long, or came twice
    }
    longest_ = std::max(longest_, member.size());
    if (ZSet::fits_listpack(sorted_.size(), longest_)) {
      if (score == 0 && std::signbit(score)) {
        minus_zeros_.emplace_back(member);
      }
    } else {
      put_signs_back();
    }
    return true;
  }

  bool on_hash_field(std::string_view field,
                     std::string_view value,
                     std::optional<int64_t> deadline_ms) override {
    if (deadline_ms && *deadline_ms <= options_.now_ms) {
      return true;
    }
    if (deadline_ms && *deadline_ms > kLatestMs) {
      return false;
    }
    count(field.size() + value.size());
    return fits(field) && hash_.set(field, value, deadline_ms.value_or(0));  // false: it came twice
  }

  StreamVisitor& stream() override { return stream_; }

 private:
  static constexpr int64_t kLatestMs = (int64_t{1} << 46) - 1;  // of a field, in Redis
  static constexpr size_t kStringBytes = size_t{512} << 20;     // a string's longest value

  // A short string may stand for a long one, which is in memory before any of it is an element.
  void unpack(size_t packed, size_t unpacked) {
    constexpr size_t kPerStep = 1024;  // takes about as long
    const size_t growth = unpacked - std::min(unpacked, packed);
    database_.steps().step(growth / kPerStep);
    const size_t free = std::min(growth, options_.free_bytes - free_unpacked_);
    free_unpacked_ += free;
    if (free < growth) {
      database_.effects().spend(growth - free);
      paid_ += growth - free;
    }
  }

  bool fits(std::string_view name) {
    too_long_ = too_long_ || name.size() > config::limits::kFieldBytes;
    return !too_long_;
  }

  // Before an element of so many bytes.
  void count(size_t bytes) {
    database_.step();
    if (options_.pause && since_pause_ >= options_.pause_bytes) {
      since_pause_ = 0;
      save();
      options_.pause();
    }
    const size_t element = bytes + kElementFrame;
    since_pause_ += element;
    CHECK_INVARIANT(used_ <= options_.free_bytes);
    const size_t free = std::min(element, options_.free_bytes - used_);
    used_ += free;
    if (free < element) {
      const size_t paid = std::min(element - free, paid_);
      paid_ -= paid;
      database_.effects().spend(element - free - paid);
    }
  }

  void save() {
    switch (kind_) {
      case ObjectKind::kString:
        break;
      case ObjectKind::kList:
        list_.save();
        break;
      case ObjectKind::kSet:
        set_.save();
        break;
      case ObjectKind::kHash:
        hash_.save();
        break;
      case ObjectKind::kSortedSet:
        sorted_.save();
        break;
      case ObjectKind::kStream:
        stream_.save();
        break;
    }
  }

  // What came while a listpack could still hold it lost its -0. What no listpack holds keeps them,
  // also those that came before the member that decided it, as Redis builds a table at first.
  void put_signs_back() {
    for (const std::string& member : minus_zeros_) {
      const bool was_there = sorted_.remove(member);
      CHECK_INVARIANT(was_there);
      sorted_.add(-0.0, member);
    }
    minus_zeros_.clear();
  }

  // Strings have theirs already.
  void set_deadline() {
    if (options_.expire_at_ms == 0 || kind_ == ObjectKind::kString) {
      return;
    }
    Key key = database_.find(key_.database, key_.name, options_.now_ms);
    CHECK_INVARIANT(!key.live || key.meta.expire_at_ms == 0);
    if (key.live) {
      key.meta.expire_at_ms = options_.expire_at_ms;
      database_.update(key);
    }
  }

  Database& database_;
  Key key_;
  const LoadOptions& options_;
  ObjectKind kind_ = ObjectKind::kString;
  List list_;
  Set set_;
  Hash hash_;
  ZSet sorted_;
  StreamLoader stream_;
  size_t longest_ = 0;                    // member of a sorted set
  std::vector<std::string> minus_zeros_;  // members; at most what a listpack holds
  size_t used_ = 0;                       // of the free bytes, by elements
  size_t free_unpacked_ = 0;  // of as many again, by what strings grew when they were unpacked
  size_t paid_ = 0;           // such bytes that were spent, and are no element yet
  size_t since_pause_ = 0;
  bool too_long_ = false;  // an element's name
};

}  // namespace

LoadOutcome load_key(
    Database& database, const Key& key, uint8_t type, RdbReader& in, const LoadOptions& options) {
  CHECK_INVARIANT(!key.live);
  return KeyLoader(database, key, options).load(type, in);
}

}  // namespace kiwi::resp::dump
