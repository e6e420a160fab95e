// The sending side of a snapshot: a checkpoint directory, opened to be read, as files (full) or as
// what changed since a receiver's own state (delta). Knows nothing of links, windows and rates.
//
// Owned by whoever sends or backs up; one thread at a time, none of it on a loop: manifest(),
// digest() and the first chunk of a delta read a lot. The directory stays as it is; whoever made it
// deletes it when no source uses it any more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config/base/result.hpp"
#include "rocks/snapshot_files.hpp"

namespace kiwi::rocks {

inline constexpr size_t kSnapshotChunkBytes = 256 << 10;  // the longest chunk, full or delta (F29)

// A logical delta (F17), chunk by chunk, in the one order in which a DeltaTarget takes them. Lost
// chunks are the sender's to keep and send again.
class DeltaStream {
 public:
  virtual ~DeltaStream() = default;
  // At most kSnapshotChunkBytes; nullopt: the one before was the last.
  virtual Result<std::optional<std::string>> next() = 0;
};

class SnapshotSource {
 public:
  // `sender` is this node's incarnation; every opening is a checkpoint id of its own.
  static Result<std::unique_ptr<SnapshotSource>> open(const std::string& directory,
                                                      const Incarnation& sender,
                                                      GroupId group = kFirstGroup);
  virtual ~SnapshotSource() = default;

  virtual const SnapshotInfo& info() const = 0;
  virtual const std::string& directory() const = 0;
  virtual uint64_t bytes() const = 0;  // of all files

  // Reads every file, for the checksums of its blocks and then for its own; kept for later calls.
  // kCorrupt: this node's state is damaged; that is kept, too.
  virtual Result<Manifest> manifest() = 0;
  // Up to `bytes_max` (at most kSnapshotChunkBytes) of file number `file` of the manifest.
  virtual Result<std::string> read(uint32_t file, uint64_t offset, size_t bytes_max) = 0;

  // What a receiver whose applied record is `base` lacks. kInvalid: such a state cannot be an
  // earlier one of this history, or shares nothing with it: send files. Sameness is decided at the
  // end, by the digests. The stream must not outlive the source.
  virtual Result<std::unique_ptr<DeltaStream>> delta(const AppliedRecord& base) = 0;
  // digest_of() the state; reads it once.
  virtual Checksum128 digest() = 0;
};

}  // namespace kiwi::rocks
