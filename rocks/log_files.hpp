// How RocksDB keeps the log's files: its options, and when files go that hold what was cut. Shows
// no RocksDB header; used by RocksLog alone.
#pragma once

#include <cstdint>

#include "config/base/ids.hpp"

namespace rocksdb {
class DB;
struct Options;
}  // namespace rocksdb

namespace kiwi::rocks {

rocksdb::Options log_options();

// The log was cut: entries from `from` up to and without `to` are gone, about `left` bytes of
// entries stay. Best effort, in the background: what is left below `to` is never read.
void drop_log_files(rocksdb::DB& db, LogIndex from, LogIndex to, uint64_t left);

}  // namespace kiwi::rocks
