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
// nothing. The mutation counter becomes the microseconds since 1970, if it is not above them: more
// than any that was given out since the backup, as long as a cluster makes less than a million
// changes a second, so that a fence of before is never larger than one of now. A clock that is
// behind the backup's last stamp is refused. Keys, clock and physical database numbers stay as they
// are. Durable.
Result<void> reset_members(const std::string& directory,
                           const raft::Configuration& configuration,
                           int64_t now_ms);

}  // namespace kiwi::rocks
