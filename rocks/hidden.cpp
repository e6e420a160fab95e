// What is hidden in a state (keyspace.hpp).
#include <string>
#include <string_view>

#include "config/base/check.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::rocks {

namespace {

bool in_collections(Family family) { return family == Family::kElement || family == Family::kNode; }

// From one database to the next, whatever they hold. `from` becomes where the next may begin; empty
// behind the last.
void drop_in_database(Writer& writer, Family family, uint64_t first_hidden, std::string& from) {
  std::string hidden;
  std::string end;
  bool found = false;
  {
    const auto cursor = writer.cursor(family, from, {});
    if (!cursor->valid()) {
      from.clear();
      return;
    }
    const DatabaseId database = keys::key_database(cursor->key());
    keys::collection_begin(hidden, {database, first_hidden});
    keys::database_end(end, database);
    CHECK_INVARIANT(!end.empty());  // of so many databases none is ever made
    cursor->seek(hidden);
    found = cursor->valid() && cursor->key() < end;
  }
  if (found) {
    writer.drop_spilled(family, hidden, end);
  }
  from = end;
}

}  // namespace

bool is_hidden(Family family, std::string_view key, uint64_t mutation_counter) {
  return in_collections(family) && keys::key_collection(key).version > mutation_counter;
}

void drop_hidden(Writer& writer, uint64_t mutation_counter) {
  for (const Family family : {Family::kElement, Family::kNode}) {
    std::string from;
    do {
      drop_in_database(writer, family, mutation_counter + 1, from);
    } while (!from.empty());
  }
}

}  // namespace kiwi::rocks
