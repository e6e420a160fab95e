// Cursors over a family as the apply thread sees it: RocksDB below, the StateTable (if the adaptor
// has one) over it, this turn's overlay above. Apply thread, or the thread of a View (which has
// neither table nor overlay).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "rocks/keyspace.hpp"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Snapshot;
}  // namespace rocksdb

namespace kiwi::rocks {

class Overlay;
class StateTable;

struct CursorSource {
  rocksdb::DB* db = nullptr;
  rocksdb::ColumnFamilyHandle* family = nullptr;
  const rocksdb::Snapshot* snapshot = nullptr;  // nullptr = now
  Overlay* overlay = nullptr;                   // nullptr = none
  const std::string* path = nullptr;            // for error messages; outlives the cursor
  // With a table only:
  StateTable* table = nullptr;
  Family number = Family::kMeta;
};

std::unique_ptr<Cursor> make_cursor(const CursorSource& source,
                                    std::string_view from,
                                    std::string_view to);
std::unique_ptr<ReverseCursor> make_reverse_cursor(const CursorSource& source,
                                                   std::string_view from,
                                                   std::string_view to);

}  // namespace kiwi::rocks
