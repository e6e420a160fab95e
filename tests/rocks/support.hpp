// Helpers of the storage tests: directories that vanish, bytes as hex, children that are killed.
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::rocks::test {

class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  std::string path(std::string_view name = "") const {
    return name.empty() ? root_.string() : (root_ / name).string();
  }

 private:
  std::filesystem::path root_;
};

std::string hex(std::string_view bytes);
std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view bytes);
// What a crash of the process at this moment leaves: the files with everything written so far.
void copy_directory(const std::string& from, const std::string& to);
// What a power loss at this moment leaves: of each file what its last fsync or fdatasync covered.
// This program defines those two functions itself and keeps the book (support.cpp).
void copy_directory_after_power_loss(const std::string& from, const std::string& to);
// Names of the files in `directory` that end so, in order.
std::vector<std::string> files_with_suffix(const std::string& directory, std::string_view suffix);

// From now on files whose names end so find no room to be written after so many writes, of any of
// them, or, without `creates`, to be made. An empty suffix ends it.
// `error`: what the disk says.
void fill_disk(std::string_view suffix,
               uint64_t writes_left = 0,
               bool creates = true,
               int error = ENOSPC);
uint64_t full_disk_refused();  // so often, since it was filled

// From now on the file whose name ends so gives an error to whoever reads it.
void fail_reads(std::string_view suffix);

// Runs this program as a child in one of its roles (child_roles.cpp) and waits for its end.
struct ChildEnd {
  bool exited = false;
  int status = -1;     // exit status, or the signal
  std::string errors;  // what it wrote to standard error
};
ChildEnd spawn_child(const std::string& role, const std::vector<std::string>& arguments);
int run_child(const std::string& role, const std::vector<std::string>& arguments);

// Number of rounds of the random tests: KIWI_ROUNDS multiplies it for long runs.
uint64_t rounds(uint64_t usual);

}  // namespace kiwi::rocks::test
