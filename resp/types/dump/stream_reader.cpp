#include "resp/types/dump/stream_reader.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "config/base/decimal.hpp"
#include "resp/types/dump/packed_lists.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kTimeBytes = 8;
constexpr int64_t kDeletedFlag = 1;
constexpr int64_t kNamesOfNode = 2;  // flag: the entry has the node's names
// Names and values of an entry, which are held in memory: as many as a command can have arguments.
constexpr int64_t kWordsMax = int64_t{1} << 20;

// The entries of one node, element by element of its listpack:
//   live entries, deleted ones, names, each name, 0; for each entry flags, ms and sequence less the
//   node's first id, [names, each name and] each value, how many elements these were
class NodeReader {
 public:
  NodeReader(const StreamId& first, StreamVisitor& visitor) : first_(first), visitor_(visitor) {}

  bool element(std::string_view element) {
    bytes_ += listpack_bytes(element);
    switch (at_) {
      case At::kName:
        return name(element);
      case At::kField:
        return field(element);
      default:
        break;
    }
    const std::optional<int64_t> number = parse_decimal(element);
    return number && (at_ < At::kFlags ? of_node(*number) : of_entry(*number));
  }

  // Nothing is missing.
  bool whole() const { return at_ == At::kFlags && live_ == 0 && deleted_ == 0; }
  const StreamId& last() const { return last_; }  // of the entries that are not deleted

 private:
  enum class At : uint8_t {
    kLive,
    kDeleted,
    kNames,
    kName,
    kNamesEnd,
    kFlags,
    kMs,
    kSequence,
    kFields,
    kField,
    kElements,
  };

  bool of_node(int64_t number) {
    if (number < 0) {
      return false;
    }
    switch (at_) {
      case At::kLive:
        live_ = number;
        at_ = At::kDeleted;
        return true;
      case At::kDeleted:
        deleted_ = number;
        at_ = At::kNames;
        return true;
      case At::kNames:
        left_ = number;
        at_ = left_ > 0 ? At::kName : At::kNamesEnd;
        return number <= kWordsMax / 2;
      default:
        at_ = At::kFlags;
        return number == 0 && visitor_.on_node(first_, fields_of(names_, {}));
    }
  }

  bool name(std::string_view name) {
    names_.emplace_back(name);
    at_ = --left_ > 0 ? At::kName : At::kNamesEnd;
    return true;
  }

  bool of_entry(int64_t number) {
    switch (at_) {
      case At::kFlags:
        flags_ = number;
        bytes_ = listpack_bytes(number);
        at_ = At::kMs;
        return (flags_ & ~(kDeletedFlag | kNamesOfNode)) == 0;
      case At::kMs:
        id_.ms = first_.ms + static_cast<uint64_t>(number);
        at_ = At::kSequence;
        return true;
      case At::kSequence:
        id_.sequence = first_.sequence + static_cast<uint64_t>(number);
        words_.clear();
        at_ = At::kFields;
        return !has_nodes_names() || expect(static_cast<int64_t>(names_.size()));
      case At::kFields:
        return number <= kWordsMax / 2 && expect(2 * number);
      default:
        at_ = At::kFlags;
        return number == elements() && end_entry();
    }
  }

  bool has_nodes_names() const { return (flags_ & kNamesOfNode) != 0; }
  bool expect(int64_t words) {
    left_ = words;
    at_ = At::kField;
    return words > 0;
  }

  bool field(std::string_view word) {
    words_.emplace_back(word);
    at_ = --left_ > 0 ? At::kField : At::kElements;
    return true;
  }

  // How many there were of this entry, as Redis counts them.
  int64_t elements() const {
    constexpr int64_t kHead = 3;
    return kHead + static_cast<int64_t>(words_.size()) + (has_nodes_names() ? 0 : 1);
  }

  bool end_entry() {
    if (id_ < first_) {
      return false;
    }
    if (id_ <= last_) {
      return false;
    }
    // Ids of deleted ones may be above what follows: XSETID may have set the last id back.
    if ((flags_ & kDeletedFlag) != 0) {
      return deleted_-- > 0 && visitor_.on_deleted_entry(id_, bytes_);
    }
    last_ = id_;
    return live_-- > 0 &&
           visitor_.on_entry(id_, has_nodes_names() ? fields_of(names_, words_) : all_words());
  }

  StreamFields fields_of(const std::vector<std::string>& names,
                         const std::vector<std::string>& values) {
    fields_.clear();
    for (size_t i = 0; i < names.size(); ++i) {
      fields_.push_back(names[i]);
      fields_.push_back(values.empty() ? std::string_view() : values[i]);
    }
    return fields_;
  }

  StreamFields all_words() {
    fields_.assign(words_.begin(), words_.end());
    return fields_;
  }

  const StreamId first_;
  StreamVisitor& visitor_;
  At at_ = At::kLive;
  int64_t live_ = 0;     // that are still to come
  int64_t deleted_ = 0;  // the same
  int64_t left_ = 0;     // names, or words of the entry
  int64_t flags_ = 0;
  uint64_t bytes_ = 0;  // of the entry
  StreamId id_;
  StreamId last_;
  std::vector<std::string> names_;
  std::vector<std::string> words_;
  std::vector<std::string_view> fields_;
};

class StreamReader {
 public:
  StreamReader(uint8_t type, RdbReader& in, StreamVisitor& visitor)
      : type_(type), in_(in), visitor_(visitor) {}

  bool read() {
    return times(in_.length(), [this] { return node(); }) && totals() &&
           times(in_.length(), [this] { return group(); });
  }

 private:
  // `count` times, then whether all of it was there.
  template <class Each>
  bool times(uint64_t count, Each each) {
    for (; count > 0 && in_.ok(); --count) {
      if (!each()) {
        return false;
      }
    }
    return in_.ok();
  }

  StreamId raw_id() {
    const std::string_view bytes = in_.raw(kIdBytes);
    return in_.ok() ? id_at(bytes) : StreamId{};
  }
  StreamId id_in_lengths() {
    StreamId id;
    id.ms = in_.length();
    id.sequence = in_.length();
    return id;
  }
  int64_t time() { return static_cast<int64_t>(in_.little(kTimeBytes)); }

  // Nodes and their entries ascend.
  bool node() {
    const std::string_view key = in_.string();
    if (!in_.ok() || key.size() != kIdBytes) {
      return false;
    }
    const StreamId first = id_at(key);
    if (first <= first_ || first <= last_) {
      return false;
    }
    first_ = first;
    NodeReader node(first, visitor_);
    const std::string_view bytes = in_.string();
    if (!in_.ok() ||
        !read_listpack(bytes, [&](std::string_view element) { return node.element(element); })) {
      return false;
    }
    last_ = std::max(last_, node.last());
    return node.whole();
  }

  bool totals() {
    StreamTotals totals;
    totals.length = in_.length();
    totals.last_id = id_in_lengths();
    if (type_ != kStreamListpacks) {
      id_in_lengths();  // of the first entry
      totals.max_deleted_id = id_in_lengths();
      totals.entries_added = in_.length();
    }
    return in_.ok() && totals.last_id >= last_ && visitor_.on_totals(totals);
  }

  bool group() {
    GroupTotals group;
    const std::string name(in_.string());
    group.name = name;
    group.last_id = id_in_lengths();
    if (type_ != kStreamListpacks) {
      group.says_read = true;
      const uint64_t read = in_.length();
      if (read <= INT64_MAX) {
        group.entries_read = read;
      } else if (read != UINT64_MAX) {  // which means unknown
        return false;
      }
    }
    return in_.ok() && visitor_.on_group(group) &&
           times(in_.length(), [this] { return pending(); }) &&
           times(in_.length(), [this] { return consumer(); }) && visitor_.on_group_end();
  }

  bool pending() {
    const StreamId id = raw_id();
    const int64_t delivered_ms = time();
    const uint64_t deliveries = in_.length();
    return in_.ok() && delivered_ms >= 0 && visitor_.on_pending(id, delivered_ms, deliveries);
  }

  bool consumer() {
    const std::string name(in_.string());
    const int64_t seen_ms = time();
    if (type_ == kStreamListpacks3) {
      time();  // when it was active
    }
    return in_.ok() && seen_ms >= 0 && visitor_.on_consumer(name, seen_ms) &&
           times(in_.length(), [this] {
             const StreamId id = raw_id();
             return in_.ok() && visitor_.on_owned(id);
           });
  }

  const uint8_t type_;
  RdbReader& in_;
  StreamVisitor& visitor_;
  StreamId first_;  // of the last node
  StreamId last_;   // the largest of an entry that is not deleted
};

}  // namespace

bool read_stream(uint8_t type, RdbReader& in, StreamVisitor& visitor) {
  return is_stream_type(type) && StreamReader(type, in, visitor).read();
}

}  // namespace kiwi::resp::dump
