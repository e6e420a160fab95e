#include "resp/types/key_audit.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/packed.hpp"
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
        break;
      case Type::kHash:
      case Type::kSet:
        hashed();
        break;
      case Type::kList:
        list();
        break;
      case Type::kSortedSet:
      case Type::kStream:
        break;
    }
    if (meta_.type != Type::kString && report_.elements != meta_.size) {
      fault(KeyFault::kSize);
    }
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
  }

  std::optional<uint64_t> stamp_of(std::string_view record) const {
    if (meta_.type == Type::kSet) {
      return decode_member(record);
    }
    const std::optional<FieldValue> field = decode_field(record);
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

  void list() {
    walk_records([this](std::string_view key, std::string_view) {
      const int64_t position = keys::list_position(key);
      if (position < meta_.list_head || position >= meta_.list_tail) {
        fault(KeyFault::kOrder);
      }
    });
    report_.elements = report_.records;
  }

  template <class Visit>
  void walk_records(Visit visit) {
    for (auto at = database_.elements().cursor(key_.collection(), 0); at->valid(); at->next()) {
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
  }
  return "";
}

KeyReport audit_key(Database& database, const Key& key) {
  CHECK_INVARIANT(key.present);
  // A copy of what is packed: what is read meanwhile may end the view.
  const std::string value(key.meta.value);
  Key whole = key;
  whole.meta.value = value;
  return KeyAudit(database, whole).run();
}

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
      report.found = DatabaseReport::Found{std::string(key.name), *one.fault};
    }
    ++report.keys;
    report.keys_with_ttl += meta->expire_at_ms != 0 ? 1 : 0;
    report.elements += one.elements;
    report.records += one.records;
    report.bytes += one.bytes;
  }
  const KeyCounts counts = database.counts(id);
  report.counts_fit = counts.keys == report.keys && counts.keys_with_ttl == report.keys_with_ttl;
  uint64_t records = 0;
  for (auto at = database.elements().all(id); at->valid(); at->next()) {
    database.step();
    ++records;
  }
  report.unreachable = records - std::min(records, report.records);
  return report;
}

}  // namespace kiwi::resp
