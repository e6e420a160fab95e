// What the records of hashes and sets promise, whatever happened to them before.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "resp/types/element_value.hpp"
#include "resp/types/hashed.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {

class HashedAudit {
 public:
  // One that is live, as just read; `walked`: how many entries it gave. Returns how many element
  // records it has.
  template <class On>
  uint64_t look(World<On>& w, const Hashed& handle, uint64_t walked) {
    const Key key = w.find(handle.key().name);
    const rocks::Metadata& meta = key.meta;
    REQUIRE(key.live);
    REQUIRE(handle.spread() == meta.spread);
    REQUIRE(meta.size == walked);  // M1
    // M10: once spread, for ever.
    bool& was_spread = spread_[meta.version];
    REQUIRE((meta.spread || !was_spread));
    was_spread = meta.spread;
    const uint64_t last = meta.last_modified - meta.version;
    REQUIRE(meta.removed <= last);
    if (!meta.spread) {
      REQUIRE(meta.value.size() <= w.shape().packed_bytes);
      REQUIRE(packed_entries(meta) == meta.size);
    }
    const uint64_t records = element_records(w, key.collection(), meta.type, last);
    REQUIRE(records == (meta.spread ? meta.size : 0));
    return records;
  }

 private:
  static uint64_t packed_entries(const rocks::Metadata& meta) {
    const bool hash = meta.type == rocks::Type::kHash;
    PackedEntries entries(hash ? HashedKind::kHash : HashedKind::kSet, meta.value);
    PackedEntry entry;
    uint64_t count = 0;
    while (entries.next(entry)) {
      ++count;
    }
    return count;
  }

  // M8: no stamp is newer than the collection's last change.
  template <class On>
  static uint64_t element_records(World<On>& w,
                                  rocks::CollectionId collection,
                                  rocks::Type type,
                                  uint64_t last) {
    std::string from;
    std::string to;
    rocks::keys::collection_begin(from, collection);
    rocks::keys::collection_end(to, collection);
    uint64_t records = 0;
    auto at = w.keyspace().cursor(rocks::Family::kElement, from, to);
    for (; at->valid(); at->next(), ++records) {
      if (type == rocks::Type::kHash) {
        const auto field = decode_field(at->value());
        REQUIRE(field.has_value());
        REQUIRE(field->stamp <= last);
      } else {
        const auto stamp = decode_member(at->value());
        REQUIRE(stamp.has_value());
        REQUIRE(*stamp <= last);
      }
    }
    return records;
  }

  std::map<uint64_t, bool> spread_;  // by version
};

}  // namespace kiwi::resp::types_test
