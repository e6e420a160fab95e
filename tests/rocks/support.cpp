#include "tests/rocks/support.hpp"

#include <algorithm>
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

// Take the place of libc's, also for librocksdb.so. Only these two make anything durable.
extern "C" int fsync(int fd) { return synced(fd, SYS_fsync); }
extern "C" int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

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
