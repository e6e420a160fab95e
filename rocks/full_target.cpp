// The receiving half of a snapshot sent as files. A file grows from its beginning only, so its
// length is how much of it is there: what a process that died has received needs no record beside
// the manifest, and what a power loss tore is found by the checksums at the end.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <unistd.h>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/failpoint.hpp"
#include "rocks/files.hpp"
#include "rocks/read_only_state.hpp"
#include "rocks/snapshot_target.hpp"

namespace kiwi::rocks {

namespace fs = std::filesystem;

namespace {

// ON DISK: the manifest of what a directory is being filled with, or was filled with. Stays in the
// state directory, so that a later snapshot of the same sender finds its files again.
constexpr const char* kManifestName = "manifest.kiwi";

std::optional<Manifest> manifest_in(const std::string& directory) {
  Result<std::string> bytes = read_whole_file(directory + "/" + kManifestName);
  if (!bytes) {
    return std::nullopt;
  }
  Result<Manifest> manifest = decode_manifest(*bytes);
  return manifest ? std::optional(std::move(*manifest)) : std::nullopt;
}

// Written out as it comes: one sync of it all would hold up the log's syncs on the same disk.
constexpr uint64_t kSyncBytes = 4 << 20;

bool holds(const Manifest& manifest, const SnapshotFile& file) {
  return std::find(manifest.files.begin(), manifest.files.end(), file) != manifest.files.end();
}

class Target final : public FullTarget {
 public:
  Target(std::string directory, Manifest manifest)
      : directory_(std::move(directory)),
        manifest_(std::move(manifest)),
        have_(manifest_.files.size(), 0) {}
  ~Target() override { close_file(); }

  Result<void> start(const std::string& installed);

  const Manifest& manifest() const override { return manifest_; }
  const std::string& directory() const override { return directory_; }
  std::vector<Missing> missing() const override;
  uint64_t bytes_missing() const override;
  uint64_t bytes_reused() const override { return reused_; }
  Result<void> write(uint32_t file, uint64_t offset, std::string_view bytes) override;
  Result<SnapshotInfo> finish() override;

 private:
  std::string path_of(size_t file) const { return directory_ + "/" + manifest_.files[file].name; }
  Result<void> clear_foreign();
  void take_installed(const std::string& installed);
  Result<void> create_missing();
  Result<void> open_file(uint32_t file);
  void close_file();
  Result<void> check_files();

  std::string directory_;
  Manifest manifest_;
  std::vector<uint64_t> have_;  // bytes of each file
  uint64_t reused_ = 0;
  int fd_ = -1;  // of the file being written
  uint32_t open_ = 0;
  uint64_t unsynced_ = 0;
};

// Leaves in the directory only what belongs to this manifest, and finds out how much that is.
Result<void> Target::clear_foreign() {
  const std::optional<Manifest> before = manifest_in(directory_);
  const bool resumes = before && *before == manifest_;
  std::set<std::string> keep;
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    const SnapshotFile& file = manifest_.files[i];
    // Of another checkpoint of the sender: the very same file, by name, size and checksum.
    const bool same =
        resumes || (before && before->sender == manifest_.sender && holds(*before, file));
    const Result<uint64_t> size = file_size(path_of(i));
    if (same && size && *size <= file.size) {
      have_[i] = *size;
      reused_ += *size;
      keep.insert(file.name);
    }
  }
  std::error_code failed;
  std::vector<fs::path> foreign;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, failed)) {
    if (!keep.contains(entry.path().filename().string())) {
      foreign.push_back(entry.path());
    }
  }
  for (const fs::path& path : foreign) {
    fs::remove_all(path, failed);
  }
  if (failed) {
    return Error{Errc::kIo, "cannot clear the directory " + directory_ + ": " + failed.message()};
  }
  return {};
}

// A state that came from this sender keeps the files that its own compactions have not rewritten:
// RocksDB never gives a number to a second file, so the name tells which, and the checksum proves.
void Target::take_installed(const std::string& installed) {
  const std::optional<Manifest> before = installed.empty() ? std::nullopt : manifest_in(installed);
  if (!before || before->sender != manifest_.sender) {
    return;
  }
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    const SnapshotFile& file = manifest_.files[i];
    if (have_[i] == file.size || !file.name.ends_with(".sst") || !holds(*before, file)) {
      continue;
    }
    std::error_code failed;
    fs::remove(path_of(i), failed);
    fs::create_hard_link(installed + "/" + file.name, path_of(i), failed);
    have_[i] = 0;
    if (failed) {
      continue;  // compacted away
    }
    const Result<uint64_t> size = file_size(path_of(i));
    const Result<Checksum128> sum = checksum_file(path_of(i));
    if (size && sum && *size == file.size && *sum == file.checksum) {
      have_[i] = file.size;
      reused_ += file.size;
    } else {
      fs::remove(path_of(i), failed);
    }
  }
}

Result<void> Target::create_missing() {
  for (uint32_t i = 0; i < manifest_.files.size(); ++i) {
    if (have_[i] == 0) {
      if (Result<void> opened = open_file(i); !opened) {
        return opened;
      }
    }
  }
  close_file();
  return {};
}

Result<void> Target::start(const std::string& installed) {
  std::error_code failed;
  fs::create_directories(directory_, failed);
  if (failed) {
    return Error{Errc::kIo, "cannot create the directory " + directory_ + ": " + failed.message()};
  }
  if (Result<void> cleared = clear_foreign(); !cleared) {
    return cleared;
  }
  // Names what is here before anything more arrives.
  if (Result<void> written =
          write_file_durably(directory_ + "/" + kManifestName, encode_manifest(manifest_));
      !written) {
    return written;
  }
  take_installed(installed);
  return create_missing();
}

std::vector<FullTarget::Missing> Target::missing() const {
  std::vector<Missing> missing;
  for (uint32_t i = 0; i < have_.size(); ++i) {
    if (have_[i] < manifest_.files[i].size) {
      missing.push_back({i, have_[i], manifest_.files[i].size - have_[i]});
    }
  }
  return missing;
}

uint64_t Target::bytes_missing() const {
  uint64_t sum = 0;
  for (const Missing& part : missing()) {
    sum += part.bytes;
  }
  return sum;
}

Result<void> Target::open_file(uint32_t file) {
  if (fd_ >= 0 && open_ == file) {
    return {};
  }
  close_file();
  fd_ = ::open(path_of(file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  open_ = file;
  if (fd_ < 0) {
    return Error{Errc::kIo, "cannot write " + path_of(file) + ": " + std::strerror(errno)};
  }
  return {};
}

void Target::close_file() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

Result<void> Target::write(uint32_t file, uint64_t offset, std::string_view bytes) {
  if (file >= have_.size() || offset > have_[file] ||
      bytes.size() > manifest_.files[file].size - offset) {
    return Error{Errc::kInvalid, "a piece of a snapshot that does not go on where its file ends"};
  }
  if (offset + bytes.size() <= have_[file]) {
    return {};  // a repetition
  }
  CHECK_INVARIANT(have_[file] < manifest_.files[file].size);
  bytes.remove_prefix(have_[file] - offset);
  if (Result<void> opened = open_file(file); !opened) {
    return opened;
  }
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(have_[file]));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return Error{Errc::kIo, "cannot write " + path_of(file) + ": " + std::strerror(errno)};
    }
    have_[file] += static_cast<uint64_t>(written);
    bytes.remove_prefix(static_cast<size_t>(written));
    unsynced_ += static_cast<uint64_t>(written);
  }
  CHECK_INVARIANT(have_[file] <= manifest_.files[file].size);
  if (unsynced_ >= kSyncBytes) {
    unsynced_ = 0;
    if (::fdatasync(fd_) != 0) {
      return Error{Errc::kIo, "cannot sync " + path_of(file) + ": " + std::strerror(errno)};
    }
  }
  failpoint("snapshot-received");
  return {};
}

Result<void> Target::check_files() {
  std::string bad;
  for (size_t i = 0; i < have_.size(); ++i) {
    const Result<Checksum128> sum = checksum_file(path_of(i));
    if (!sum) {
      return sum.error();
    }
    if (*sum != manifest_.files[i].checksum) {
      bad = path_of(i);
      std::error_code failed;
      fs::remove(bad, failed);  // not truncated: it may be linked elsewhere
      have_[i] = 0;
      if (Result<void> opened = open_file(static_cast<uint32_t>(i)); !opened) {
        return opened;
      }
    }
  }
  if (!bad.empty()) {
    return Error{Errc::kCorrupt, bad + " is not what the sender has: get it again"};
  }
  return {};
}

Result<SnapshotInfo> Target::finish() {
  close_file();
  if (bytes_missing() != 0) {
    return Error{Errc::kInvalid, "the snapshot is not complete"};
  }
  if (Result<void> good = check_files(); !good) {
    return good.error();
  }
  if (Result<void> synced = sync_tree(directory_); !synced) {
    return synced.error();
  }
  failpoint("snapshot-complete");
  Result<SnapshotInfo> info = verify_state(directory_);
  if (info && (info->applied.index != manifest_.index || info->applied.term != manifest_.term)) {
    return Error{Errc::kCorrupt, directory_ + " is another snapshot than was announced"};
  }
  failpoint("snapshot-verified");
  return info;
}

}  // namespace

Result<std::unique_ptr<FullTarget>> FullTarget::open(const std::string& directory,
                                                     const Manifest& manifest,
                                                     const std::string& installed) {
  auto target = std::make_unique<Target>(directory, manifest);
  if (Result<void> started = target->start(installed); !started) {
    return started.error();
  }
  return std::unique_ptr<FullTarget>(std::move(target));
}

std::optional<Manifest> unfinished_transfer(const std::string& directory) {
  return manifest_in(directory);
}

Result<SnapshotInfo> verify_state(const std::string& directory) {
  Result<std::unique_ptr<ReadOnlyState>> state = ReadOnlyState::open(directory);
  if (!state) {
    return state.error();
  }
  // First: whoever reads a damaged block ends.
  if (Result<void> whole = (*state)->verify_checksums(); !whole) {
    return whole.error();
  }
  return (*state)->info();
}

Result<void> remove_state(const std::string& directory) {
  std::error_code failed;
  fs::remove(directory + "/CURRENT", failed);  // from here on it does not open
  failpoint("old-state-deleting");
  return remove_directory(directory);
}

Result<std::string> publish_state(const std::string& data_directory, const std::string& directory) {
  uint64_t newest = 0;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(data_directory, failed)) {
    if (const std::optional<uint64_t> number = state_number(entry.path().filename().string())) {
      newest = std::max(newest, *number);
    }
  }
  const std::string name = kStatePrefix + std::to_string(newest + 1);
  if (!failed) {
    fs::rename(directory, fs::path(data_directory) / name, failed);
  }
  if (failed) {
    return Error{Errc::kIo,
                 "cannot make " + directory + " the state " + name + ": " + failed.message()};
  }
  if (Result<void> synced = sync_directory(data_directory); !synced) {
    return synced.error();
  }
  failpoint("snapshot-published");
  return name;
}

}  // namespace kiwi::rocks
