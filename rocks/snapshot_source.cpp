#include "rocks/snapshot_source.hpp"

#include <algorithm>
#include <filesystem>
#include <sys/random.h>

#include "config/base/check.hpp"
#include "rocks/delta_stream.hpp"
#include "rocks/files.hpp"
#include "rocks/read_only_state.hpp"

namespace kiwi::rocks {

namespace {

// RocksDB's own notes and ours are not part of a state.
bool belongs(const std::string& name) {
  return is_plain_file_name(name) && name != "LOCK" && name != "IDENTITY" &&
         !name.starts_with("LOG") && !name.ends_with(".kiwi");
}

class CheckpointSource final : public SnapshotSource {
 public:
  CheckpointSource(std::unique_ptr<ReadOnlyState> state,
                   SnapshotInfo info,
                   const Incarnation& sender,
                   GroupId group)
      : state_(std::move(state)), info_(std::move(info)), sender_(sender), group_(group) {}

  Result<void> list() {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory(), failed)) {
      const std::string name = entry.path().filename().string();
      if (!entry.is_regular_file() || !belongs(name)) {
        continue;
      }
      files_.push_back({name, entry.file_size(failed), {}});
      bytes_ += files_.back().size;
    }
    if (failed) {
      return Error{Errc::kIo, "cannot read the directory " + directory() + ": " + failed.message()};
    }
    std::sort(files_.begin(), files_.end(),
              [](const SnapshotFile& a, const SnapshotFile& b) { return a.name < b.name; });
    CHECK_INVARIANT(::getrandom(id_.bytes.data(), id_.bytes.size(), 0) ==
                    static_cast<ssize_t>(id_.bytes.size()));
    return {};
  }

  const SnapshotInfo& info() const override { return info_; }
  const std::string& directory() const override { return state_->path(); }
  uint64_t bytes() const override { return bytes_; }

  Result<Manifest> manifest() override {
    if (damage_) {
      return *damage_;  // not looked for again
    }
    if (!summed_) {
      for (SnapshotFile& file : files_) {
        // The sums are over what the files hold, damage and all: whoever gets it could not tell.
        if (Result<void> whole = prove(file); !whole) {
          return whole.error();
        }
        Result<Checksum128> sum = checksum_file(path_of(file));
        if (!sum) {
          return sum.error();
        }
        file.checksum = *sum;
      }
      summed_ = true;
    }
    return Manifest{sender_, id_, info_.applied.index, info_.applied.term, files_, group_};
  }

  Result<std::string> read(uint32_t file, uint64_t offset, size_t bytes_max) override {
    if (file >= files_.size() || offset > files_[file].size) {
      return Error{Errc::kInvalid, "the snapshot has no such part"};
    }
    const uint64_t left = files_[file].size - offset;
    const size_t bytes = std::min({bytes_max, kSnapshotChunkBytes, static_cast<size_t>(left)});
    Result<std::string> part = read_file_part(path_of(files_[file]), offset, bytes);
    if (part && part->size() != bytes) {
      return Error{Errc::kIo, path_of(files_[file]) + " is shorter than it was"};
    }
    return part;
  }

  Result<std::unique_ptr<DeltaStream>> delta(const AppliedRecord& base) override {
    return make_delta_stream(*state_, info_.applied, base, digest_);
  }

  Checksum128 digest() override {
    if (!digest_) {
      digest_ = digest_of(*state_);
    }
    return *digest_;
  }

 private:
  // File by file: the sum that follows finds in memory what was read for this.
  Result<void> prove(const SnapshotFile& file) {
    if (!file.name.ends_with(".sst")) {
      return {};  // RocksDB compared what these say when it opened them
    }
    const Result<void> whole = state_->verify_table(file.name);
    if (whole) {
      return {};
    }
    const Error error{whole.error().code,
                      whole.error().text + ": replace this node, its peers hold its data"};
    if (error.code == Errc::kCorrupt) {
      damage_ = error;
    }
    return error;
  }
  std::string path_of(const SnapshotFile& file) const { return directory() + "/" + file.name; }

  std::unique_ptr<ReadOnlyState> state_;
  SnapshotInfo info_;
  Incarnation sender_;
  GroupId group_;
  CheckpointId id_;
  std::vector<SnapshotFile> files_;
  uint64_t bytes_ = 0;
  bool summed_ = false;
  std::optional<Error> damage_;
  std::optional<Checksum128> digest_;
};

}  // namespace

Result<std::unique_ptr<SnapshotSource>> SnapshotSource::open(const std::string& directory,
                                                             const Incarnation& sender,
                                                             GroupId group) {
  Result<std::unique_ptr<ReadOnlyState>> state = ReadOnlyState::open(directory);
  if (!state) {
    return state.error();
  }
  Result<SnapshotInfo> info = (*state)->info();
  if (!info) {
    return info.error();
  }
  auto source =
      std::make_unique<CheckpointSource>(std::move(*state), std::move(*info), sender, group);
  if (Result<void> listed = source->list(); !listed) {
    return listed.error();
  }
  return std::unique_ptr<SnapshotSource>(std::move(source));
}

}  // namespace kiwi::rocks
