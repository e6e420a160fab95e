// Every name below a node's data directory:
//   <dir>/group-<g>/log        Raft log and hard state of group g; names the live state (F14)
//                              That of the first group also holds the node's identity
//   <dir>/group-<g>/state-<n>  its keyspace; others than the live one are deleted at start
//   <dir>/group-<g>/incoming   files of a snapshot that did not come to its end
//   <dir>/group-<g>/checkpoint-*, own-copy-*  of SnapshotWorker; deleted at start
//   <dir>/marks, peers, old-copy  whether the directory is an old copy (directory_marks.hpp, F52)
//   <dir>/members              who was met on joining
//   <dir>/restoring            a restore under way
//   <dir>/node-id, removed, removed-*   of raft.dialect redisraft (redisraft_directory.hpp)
// Who adds a name adds it here and says in Storage what a start makes of it.
#pragma once

#include <string>
#include <string_view>

#include "config/base/ids.hpp"

namespace kiwi::actors::data_directory {

// ---- of the node
inline constexpr const char* kMarks = "marks";
inline constexpr const char* kPeers = "peers";
inline constexpr const char* kOldCopy = "old-copy";
inline constexpr const char* kMembers = "members";
inline constexpr const char* kRestoring = "restoring";
inline constexpr const char* kNodeId = "node-id";
inline constexpr const char* kRemoved = "removed";
inline constexpr std::string_view kRemovedPrefix = "removed-";

inline constexpr std::string_view kGroupPrefix = "group-";

// ---- of a group
inline constexpr const char* kLog = "log";
inline constexpr std::string_view kStatePrefix = "state-";
inline constexpr const char* kIncoming = "incoming";
inline constexpr const char* kCheckpoint = "checkpoint";
inline constexpr const char* kOwnCopy = "own-copy";

inline std::string group(const std::string& dir, GroupId id) {
  return dir + "/" + std::string(kGroupPrefix) + std::to_string(id.value);
}

}  // namespace kiwi::actors::data_directory
