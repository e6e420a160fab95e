// The receiving side of a snapshot: builds a state directory out of chunks, in a directory of its
// own (`incoming`) next to the live one, and proves it before anybody may use it. Knows nothing of
// links, and nothing of Raft's decision whether to install it (F15).
//
// Owned by whoever receives; one thread at a time, never a loop: it writes, syncs and reads a lot.
// The steps of F14 are: full or delta target -> finish() -> publish_state() ->
// LogStorage::install()
// -> the run-time swap -> remove the old directory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/base/result.hpp"
#include "rocks/snapshot_files.hpp"

namespace kiwi::rocks {

// ---------------------------------------------------------------- files

class FullTarget {
 public:
  struct Missing {
    uint32_t file = 0;    // number in the manifest
    uint64_t offset = 0;  // where to go on
    uint64_t bytes = 0;
  };

  // Takes up what `directory` holds of the same sender and makes it if it is not there. Of files
  // with the same name, size and checksum nothing is sent again (F17): what an earlier attempt at
  // this or another checkpoint of the sender left, and what `installed` (a live state directory, or
  // empty) still has of a snapshot that came from it. Everything else in `directory` goes.
  static Result<std::unique_ptr<FullTarget>> open(const std::string& directory,
                                                  const Manifest& manifest,
                                                  const std::string& installed);
  virtual ~FullTarget() = default;

  virtual const Manifest& manifest() const = 0;
  virtual const std::string& directory() const = 0;
  virtual std::vector<Missing> missing() const = 0;  // the "what have I" of the protocol
  virtual uint64_t bytes_missing() const = 0;
  virtual uint64_t bytes_reused() const = 0;  // that open() found

  // A chunk that goes on where the file ends; one that lies before (a repetition) is ignored.
  // kInvalid, and nothing is written: a gap, beyond the file's size, or no such file.
  virtual Result<void> write(uint32_t file, uint64_t offset, std::string_view bytes) = 0;

  // Once nothing is missing: compares all checksums (a file that differs is emptied and missing
  // again: kCorrupt), syncs files and directories, opens the state read-only and reads what it is.
  virtual Result<SnapshotInfo> finish() = 0;
};

// The manifest of the transfer that `directory` holds the beginning of, if any.
std::optional<Manifest> unfinished_transfer(const std::string& directory);

// ---------------------------------------------------------------- delta

class DeltaTarget {
 public:
  // `directory` is a checkpoint of the receiver's own state, made for this; it is changed in place
  // and of no use unless finish() succeeds.
  static Result<std::unique_ptr<DeltaTarget>> open(const std::string& directory);
  virtual ~DeltaTarget() = default;

  virtual const AppliedRecord& base() const = 0;  // for SnapshotSource::delta()
  virtual const std::string& directory() const = 0;
  // Every chunk, once and in order. kCorrupt, or kIo if the disk has no room for it: this delta
  // came to nothing; get files.
  virtual Result<void> apply(std::string_view chunk) = 0;
  virtual bool complete() const = 0;  // the last chunk was applied
  // After the last chunk: everything to disk, then the digest of the whole state against the
  // sender's (F17). kCorrupt: they differ, get files.
  virtual Result<SnapshotInfo> finish() = 0;
};

// ---------------------------------------------------------------- both

// Opens the directory read-only, compares the checksums of all its blocks, and reads what it is.
Result<SnapshotInfo> verify_state(const std::string& directory);
// Gives a finished directory the next free name state-<n> in `data_directory`, durably, and returns
// that name: what LogStorage::install() is told. Nothing uses it before that.
Result<std::string> publish_state(const std::string& data_directory, const std::string& directory);
// Deletes a state directory that nobody has open and the log does not name.
Result<void> remove_state(const std::string& directory);

}  // namespace kiwi::rocks
