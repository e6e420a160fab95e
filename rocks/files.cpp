#include "rocks/files.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "rocks/background.hpp"
#include "rocks/file_removal.hpp"

namespace kiwi::rocks {

namespace fs = std::filesystem;

namespace {

constexpr size_t kStepBytes = 256 << 10;  // of one read of a long file

Error failed(const char* what, const std::string& path) {
  return {Errc::kIo, std::string("cannot ") + what + " " + path + ": " + std::strerror(errno)};
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, mode_t mode = 0600)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool good() const { return fd_ >= 0; }

 private:
  int fd_;
};

Result<void> sync_path(const std::string& path, int flags) {
  Descriptor file(path, flags);
  if (!file.good() || ::fsync(file.get()) != 0) {
    return failed("sync", path);
  }
  return {};
}

}  // namespace

std::string parent_of(const std::string& path) {
  fs::path absolute = fs::absolute(path).lexically_normal();
  if (!absolute.has_filename()) {
    absolute = absolute.parent_path();  // it ended in a slash
  }
  return absolute.parent_path().string();
}

Result<void> sync_file(const std::string& path) { return sync_path(path, O_RDONLY); }
Result<void> sync_directory(const std::string& path) {
  return sync_path(path, O_RDONLY | O_DIRECTORY);
}

Result<void> sync_tree(const std::string& path) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file()) {
      if (Result<void> synced = sync_file(entry.path().string()); !synced) {
        return synced;
      }
    }
  }
  if (error) {
    return Error{Errc::kIo, "cannot read the directory " + path + ": " + error.message()};
  }
  if (Result<void> synced = sync_directory(path); !synced) {
    return synced;
  }
  return sync_directory(parent_of(path));
}

Result<void> write_file_durably(const std::string& path, std::string_view bytes, mode_t mode) {
  const std::string fresh = path + ".new";
  {
    Descriptor file(fresh, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (!file.good()) {
      return failed("create", fresh);
    }
    for (std::string_view rest = bytes; !rest.empty();) {
      ssize_t written = ::write(file.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) {
        continue;
      }
      if (written <= 0) {
        return failed("write", fresh);
      }
      rest.remove_prefix(static_cast<size_t>(written));
    }
    if (::fsync(file.get()) != 0) {
      return failed("sync", fresh);
    }
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return failed("rename", fresh);
  }
  return sync_directory(parent_of(path));
}

Result<std::string> read_file_part(const std::string& path, uint64_t offset, size_t bytes_max) {
  Descriptor file(path, O_RDONLY);
  if (!file.good()) {
    return failed("open", path);
  }
  std::string bytes(bytes_max, '\0');
  size_t have = 0;
  while (have < bytes_max) {
    ssize_t got = ::pread(file.get(), bytes.data() + have, bytes_max - have,
                          static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return failed("read", path);
    }
    if (got == 0) {
      break;
    }
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Result<std::string> read_whole_file(const std::string& path) {
  Result<uint64_t> size = file_size(path);
  return size ? read_file_part(path, 0, *size) : Result<std::string>(size.error());
}

Result<uint64_t> file_size(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) {
    return failed("look at", path);
  }
  return static_cast<uint64_t>(about.st_size);
}

Result<Checksum128> checksum_file(const std::string& path) {
  Hasher128 hasher;
  for (uint64_t offset = 0;; offset += kStepBytes) {
    Result<std::string> part = read_file_part(path, offset, kStepBytes);
    if (!part) {
      return part.error();
    }
    hasher.add(*part);
    breathe();
    if (part->size() < kStepBytes) {
      return hasher.sum();
    }
  }
}

bool is_plain_file_name(std::string_view name) {
  constexpr size_t kNameMax = 128;
  return !name.empty() && name.size() <= kNameMax && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' ||
                  c == '-';
         });
}

Result<void> remove_directory(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error) && !error) {
    return {};
  }
  // Its files one by one, whose room comes back gently.
  std::vector<std::string> files;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (at->symlink_status(unknown).type() == fs::file_type::regular) {
      files.push_back(at->path().string());
    }
  }
  for (const std::string& file : files) {
    (void)remove_file(file);
  }
  fs::remove_all(path, error);
  if (error) {
    return Error{Errc::kIo, "cannot remove " + path + ": " + error.message()};
  }
  return sync_directory(parent_of(path));
}

}  // namespace kiwi::rocks
