#include "tests/rocks/support.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

// Inode -> bytes that a sync has covered. A file is known by its inode since RocksDB renames some.
struct SyncBook {
  std::mutex mutex;
  std::map<std::pair<dev_t, ino_t>, off_t> synced;
};
SyncBook& sync_book() {
  static SyncBook book;
  return book;
}

int synced(int fd, long call) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) {
    return -1;
  }
  int result = static_cast<int>(::syscall(call, fd));
  if (result == 0) {
    std::lock_guard lock(sync_book().mutex);
    sync_book().synced[{about.st_dev, about.st_ino}] = about.st_size;
  }
  return result;
}

}  // namespace

namespace {

// The files whose names end so find no room: to be written (after so many writes), to be created.
struct FullDisk {
  std::mutex mutex;
  std::string suffix;  // empty: the disk has room
  uint64_t writes_left = 0;
  bool creates = true;
  int error = ENOSPC;
  uint64_t refused = 0;
};
FullDisk& full_disk() {
  static FullDisk disk;
  return disk;
}
std::atomic<bool> disk_may_be_full{false};

bool refuses_write(int fd) {
  if (!disk_may_be_full) {
    return false;
  }
  std::array<char, 4096> name{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), name.data(), name.size());
  FullDisk& disk = full_disk();
  const std::lock_guard lock(disk.mutex);
  if (size <= 0 || disk.suffix.empty() ||
      !std::string_view(name.data(), static_cast<size_t>(size)).ends_with(disk.suffix)) {
    return false;
  }
  if (disk.writes_left != 0) {
    --disk.writes_left;
    return false;
  }
  ++disk.refused;
  errno = disk.error;
  return true;
}

bool refuses_create(const char* path, int flags) {
  if (!disk_may_be_full || (flags & O_CREAT) == 0) {
    return false;
  }
  FullDisk& disk = full_disk();
  const std::lock_guard lock(disk.mutex);
  if (disk.suffix.empty() || disk.creates || !std::string_view(path).ends_with(disk.suffix)) {
    return false;
  }
  ++disk.refused;
  errno = disk.error;
  return true;
}

// The file whose name ends so cannot be read.
struct BadDisk {
  std::mutex mutex;
  std::string suffix;  // empty: all can
};
BadDisk& bad_disk() {
  static BadDisk disk;
  return disk;
}
std::atomic<bool> disk_may_be_bad{false};

bool refuses_read(int fd) {
  if (!disk_may_be_bad) {
    return false;
  }
  std::array<char, 4096> name{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), name.data(), name.size());
  const std::lock_guard lock(bad_disk().mutex);
  errno = EIO;
  return size > 0 && !bad_disk().suffix.empty() &&
         std::string_view(name.data(), static_cast<size_t>(size)).ends_with(bad_disk().suffix);
}

ssize_t read_at(int fd, void* bytes, size_t size, off_t offset) {
  return refuses_read(fd) ? -1 : ::syscall(SYS_pread64, fd, bytes, size, offset);
}

// Half of what was to be written is there all the same.
ssize_t written(int fd, const void* bytes, size_t size, off_t offset) {
  if (!refuses_write(fd)) {
    return offset < 0 ? ::syscall(SYS_write, fd, bytes, size)
                      : ::syscall(SYS_pwrite64, fd, bytes, size, offset);
  }
  const int error = errno;
  (void)(offset < 0 ? ::syscall(SYS_write, fd, bytes, size / 2)
                    : ::syscall(SYS_pwrite64, fd, bytes, size / 2, offset));
  errno = error;
  return -1;
}

int opened(const char* path, int flags, mode_t mode) {
  return refuses_create(path, flags)
             ? -1
             : static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// Take the place of libc's, also for librocksdb.so. Only the first two make anything durable.
extern "C" int fsync(int fd) { return synced(fd, SYS_fsync); }
extern "C" int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
extern "C" ssize_t write(int fd, const void* bytes, size_t size) {
  return written(fd, bytes, size, -1);
}
extern "C" ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return written(fd, bytes, size, offset);
}
extern "C" ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return written(fd, bytes, size, offset);
}
extern "C" ssize_t pread(int fd, void* bytes, size_t size, off_t offset) {
  return read_at(fd, bytes, size, offset);
}
extern "C" ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) {
  return read_at(fd, bytes, size, offset);
}
extern "C" int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags, mode);
}
extern "C" int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags, mode);
}

namespace kiwi::rocks::test {

namespace fs = std::filesystem;

namespace {

// These tests end processes, not machines, so what is in memory survives them: a file system in
// memory answers a sync at once. TMPDIR, if set, wins.
fs::path scratch() {
  std::error_code failed;
  fs::space_info room = fs::space("/dev/shm", failed);
  bool roomy = !failed && room.available > (uint64_t{1} << 30);
  return std::getenv("TMPDIR") == nullptr && roomy ? fs::path("/dev/shm")
                                                   : fs::temp_directory_path();
}

}  // namespace

TempDirectory::TempDirectory() {
  std::string name = (scratch() / "kiwi-rocks-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot create " + name);
  }
  root_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char c : bytes) {
    text.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    text.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return text;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::string bytes(in ? static_cast<size_t>(in.tellg()) : 0, '\0');
  in.seekg(0);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return bytes;
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

namespace {

std::set<std::string> file_names(const std::string& directory) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename() != "LOCK") {
      names.insert(entry.path().filename().string());
    }
  }
  return names;
}

}  // namespace

void copy_directory(const std::string& from, const std::string& to) {
  // A compaction may replace files under our hands; a crash leaves one moment, so look again.
  std::set<std::string> names;
  bool whole = false;
  while (!whole) {
    names = file_names(from);
    fs::remove_all(to);
    fs::create_directories(to);
    whole = true;
    for (const std::string& name : names) {
      std::error_code failed;
      whole = whole && fs::copy_file(fs::path(from) / name, fs::path(to) / name, failed);
    }
    whole = whole && file_names(from) == names;
  }
}

void copy_directory_after_power_loss(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::create_directories(to);
  SyncBook& book = sync_book();
  std::lock_guard lock(book.mutex);
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    struct stat about {};
    if (entry.path().filename() == "LOCK" || ::stat(entry.path().c_str(), &about) != 0) {
      continue;
    }
    std::string bytes = read_file(entry.path().string());
    auto known = book.synced.find({about.st_dev, about.st_ino});
    // A file that was cut since then is as long as it was, with zeros.
    bytes.resize(known == book.synced.end() ? 0 : static_cast<size_t>(known->second), '\0');
    std::string copy = to + "/" + entry.path().filename().string();
    write_file(copy, bytes);
    // What the next life finds on its disk is durable already.
    if (::stat(copy.c_str(), &about) == 0) {
      book.synced[{about.st_dev, about.st_ino}] = about.st_size;
    }
  }
}

std::vector<std::string> files_with_suffix(const std::string& directory, std::string_view suffix) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    std::string name = entry.path().filename().string();
    if (name.size() >= suffix.size() && name.ends_with(suffix)) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

void fill_disk(std::string_view suffix, uint64_t writes_left, bool creates, int error) {
  FullDisk& disk = full_disk();
  const std::lock_guard lock(disk.mutex);
  disk.suffix = suffix;
  disk.writes_left = writes_left;
  disk.creates = creates;
  disk.error = error;
  disk.refused = 0;
  disk_may_be_full = !suffix.empty();
}

void fail_reads(std::string_view suffix) {
  const std::lock_guard lock(bad_disk().mutex);
  bad_disk().suffix = suffix;
  disk_may_be_bad = !suffix.empty();
}

uint64_t full_disk_refused() {
  FullDisk& disk = full_disk();
  const std::lock_guard lock(disk.mutex);
  return disk.refused;
}

ChildEnd spawn_child(const std::string& role, const std::vector<std::string>& arguments) {
  TempDirectory directory;
  std::string errors = directory.path("errors");
  std::vector<std::string> words = {"rocks_tests", "child", role};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  int failed = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    throw std::runtime_error("cannot start a child");
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ChildEnd end;
  end.exited = WIFEXITED(status);
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  end.errors = read_file(errors);
  return end;
}

uint64_t rounds(uint64_t usual) {
  const char* factor = std::getenv("KIWI_ROUNDS");
  return factor == nullptr ? usual : usual * std::strtoull(factor, nullptr, 10);
}

}  // namespace kiwi::rocks::test
