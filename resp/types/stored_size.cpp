#include "resp/types/stored_size.hpp"

#include <algorithm>
#include <string>

#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

using rocks::Family;
using rocks::Type;
namespace keys = rocks::keys;

namespace {

struct Walked {
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint32_t last_chunk = 0;  // of a string: the number of the last one
  bool all = true;
};

Walked walk(Database& database, const Key& key, Family family, uint64_t records_max) {
  Walked walked;
  auto cursor = database.elements().records(family, key.collection());
  for (; cursor->valid(); cursor->next()) {
    if (walked.records == records_max) {
      walked.all = false;
      break;
    }
    database.step();
    ++walked.records;
    walked.bytes += cursor->key().size() + cursor->value().size();
    if (key.meta.type == Type::kString) {
      walked.last_chunk = keys::chunk_index(cursor->key());
    }
  }
  return walked;
}

// How many records of the family there are, by what was seen of them: of a string's chunks any may
// be missing.
uint64_t records_of(Database& database, const Key& key, const Walked& walked) {
  if (key.meta.type != Type::kString) {
    return key.meta.size;
  }
  const uint64_t chunk = database.shape().chunk_bytes;
  const uint64_t chunks = (key.meta.size + chunk - 1) / chunk;
  return std::max(walked.records, walked.records * chunks / (uint64_t{walked.last_chunk} + 1));
}

// Their elements are records, one each.
bool countable(Type type) {
  return type == Type::kHash || type == Type::kSet || type == Type::kString;
}

}  // namespace

uint64_t stored_size(Database& database, const Key& key, uint64_t samples) {
  std::string bytes;
  rocks::encode(bytes, key.meta);
  uint64_t sum = bytes.size();
  keys::meta(bytes, key.database, key.name);
  sum += bytes.size();
  if (key.meta.indexed_at_ms != 0) {
    keys::expiry(bytes, key.database, key.meta.indexed_at_ms, key.name);
    sum += bytes.size();
  }
  if (!key.meta.has_elements()) {
    return sum;
  }
  if (!countable(key.meta.type)) {
    return sum + walk(database, key, Family::kElement, UINT64_MAX).bytes +
           walk(database, key, Family::kNode, UINT64_MAX).bytes;
  }
  const Walked walked = walk(database, key, Family::kElement, samples);
  if (walked.all || walked.records == 0) {
    return sum + walked.bytes;
  }
  return sum + walked.bytes * records_of(database, key, walked) / walked.records;
}

}  // namespace kiwi::resp
