// A state that comes in, put together on this disk: the list of its files and then the files, or a
// delta to a copy of the own state. Plain class, owned by SnapshotReceiver, on its thread; it knows
// no sender, and the disk comes as functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/snapshots/snapshot_protocol.hpp"
#include "rocks/snapshot_target.hpp"

namespace kiwi::actors {

struct SnapshotDisk {
  std::function<Result<std::unique_ptr<rocks::FullTarget>>(const rocks::Manifest&)> open_full;
  // On the copy of this node's own state that own_copy_ready() told of.
  std::function<Result<std::unique_ptr<rocks::DeltaTarget>>()> open_delta;
  // Whether files may take so many more bytes of the disk. The error is one sentence.
  std::function<Result<void>(uint64_t bytes)> room_for;
  // Removes what open_full() made, when nobody has it open any more.
  std::function<void()> drop_full;
};

class IncomingState {
 public:
  enum class Next : uint8_t {
    kMore,      // of the same
    kManifest,  // the delta came to nothing: begin_manifest() and ask for it
    kFiles,     // what files() lacks
    kWhole,     // take_whole()
    kUseless,   // why()
  };
  struct Whole {
    rocks::SnapshotInfo info;  // verified
    std::string directory;
  };

  IncomingState(GroupId group, SnapshotDisk disk);

  Result<void> begin_delta();  // an error: there is none to this node's state
  void begin_manifest();
  Next take(const SnapshotChunk& chunk);  // in order, of what was begun
  Next end_of_round();                    // all of it came
  void reset();                           // files on the disk stay, for the next attempt

  const rocks::FullTarget& files() const;    // after kFiles
  const rocks::AppliedRecord& base() const;  // of the delta
  const std::string& why() const { return why_; }
  Whole take_whole();

 private:
  enum class Part : uint8_t { kManifest, kFiles, kDelta };

  Next take_files(const rocks::Manifest& manifest);
  Next complete_files();
  Next complete_delta();
  Next give_up(std::string why);
  Next give_up_files(const Error& error);

  GroupId group_;
  SnapshotDisk disk_;
  Part part_ = Part::kManifest;
  std::string manifest_;
  std::unique_ptr<rocks::FullTarget> full_;
  std::unique_ptr<rocks::DeltaTarget> delta_;
  uint32_t corrupt_rounds_ = 0;
  std::optional<Whole> whole_;
  std::string why_;
};

}  // namespace kiwi::actors
