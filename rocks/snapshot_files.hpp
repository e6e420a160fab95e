// What sender and receiver of a snapshot say about it: what state it is, and which files hold it.
// Plain data and its bytes; any thread. The bytes go over the wire between nodes and, as the record
// of a transfer that may be taken up again, to disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/checksum.hpp"
#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "raft/log_storage.hpp"
#include "raft/types.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::rocks {

// Names of state directories in a node's data directory: state-<n>, n from 1, no leading zero.
inline constexpr const char* kStatePrefix = "state-";
std::optional<uint64_t> state_number(std::string_view name);

struct CheckpointIdTag;
using CheckpointId = RandomId<CheckpointIdTag>;

// Read from the opened files, never from memory (F13).
struct SnapshotInfo {
  AppliedRecord applied;              // index, term, stamp, mutation counter, checksum
  raft::Configuration configuration;  // as of the last configuration entry applied
  std::vector<raft::SessionRow> sessions;

  raft::SnapshotMeta meta() const { return {applied.index, applied.term, configuration}; }
};

struct SnapshotFile {
  std::string name;  // plain: is_plain_file_name()
  uint64_t size = 0;
  Checksum128 checksum;  // of the whole content
  bool operator==(const SnapshotFile&) const = default;
};

struct Manifest {
  Incarnation sender;
  CheckpointId checkpoint;
  LogIndex index;
  Term term;
  std::vector<SnapshotFile> files;  // ordered by name
  GroupId group = kFirstGroup;      // whose state it is
  bool operator==(const Manifest&) const = default;

  uint64_t bytes() const;
};

// With a checksum of their own. Decoding takes untrusted bytes: names are plain and differ.
std::string encode_manifest(const Manifest& manifest);
Result<Manifest> decode_manifest(std::string_view bytes);

}  // namespace kiwi::rocks
