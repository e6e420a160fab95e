// Database: deletion buckets and WATCH (F11).
#include "resp/types/watch.hpp"

#include "config/base/bytes.hpp"
#include "resp/types/database.hpp"

namespace kiwi::resp {

using rocks::DatabaseId;
using rocks::Family;
namespace keys = rocks::keys;

uint64_t Database::bucket(DatabaseId database, std::string_view name) {
  keys::deletion_bucket(key_, database, rocks::deletion_bucket_of(name));
  auto bytes = reader_.get(Family::kSystem, key_);
  return bytes ? ByteReader(*bytes).le<uint64_t>() : 0;
}

void Database::set_bucket(const Key& key, uint64_t counter) {
  keys::deletion_bucket(key_, key.database, rocks::deletion_bucket_of(key.name));
  value_.clear();
  put_le(value_, counter);
  effects_.put(Family::kSystem, key_, value_);
}

WatchToken Database::watch(uint32_t logical, std::string_view name, int64_t now_ms, bool& has_ttl) {
  Key key = find(physical(logical), name, now_ms);
  const int64_t fields_until_ms = key.live ? next_field_deadline(key) : 0;
  has_ttl = has_ttl || (key.live && key.meta.has_deadline());
  return WatchToken{.database = logical,
                    .incarnation = incarnation(logical),
                    .key = std::string(name),
                    .exists = key.live,
                    .counter = key.live ? key.meta.last_modified : record_.mutation_counter,
                    .fields_until_ms = fields_until_ms};
}

bool Database::unchanged(const WatchToken& token, int64_t now_ms, bool& has_ttl) {
  if (incarnation(token.database) != token.incarnation) {
    return false;
  }
  Key key = find(physical(token.database), token.key, now_ms);
  has_ttl = has_ttl || (key.live && key.meta.has_deadline());
  if (token.exists) {
    return key.live && key.meta.last_modified == token.counter &&
           (token.fields_until_ms == 0 || token.fields_until_ms > now_ms);
  }
  // It was missing: a record written since then, expired by now or not, and a deletion since then
  // (of this key or a neighbour in its bucket: a false alarm is allowed) both count.
  return (!key.present || key.meta.last_modified <= token.counter) &&
         bucket(key.database, token.key) <= token.counter;
}

}  // namespace kiwi::resp
