#include "resp/types/key_audit.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <string_view>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/packed.hpp"
#include "resp/types/stream_audit.hpp"
#include "resp/types/tree.hpp"
#include "resp/types/zset.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

namespace {

using rocks::Type;
namespace keys = rocks::keys;

class KeyAudit {
 public:
  KeyAudit(Database& database, const Key& key) : database_(database), key_(key), meta_(key.meta) {}

  KeyReport run() {
    report_.bytes = key_.name.size() + meta_.value.size();
    if (meta_.version > meta_.last_modified ||
        meta_.last_modified > database_.record().mutation_counter) {
      fault(KeyFault::kVersion);
    }
    switch (meta_.type) {
      case Type::kString:
        report_.elements = 1;
        chunks();
        break;
      case Type::kHash:
      case Type::kSet:
        hashed();
        break;
      case Type::kList:
        tree(LeafKind::kList);
        break;
      case Type::kSortedSet:
        tree(LeafKind::kSortedSet);
        members();
        break;
      case Type::kStream:
        tree(LeafKind::kStream);
        stream();
        break;
    }
    if (meta_.type != Type::kString && report_.elements != meta_.size) {
      fault(KeyFault::kSize);
    }
    index();
    return report_;
  }

 private:
  void fault(KeyFault what) {
    if (!report_.fault) {
      report_.fault = what;
    }
  }

  void hashed() {
    const uint64_t packed = packed_entries();
    walk_records([this](std::string_view, std::string_view value) {
      const std::optional<uint64_t> stamp = stamp_of(value);
      if (!stamp) {
        Elements::damaged("an element's record is damaged");
      }
      if (*stamp > meta_.last_modified - meta_.version) {
        fault(KeyFault::kStamp);
      }
    });
    const uint64_t elsewhere = meta_.spread ? packed : report_.records;
    if (elsewhere != 0 || meta_.value.size() > database_.shape().packed_bytes) {
      fault(KeyFault::kForm);
    }
    if (meta_.removed > meta_.last_modified - meta_.version) {
      fault(KeyFault::kStamp);
    }
    report_.elements = meta_.spread ? report_.records : packed;
    if (meta_.spread && meta_.field_deadlines != 0) {
      // M6: a record for each field that has a deadline.
      constexpr int64_t kEver = std::numeric_limits<int64_t>::max();
      report_.nodes = database_.field_deadlines().due(key_.collection(), kEver);
      if (report_.nodes != meta_.field_deadlines || with_deadline_ != meta_.field_deadlines) {
        fault(KeyFault::kDeadlines);
      }
    }
  }

  // None behind the end, none too long: what is missing is zeros, but nothing is there for nothing.
  void chunks() {
    const uint64_t chunk = database_.shape().chunk_bytes;
    walk_records([&](std::string_view key, std::string_view value) {
      const std::string_view bytes = Elements::chunk_bytes(value);
      const uint64_t begin = keys::chunk_index(key) * chunk;
      if (bytes.size() > chunk || begin + bytes.size() > meta_.size) {
        fault(KeyFault::kSize);
      }
      if (ByteReader(value).varint() > meta_.last_modified - meta_.version) {
        fault(KeyFault::kStamp);
      }
    });
    if ((!meta_.spread && report_.records != 0) || meta_.value.size() > chunk) {
      fault(KeyFault::kForm);
    }
  }

  // M5: it stands in the index where it says, before all its deadlines.
  void index() {
    if (meta_.indexed_at_ms == 0) {
      return;
    }
    const int64_t field_ms = first_field_deadline();
    if (!database_.expiry_index().holds(key_.database, meta_.indexed_at_ms, key_.name) ||
        (meta_.expire_at_ms != 0 && meta_.indexed_at_ms > meta_.expire_at_ms) ||
        (field_ms != 0 && meta_.indexed_at_ms > field_ms)) {
      fault(KeyFault::kIndex);
    }
  }

  // Due or not; 0: there is none.
  int64_t first_field_deadline() {
    if (meta_.field_deadlines == 0) {
      return 0;
    }
    if (!meta_.spread) {
      return packing::deadlines(meta_.value, std::numeric_limits<int64_t>::min()).first_ms;
    }
    const auto first = database_.field_deadlines().first(key_.collection(), 1);
    return first.empty() ? 0 : first.front().deadline_ms;
  }

  std::optional<uint64_t> stamp_of(std::string_view record) {
    if (meta_.type == Type::kSet) {
      return decode_member(record);
    }
    const std::optional<FieldValue> field = decode_field(record);
    with_deadline_ += field && field->deadline_ms != 0 ? 1 : 0;
    return field ? std::optional(field->stamp) : std::nullopt;
  }

  uint64_t packed_entries() {
    const bool hash = meta_.type == Type::kHash;
    const bool ascending = !hash && !meta_.converted;
    std::vector<std::string_view> names;
    std::optional<int64_t> before;
    PackedEntry entry;
    for (PackedEntries entries(hash ? HashedKind::kHash : HashedKind::kSet, meta_.value);
         entries.next(entry);) {
      names.push_back(entry.name);
      if (ascending) {
        const std::optional<int64_t> number = parse_decimal(entry.name);
        if (!number || (before && *before >= *number)) {
          fault(KeyFault::kOrder);
        }
        before = number;
      }
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
      fault(KeyFault::kTwice);
    }
    return names.size();
  }

  void tree(LeafKind kind) {
    TreeHead head;
    head.size = kind == LeafKind::kStream ? meta_.stream.blocks : meta_.size;
    head.root = meta_.value;
    if (meta_.spread) {
      head.height = meta_.tree_height;
      head.removed = meta_.removed;
      head.next_node = meta_.next_node;
    }
    const TreeReport found = audit_tree(database_.nodes(), kind, {key_.collection()}, head,
                                        meta_.last_modified - meta_.version, database_.shape());
    report_.elements = found.elements;
    report_.nodes = found.leaves + found.inner_nodes;
    report_.bytes += found.leaf_bytes + found.inner_bytes;
    if (found.found) {
      report_.tree_fault = found.found->fault;
      fault(KeyFault::kTree);
    }
    if (!meta_.spread && (report_.nodes != 0 || meta_.value.size() > packed_limit(kind))) {
      fault(KeyFault::kForm);
    }
  }

  size_t packed_limit(LeafKind kind) const {
    const Shape& shape = database_.shape();
    return kind != LeafKind::kSortedSet ? shape.root_leaf_bytes
                                        : std::min(shape.packed_bytes, shape.root_leaf_bytes);
  }

  void stream() {
    report_.elements = meta_.size;
    if (report_.fault) {
      return;
    }
    const StreamReport found = audit_stream(database_, key_);
    report_.elements = found.entries;
    report_.nodes += found.records;
    report_.bytes += found.bytes;
    if (found.tree_fault) {
      report_.tree_fault = found.tree_fault;
      fault(KeyFault::kTree);
    }
    if (!found.sizes_fit) {
      fault(KeyFault::kSize);
    }
    if (!found.groups_fit) {
      fault(KeyFault::kGroups);
    }
  }

  // M2: the members of a spread sorted set and the entries of its tree hold the same pairs. There
  // are as many, and each member is found where its score says.
  void members() {
    ZSet set(database_);
    Key live = key_;
    live.live = true;  // the audit looks at what is stored
    set.stand_for(live);
    std::string entry;
    walk_records([&](std::string_view key, std::string_view value) {
      const std::optional<MemberScore> one = decode_scored(value);
      if (!one) {
        Elements::damaged("a member of a sorted set is damaged");
      }
      if (one->stamp > meta_.last_modified - meta_.version) {
        fault(KeyFault::kStamp);
      }
      const std::string member(keys::element_field(key));
      if (!report_.fault && !stands_at(set, member, one->score)) {
        fault(KeyFault::kMembers);
      }
    });
    if (report_.records != (meta_.spread ? meta_.size : 0)) {
      fault(KeyFault::kMembers);
    }
  }

  // Of a tree without a fault.
  static bool stands_at(const ZSet& set, std::string_view member, double score) {
    const std::optional<uint64_t> rank = set.rank(member);
    bool same = false;
    if (rank && *rank < set.size()) {
      set.each({*rank, 1}, [&](std::string_view found, double its_score) {
        same =
            found == member && std::bit_cast<uint64_t>(its_score) == std::bit_cast<uint64_t>(score);
        return true;
      });
    }
    return same;
  }

  template <class Visit>
  void walk_records(Visit visit) {
    // From the very beginning: a chunk's number is shorter than a hash.
    auto at = database_.elements().records(rocks::Family::kElement, key_.collection());
    for (; at->valid(); at->next()) {
      database_.step();
      ++report_.records;
      report_.bytes += at->key().size() + at->value().size();
      visit(at->key(), at->value());
    }
  }

  Database& database_;
  const Key& key_;
  const rocks::Metadata& meta_;
  KeyReport report_;
  uint64_t with_deadline_ = 0;  // fields
};

}  // namespace

const char* describe(KeyFault fault) {
  switch (fault) {
    case KeyFault::kSize:
      return "it counts what is not there";
    case KeyFault::kForm:
      return "it is neither packed nor spread";
    case KeyFault::kTwice:
      return "it holds something twice";
    case KeyFault::kOrder:
      return "its elements are out of order";
    case KeyFault::kStamp:
      return "one of its records is newer than the key";
    case KeyFault::kVersion:
      return "it is newer than the state";
    case KeyFault::kTree:
      return "its tree has a fault";
    case KeyFault::kDeadlines:
      return "the index of its fields' deadlines is not theirs";
    case KeyFault::kMembers:
      return "its members and its tree do not say the same";
    case KeyFault::kIndex:
      return "it does not stand in the index of deadlines, or behind one of its own";
    case KeyFault::kGroups:
      return "a group, its consumers and what is pending do not say the same";
  }
  return "";
}

std::string describe(const KeyReport& report) {
  std::string text = report.fault ? describe(*report.fault) : "";
  if (report.tree_fault) {
    text += std::string(": ") + describe(*report.tree_fault);
  }
  return text;
}

KeyReport audit_key(Database& database, const Key& key) {
  CHECK_INVARIANT(key.present);
  // A copy of what is packed: what is read meanwhile may end the view.
  const std::string value(key.meta.value);
  Key whole = key;
  whole.meta.value = value;
  return KeyAudit(database, whole).run();
}

namespace {

// Records of a family that nobody counted.
uint64_t more_than(uint64_t counted,
                   Database& database,
                   rocks::Family family,
                   rocks::DatabaseId id) {
  uint64_t records = 0;
  for (auto at = database.elements().all(family, id); at->valid(); at->next()) {
    database.step();
    ++records;
  }
  return records - std::min(records, counted);
}

// Each of `indexed` keys was found there.
bool index_fits(Database& database, rocks::DatabaseId id, uint64_t indexed) {
  const ExpiryPlace floor = database.expiry_index().stored_floor(id);
  uint64_t records = 0;
  bool above = true;
  for (auto at = database.expiry_index().all(id); at->valid(); at->next()) {
    database.step();
    const auto key = keys::parse_expiry(at->key());
    if (!key) {
      Elements::damaged("the index of deadlines is damaged");
    }
    above = above &&
            (records != 0 || floor <= ExpiryPlace{key->deadline_ms, std::string(key->user_key)});
    ++records;
  }
  CHECK_INVARIANT(above || records != 0);
  return above && records == indexed;
}

}  // namespace

DatabaseReport audit_database(Database& database, rocks::DatabaseId id) {
  DatabaseReport report;
  for (auto at = database.key_cursor(id, 0); at->valid(); at->next()) {
    database.step();
    const auto meta = rocks::decode_metadata(at->value());
    if (!meta) {
      Elements::damaged("a metadata record is damaged");
    }
    Key key;
    key.name = keys::meta_user_key(at->key());
    key.database = id;
    key.present = true;
    key.meta = *meta;
    const KeyReport one = audit_key(database, key);
    if (one.fault && !report.found) {
      report.found = DatabaseReport::Found{std::string(key.name), describe(one)};
    }
    ++report.keys;
    report.keys_with_ttl += meta->expire_at_ms != 0 ? 1 : 0;
    report.deadlines.add(meta->expire_at_ms);
    report.indexed += meta->indexed_at_ms != 0 ? 1 : 0;
    report.elements += one.elements;
    report.records += one.records;
    report.nodes += one.nodes;
    report.bytes += one.bytes;
  }
  CHECK_INVARIANT(report.keys_with_ttl <= report.keys);
  const KeyCounts counts = database.counts(id);
  report.counts_fit = counts.keys == report.keys && counts.keys_with_ttl == report.keys_with_ttl &&
                      counts.indexed == report.indexed && counts.deadlines == report.deadlines;
  report.index_fits = index_fits(database, id, report.indexed);
  report.unreachable = more_than(report.records, database, rocks::Family::kElement, id) +
                       more_than(report.nodes, database, rocks::Family::kNode, id);
  return report;
}

}  // namespace kiwi::resp
