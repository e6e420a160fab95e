// What raft.dialect redisraft does with a data directory, as RedisRaft with its files: a node whose
// raft.id is 0 draws its number once, and what a removed node kept is set aside, so that its next
// start is a new, empty one. Plain functions, called before a node runs but for note_removal(); an
// error is one sentence.
#pragma once

#include <string>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

// The number of the node of this directory: drawn, if it has none and holds no node's data yet.
// Large enough that nobody draws it twice; a cluster refuses one that was used in it all the same.
// 0: of a directory from before, whose node is number 1.
Result<NodeId> drawn_node_id(const std::string& dir);

// Durable: from the next start on nothing of a node is in the directory: all of that stands in
// <dir>/removed-<name>.
Result<void> note_removal(const std::string& dir, const std::string& name);
// Does what was noted, if anything; a crash in it leaves the rest to the next start. True: it did.
Result<bool> set_removed_aside(const std::string& dir);

// Both, for a node that is about to start.
Result<void> prepare_directory(config::Options& options);

}  // namespace kiwi::actors
