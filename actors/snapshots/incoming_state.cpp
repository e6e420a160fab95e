#include "actors/snapshots/incoming_state.hpp"

#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {
constexpr uint32_t kCorruptRounds = 3;
constexpr size_t kManifestBytesMax = 64 << 20;
}  // namespace

IncomingState::IncomingState(GroupId group, SnapshotDisk disk)
    : group_(group), disk_(std::move(disk)) {}

Result<void> IncomingState::begin_delta() {
  Result<std::unique_ptr<rocks::DeltaTarget>> delta = disk_.open_delta();
  if (!delta) {
    return delta.error();
  }
  delta_ = std::move(*delta);
  part_ = Part::kDelta;
  return {};
}

void IncomingState::begin_manifest() {
  CHECK_INVARIANT(full_ == nullptr);
  delta_.reset();
  manifest_.clear();
  part_ = Part::kManifest;
}

void IncomingState::reset() {
  manifest_.clear();
  full_.reset();
  delta_.reset();
  corrupt_rounds_ = 0;
  whole_.reset();
  part_ = Part::kManifest;
}

const rocks::FullTarget& IncomingState::files() const {
  CHECK_INVARIANT(part_ == Part::kFiles && full_ != nullptr && delta_ == nullptr);
  return *full_;
}

const rocks::AppliedRecord& IncomingState::base() const {
  CHECK_INVARIANT(part_ == Part::kDelta && delta_ != nullptr);
  return delta_->base();
}

IncomingState::Whole IncomingState::take_whole() {
  CHECK_INVARIANT(whole_.has_value());
  return *std::exchange(whole_, std::nullopt);
}

IncomingState::Next IncomingState::take(const SnapshotChunk& chunk) {
  CHECK_INVARIANT(!whole_);
  if (part_ == Part::kManifest) {
    manifest_.append(chunk.bytes);
    return manifest_.size() > kManifestBytesMax ? give_up("its list of files is too long")
                                                : Next::kMore;
  }
  if (part_ == Part::kFiles) {
    if (chunk.bytes.empty()) {
      return Next::kMore;
    }
    CHECK_INVARIANT(full_ != nullptr);
    Result<void> written = full_->write(chunk.file, chunk.offset, chunk.bytes);
    return written ? Next::kMore : give_up_files(written.error());
  }
  CHECK_INVARIANT(delta_ != nullptr);
  if (Result<void> applied = delta_->apply(chunk.bytes); !applied) {
    log_notice("the delta came to nothing (" + applied.error().text + "); files are asked for");
    return Next::kManifest;
  }
  return Next::kMore;
}

IncomingState::Next IncomingState::end_of_round() {
  CHECK_INVARIANT(!whole_);
  if (part_ == Part::kFiles) {
    return complete_files();
  }
  if (part_ == Part::kDelta) {
    return complete_delta();
  }
  Result<rocks::Manifest> manifest = rocks::decode_manifest(manifest_);
  manifest_.clear();
  return manifest ? take_files(*manifest) : give_up(manifest.error().text);
}

IncomingState::Next IncomingState::take_files(const rocks::Manifest& manifest) {
  if (manifest.group != group_) {
    return give_up("it is a state of group " + std::to_string(manifest.group.value));
  }
  Result<std::unique_ptr<rocks::FullTarget>> full = disk_.open_full(manifest);
  if (!full) {
    return give_up_files(full.error());
  }
  full_ = std::move(*full);
  part_ = Part::kFiles;
  return complete_files();
}

IncomingState::Next IncomingState::complete_files() {
  if (const uint64_t bytes = full_->bytes_missing(); bytes > 0) {
    Result<void> room = disk_.room_for(bytes);
    return room ? Next::kFiles : give_up_files(room.error());
  }
  Result<rocks::SnapshotInfo> info = full_->finish();
  if (info) {
    whole_ = Whole{std::move(*info), full_->directory()};
    full_.reset();
    return Next::kWhole;
  }
  if (++corrupt_rounds_ < kCorruptRounds && full_->bytes_missing() > 0) {
    return Next::kFiles;
  }
  return give_up_files(info.error());
}

IncomingState::Next IncomingState::complete_delta() {
  CHECK_INVARIANT(delta_ != nullptr);
  Result<rocks::SnapshotInfo> info = delta_->finish();
  if (info) {
    whole_ = Whole{std::move(*info), delta_->directory()};
    delta_.reset();
    return Next::kWhole;
  }
  log_warning("the delta came out wrong (" + info.error().text + "); files are asked for");
  return Next::kManifest;
}

IncomingState::Next IncomingState::give_up(std::string why) {
  why_ = std::move(why);
  return Next::kUseless;
}

// A disk that does not take them must not stay full of them, and damage not come up at each start.
IncomingState::Next IncomingState::give_up_files(const Error& error) {
  full_.reset();
  if (error.code == Errc::kIo || error.code == Errc::kCorrupt) {
    disk_.drop_full();
  }
  return give_up(error.text);
}

}  // namespace kiwi::actors
