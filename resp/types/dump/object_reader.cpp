#include "resp/types/dump/object_reader.hpp"

#include <charconv>
#include <functional>
#include <string>
#include <system_error>

#include "resp/types/dump/packed_lists.hpp"

namespace kiwi::resp::dump {

namespace {

// Redis' rdb.h; the names are those of its formats.
enum RdbType : uint8_t {
  kString = 0,
  kLinkedList = 1,
  kHashTableSet = 2,
  kTextScores = 3,
  kHashTable = 4,
  kBinaryScores = 5,
  kZipmap = 9,
  kZiplistList = 10,
  kIntset = 11,
  kZiplistSortedSet = 12,
  kZiplistHash = 13,
  kQuicklist = 14,
  kListpackHash = 16,
  kListpackSortedSet = 17,
  kQuicklist2 = 18,
  kListpackSet = 20,
  kHashDeadlinesDraft = 22,  // of release candidates of 7.4: no smallest deadline in front
  kListpackDeadlinesDraft = 23,
  kHashDeadlines = 24,
  kListpackDeadlines = 25,
};

constexpr uint64_t kPlainNode = 1;   // of a quicklist: one element as it is
constexpr uint64_t kPackedNode = 2;  // a listpack

using Reader = bool (*)(std::string_view, const EntryVisit&);

bool score_of(std::string_view text, double* score) {
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *score);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// Entries that come in turn: visit(first, second) of each pair.
bool in_pairs(Reader read,
              std::string_view bytes,
              const std::function<bool(std::string_view, std::string_view)>& visit) {
  std::string first;
  bool second = false;
  const bool whole = read(bytes, [&](std::string_view entry) {
    second = !second;
    if (second) {
      first.assign(entry);
      return true;
    }
    return visit(first, entry);
  });
  return whole && !second;
}

class ObjectReader {
 public:
  ObjectReader(RdbReader& in, ObjectVisitor& visitor) : in_(in), visitor_(visitor) {}

  ReadOutcome read(uint8_t type) {
    const std::optional<ObjectKind> kind = kind_of(type);
    if (!kind || !read(*kind, type)) {
      return ReadOutcome::kBad;
    }
    const bool may_be_empty = *kind == ObjectKind::kString || *kind == ObjectKind::kStream;
    return found_ != 0 || may_be_empty ? ReadOutcome::kWhole : ReadOutcome::kEmpty;
  }

 private:
  bool read(ObjectKind kind, uint8_t type) {
    switch (kind) {
      case ObjectKind::kString:
        return visitor_.on_string(in_.string()) && in_.ok();
      case ObjectKind::kList:
        return list(type);
      case ObjectKind::kSet:
        return set(type);
      case ObjectKind::kSortedSet:
        return sorted_set(type);
      case ObjectKind::kHash:
        return hash(type);
      case ObjectKind::kStream:
        return read_stream(type, in_, visitor_.stream());
    }
    return false;
  }

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

  // Nothing else is read off in_ while a visitor looks at these bytes.
  bool packed(Reader reader, const EntryVisit& visit) {
    const std::string_view bytes = in_.string();
    return in_.ok() && reader(bytes, visit);
  }

  bool packed_pairs(Reader reader,
                    const std::function<bool(std::string_view, std::string_view)>& visit) {
    const std::string_view bytes = in_.string();
    return in_.ok() && in_pairs(reader, bytes, visit);
  }

  bool element(std::string_view entry) {
    ++found_;
    return in_.ok() && visitor_.on_list_element(entry);
  }

  bool list(uint8_t type) {
    const EntryVisit visit = [this](std::string_view entry) { return element(entry); };
    switch (type) {
      case kLinkedList:
        return times(in_.length(), [&] { return element(in_.string()); });
      case kZiplistList:
        return packed(read_ziplist, visit);
      case kQuicklist:
        return times(in_.length(), [&] { return packed(read_ziplist, visit); });
      default:
        return times(in_.length(), [&] {
          const uint64_t container = in_.length();
          if (container == kPlainNode) {
            return element(in_.string());
          }
          return container == kPackedNode && packed(read_listpack, visit);
        });
    }
  }

  bool member(std::string_view entry) {
    ++found_;
    return in_.ok() && visitor_.on_set_member(entry);
  }

  bool set(uint8_t type) {
    if (type == kHashTableSet) {
      return times(in_.length(), [&] { return member(in_.string()); });
    }
    return packed(type == kIntset ? read_intset : read_listpack,
                  [this](std::string_view entry) { return member(entry); });
  }

  bool scored(std::string_view member, double score) {
    ++found_;
    return in_.ok() && score == score && visitor_.on_sorted_set_member(member, score);  // no NaN
  }

  bool sorted_set(uint8_t type) {
    if (type == kTextScores || type == kBinaryScores) {
      return times(in_.length(), [&] {
        const std::string member(in_.string());
        return scored(member, type == kTextScores ? in_.text_double() : in_.binary_double());
      });
    }
    return packed_pairs(type == kZiplistSortedSet ? read_ziplist : read_listpack,
                        [this](std::string_view member, std::string_view text) {
                          double score = 0;
                          return score_of(text, &score) && scored(member, score);
                        });
  }

  bool field(std::string_view name, std::string_view value, std::optional<int64_t> deadline_ms) {
    ++found_;
    return in_.ok() && visitor_.on_hash_field(name, value, deadline_ms);
  }

  bool hash(uint8_t type) {
    auto plain = [this](std::string_view name, std::string_view value) {
      return field(name, value, std::nullopt);
    };
    switch (type) {
      case kHashTable:
        return times(in_.length(), [&] {
          const std::string name(in_.string());
          return field(name, in_.string(), std::nullopt);
        });
      case kZipmap:
        return packed_pairs(read_zipmap, plain);
      case kZiplistHash:
        return packed_pairs(read_ziplist, plain);
      case kListpackHash:
        return packed_pairs(read_listpack, plain);
      default:
        return hash_with_deadlines(type);
    }
  }

  bool hash_with_deadlines(uint8_t type) {
    const bool draft = type == kHashDeadlinesDraft || type == kListpackDeadlinesDraft;
    const uint64_t smallest = draft ? 0 : in_.little(8);
    if (type == kListpackDeadlines || type == kListpackDeadlinesDraft) {
      return fields_in_threes();
    }
    return times(in_.length(), [&] {
      const uint64_t said =
          in_.length();  // 0: none; else what it is later than the smallest, plus 1
      const std::string name(in_.string());
      const std::string_view value = in_.string();
      if (said == 0) {
        return field(name, value, std::nullopt);
      }
      const uint64_t deadline = draft ? said : smallest + (said - 1);
      return deadline <= INT64_MAX && field(name, value, static_cast<int64_t>(deadline));
    });
  }

  // Name, value, deadline (0: none) in turn.
  bool fields_in_threes() {
    std::string name;
    std::string value;
    int turn = 0;
    const bool whole = packed(read_listpack, [&](std::string_view entry) {
      switch (turn++ % 3) {
        case 0:
          name.assign(entry);
          return true;
        case 1:
          value.assign(entry);
          return true;
        default: {
          int64_t deadline = 0;
          const auto [end, error] =
              std::from_chars(entry.data(), entry.data() + entry.size(), deadline);
          return error == std::errc() && end == entry.data() + entry.size() && deadline >= 0 &&
                 field(name, value, deadline == 0 ? std::nullopt : std::optional(deadline));
        }
      }
    });
    return whole && turn % 3 == 0;
  }

  RdbReader& in_;
  ObjectVisitor& visitor_;
  uint64_t found_ = 0;
};

}  // namespace

std::optional<ObjectKind> kind_of(uint8_t type) {
  switch (type) {
    case kString:
      return ObjectKind::kString;
    case kLinkedList:
    case kZiplistList:
    case kQuicklist:
    case kQuicklist2:
      return ObjectKind::kList;
    case kHashTableSet:
    case kIntset:
    case kListpackSet:
      return ObjectKind::kSet;
    case kTextScores:
    case kBinaryScores:
    case kZiplistSortedSet:
    case kListpackSortedSet:
      return ObjectKind::kSortedSet;
    case kHashTable:
    case kZipmap:
    case kZiplistHash:
    case kListpackHash:
    case kHashDeadlinesDraft:
    case kListpackDeadlinesDraft:
    case kHashDeadlines:
    case kListpackDeadlines:
      return ObjectKind::kHash;
    case kStreamListpacks:
    case kStreamListpacks2:
    case kStreamListpacks3:
      return ObjectKind::kStream;
    default:
      return std::nullopt;
  }
}

ReadOutcome read_object(uint8_t type, RdbReader& in, ObjectVisitor& visitor) {
  return ObjectReader(in, visitor).read(type);
}

}  // namespace kiwi::resp::dump
