// Removes files without a stall of the disk. Where the file system is mounted with `discard`, the
// unlink of a large file tells the disk about all of its blocks in one request, and nothing else is
// done meanwhile: every fdatasync on the disk waits. So the name goes at once, and the room in
// small steps, on one thread of the process. A process that dies gives all of it back at once.
//
// For whoever removes large files: RocksDB through make_removal_file_system(), the snapshot code
// through files.hpp. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

namespace rocksdb {
class FileSystem;
}  // namespace rocksdb

namespace kiwi::rocks {

// unlink(2). The room of a file that has another name, or that somebody has open, is not touched.
std::error_code remove_file(const std::string& path);

// How much room of removed files is still to be given back.
uint64_t removed_bytes_waiting();

// RocksDB's own one, with remove_file() for whatever it deletes.
std::shared_ptr<rocksdb::FileSystem> make_removal_file_system();

}  // namespace kiwi::rocks
