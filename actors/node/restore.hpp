// kiwi-server --restore BACKUP: makes a fresh data directory out of a backup, for the first node of
// a new cluster (F42). Its other nodes start empty and join. Called by main before any node runs.
#pragma once

#include <cstdint>
#include <string>

#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

// Into options.dir, which must be empty or absent; options.restore names the backup. A crash in
// between leaves a directory that only another --restore accepts. Returns a sentence for the
// operator. now_ms: this machine's clock, since 1970.
Result<std::string> restore_backup(const config::Options& options, int64_t now_ms);

}  // namespace kiwi::actors
