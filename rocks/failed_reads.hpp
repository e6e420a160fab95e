// No read of a state file may fail unnoticed. An iterator of RocksDB 7.8 that steps from one file
// of a level into the next behind a range tombstone forgets the error it meets there
// (facebook/rocksdb #11783, #11786): it goes on without the rest of the level, or ends, and says
// that all is well. So a read that fails ends the process below RocksDB, and blocks that do not
// match their checksums are counted below its iterators. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace rocksdb {
class FSRandomAccessFile;
class Statistics;
}  // namespace rocksdb

namespace kiwi::rocks {

// The same file; an error of the device is fatal and names it.
std::unique_ptr<rocksdb::FSRandomAccessFile> stop_when_reads_fail(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string path);

// For DBOptions::statistics of databases that StoredWalk reads. Counts for blocks_lost() alone.
std::shared_ptr<rocksdb::Statistics> make_block_counter();

// Of this thread: blocks that it did not find in a cache, less those that it read and put there,
// and files that could not be opened. It stands still while a healthy state is read, but for
// compactions, whose reads leave nothing in the cache.
int64_t blocks_lost();

}  // namespace kiwi::rocks
