#include "resp/types/dump/key_writer.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/stream_writer.hpp"
#include "resp/types/hash.hpp"
#include "resp/types/list.hpp"
#include "resp/types/set.hpp"
#include "resp/types/stream.hpp"
#include "resp/types/string_value.hpp"
#include "resp/types/zset.hpp"

namespace kiwi::resp::dump {

namespace {

using rocks::Type;

// What an element takes at most beside its bytes: a length in front and one behind it.
constexpr size_t kElementFrame = 10;

// As Redis' listpacks have scores: 17 digits, which say it exactly.
class ScoreText {
 public:
  explicit ScoreText(double score)
      : size_(static_cast<size_t>(std::snprintf(text_, sizeof(text_), "%.17g", score))) {}
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[32];
  const size_t size_;
};

class KeyWriter {
 public:
  KeyWriter(Database& database, const Key& key, size_t bytes_max, std::string& out)
      : database_(database), key_(key), bytes_max_(bytes_max), out_(out) {}

  WriteOutcome write() {
    switch (key_.meta.type) {
      case Type::kString:
        string();
        break;
      case Type::kList:
        list();
        break;
      case Type::kSet:
        key_.meta.converted ? set() : intset();
        break;
      case Type::kHash:
        hash();
        break;
      case Type::kSortedSet:
        sorted_set();
        break;
      case Type::kStream:
        return stream();
    }
    CHECK_INVARIANT(bytes_ > bytes_max_ || elements_ == elements_of_key());
    return bytes_ > bytes_max_ ? WriteOutcome::kTooLarge : WriteOutcome::kDone;
  }

 private:
  // False: what was there so far is too much already.
  bool fits(std::string_view element) {
    bytes_ += element.size() + kElementFrame;
    ++elements_;
    return bytes_ <= bytes_max_;
  }

  uint64_t elements_of_key() const {
    const rocks::Metadata& meta = key_.meta;
    return meta.type == Type::kString ? 1 : meta.type == Type::kHash ? 2 * fields_ : meta.size;
  }

  void string() {
    String string(database_);
    string.stand_for(key_);
    if (string.size() > bytes_max_) {
      bytes_ = string.size() + kElementFrame;
      return;
    }
    std::string space;  // of one that lies in chunks
    const std::string_view bytes = string.gather(space);
    if (fits(bytes)) {
      write_string(out_, bytes);
    }
  }

  void list() {
    List list(database_);
    list.stand_for(key_);
    ListWriter writer(out_);
    list.range(0, list.size(), [&](std::string_view element) {
      if (!fits(element)) {
        return false;
      }
      writer.add(element);
      return true;
    });
    writer.finish();
  }

  void intset() {
    Set set(database_);
    set.stand_for(key_);
    std::vector<int64_t> members;
    set.each([&](std::string_view member) {
      const std::optional<int64_t> number = parse_decimal(member);
      CHECK_INVARIANT(number.has_value());  // else it is `converted`
      members.push_back(*number);
      return fits(member);
    });
    std::sort(members.begin(), members.end());  // spread ones come by hash
    write_intset_object(out_, members);
  }

  void set() {
    Set set(database_);
    set.stand_for(key_);
    SetWriter writer(out_, set.size());
    set.each([&](std::string_view member) {
      if (!fits(member)) {
        return false;
      }
      writer.add(member);
      return true;
    });
  }

  void hash() {
    Hash hash(database_);
    hash.stand_for(key_);
    fields_ = hash.size();
    int64_t earliest = 0;
    hash.each_with_deadline([&](std::string_view, std::string_view, int64_t deadline) {
      earliest = earliest == 0 || (deadline != 0 && deadline < earliest) ? deadline : earliest;
      return true;
    });
    if (earliest != 0) {
      return hash_with_deadlines(hash, earliest);
    }
    HashWriter writer(out_, key_.meta.converted ? Form::kTable : Form::kPacked, hash.size());
    hash.each([&](std::string_view field, std::string_view value) {
      if (!fits(field) || !fits(value)) {
        return false;
      }
      writer.add(field, value);
      return true;
    });
    writer.finish();
  }

  void hash_with_deadlines(const Hash& hash, int64_t earliest) {
    HashDeadlinesWriter writer(out_, hash.size(), earliest);
    hash.each_with_deadline([&](std::string_view field, std::string_view value, int64_t deadline) {
      if (!fits(field) || !fits(value)) {
        return false;
      }
      writer.add(field, value, deadline);
      return true;
    });
  }

  // Redis writes a skiplist from its end, so that reading it back inserts in front; a listpack as
  // it stands.
  void sorted_set() {
    ZSet set(database_);
    set.stand_for(key_);
    const bool table = key_.meta.converted;
    SortedSetWriter writer(out_, table ? Form::kTable : Form::kPacked, set.size());
    auto add = [&](std::string_view member, double score) {
      if (!fits(member)) {
        return false;
      }
      writer.add(member, score, ScoreText(score).view());
      return true;
    };
    table ? set.each_back(set.all(), add) : set.each(set.all(), add);
    writer.finish();
  }

  WriteOutcome stream() {
    Stream stream(database_);
    stream.stand_for(key_);
    return write_stream(stream, bytes_max_, out_) ? WriteOutcome::kDone : WriteOutcome::kTooLarge;
  }

  Database& database_;
  const Key& key_;
  const size_t bytes_max_;
  std::string& out_;
  size_t bytes_ = 0;
  uint64_t fields_ = 0;    // of a hash: those that are due are left out
  uint64_t elements_ = 0;  // names and values of fields both
};

}  // namespace

WriteOutcome write_key(Database& database, const Key& key, size_t bytes_max, std::string& out) {
  CHECK_INVARIANT(key.live);
  return KeyWriter(database, key, bytes_max, out).write();
}

}  // namespace kiwi::resp::dump
