// Files and directories outside of RocksDB's own: made durable, linked, read in pieces, summed up.
// For the snapshot code and whoever puts data directories together. Any thread. An error is one
// sentence that names the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "config/base/checksum.hpp"
#include "config/base/result.hpp"

namespace kiwi::rocks {

std::string parent_of(const std::string& path);

Result<void> sync_file(const std::string& path);
Result<void> sync_directory(const std::string& path);
// Every file in it, then itself, then the directory that holds it.
Result<void> sync_tree(const std::string& path);

// Writes a new file and makes it durable: under another name first, so that the name holds all of
// it or what was there before. `mode`: who may read it, if it is new; the umask takes from it.
Result<void> write_file_durably(const std::string& path,
                                std::string_view bytes,
                                mode_t mode = 0600);
Result<std::string> read_whole_file(const std::string& path);

// [offset, offset + bytes_max) of a file, less at its end.
Result<std::string> read_file_part(const std::string& path, uint64_t offset, size_t bytes_max);
Result<uint64_t> file_size(const std::string& path);
Result<Checksum128> checksum_file(const std::string& path);

// Whether a name from another node may be used as a file's: nothing that leaves its directory.
bool is_plain_file_name(std::string_view name);

// With everything in it; no error if it is not there. Durable when it returns.
Result<void> remove_directory(const std::string& path);

}  // namespace kiwi::rocks
