// What happens to the log's directory before RocksDB opens it: the recovery rule (F16, F59). A torn
// tail is cut off; anything else that is wrong with a write-ahead log, and the absence of a file
// that RocksDB would not miss, is refused with the name. Called by open_rocks_log() only, before
// any thread knows the log.
#pragma once

#include <string>

#include "config/base/result.hpp"
#include "rocks/wal_note.hpp"

namespace kiwi::rocks {

// A directory where nothing was ever written is fine, and gets its mark. kConflict: another process
// holds it.
Result<WalMark> recover_log_directory(const std::string& path);

}  // namespace kiwi::rocks
