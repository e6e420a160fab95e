// A backup is a checkpoint directory: it opens like a state. This makes one the state of a cluster
// that begins anew (F42). Any thread, before anything else opens the directory.
#pragma once

#include <string>

#include "config/base/result.hpp"
#include "rocks/snapshot_files.hpp"

namespace kiwi::rocks {

// Copies the backup to `directory`, which must not exist, and verifies every block of it. Durable.
// The backup is only read.
Result<SnapshotInfo> copy_backup(const std::string& backup, const std::string& directory);

// The state's members become those of `configuration`, each with a session row that has seen
// nothing. Keys, mutation counter, clock and physical database numbers stay as they are. Durable.
Result<void> reset_members(const std::string& directory, const raft::Configuration& configuration);

}  // namespace kiwi::rocks
