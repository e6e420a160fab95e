// Files that go in steps (rocks/file_removal.hpp), and threads that give way
// (rocks/background.hpp).
#include "rocks/file_removal.hpp"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "rocks/background.hpp"
#include "rocks/files.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

constexpr size_t kLarge = 20 << 20;

// The values that removed_bytes_waiting() goes through until nothing is left.
std::set<uint64_t> watch_room() {
  std::set<uint64_t> seen;
  for (int i = 0; i < 10'000 && (seen.empty() || *seen.begin() != 0); ++i) {
    seen.insert(removed_bytes_waiting());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return seen;
}

long switches_while_breathing(bool in_background) {
  long switches = 0;
  std::thread thread([&] {
    if (in_background) {
      work_in_background();
    }
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_THREAD, &before);
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    while (std::chrono::steady_clock::now() < until) {
      breathe();
    }
    ::getrusage(RUSAGE_THREAD, &after);
    switches = after.ru_nvcsw - before.ru_nvcsw;
  });
  thread.join();
  return switches;
}

}  // namespace

TEST_CASE("a large file loses its name at once and its room in steps") {
  TempDirectory directory;
  watch_room();
  write_file(directory.path("large"), std::string(kLarge, 'x'));
  CHECK(!remove_file(directory.path("large")));
  CHECK(!std::filesystem::exists(directory.path("large")));
  const std::set<uint64_t> seen = watch_room();
  CHECK(seen.size() >= 4);
  CHECK(*seen.begin() == 0);
}

TEST_CASE("what has another name keeps its content") {
  TempDirectory directory;
  const std::string content(kLarge, 'y');
  write_file(directory.path("one"), content);
  std::filesystem::create_hard_link(directory.path("one"), directory.path("other"));
  CHECK(!remove_file(directory.path("one")));
  watch_room();
  CHECK(read_file(directory.path("other")) == content);
  // A state whose files a checkpoint links goes without them, whole directory at once.
  std::filesystem::create_directory(directory.path("state"));
  std::filesystem::create_hard_link(directory.path("other"), directory.path("state/file"));
  REQUIRE(remove_directory(directory.path("state")));
  watch_room();
  CHECK(!std::filesystem::exists(directory.path("state")));
  CHECK(read_file(directory.path("other")) == content);
}

TEST_CASE("who has a removed file open reads all of it") {
  TempDirectory directory;
  const std::string content(kLarge, 'z');
  write_file(directory.path("read"), content);
  const int fd = ::open(directory.path("read").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(!remove_file(directory.path("read")));
  watch_room();
  std::string found(kLarge, '\0');
  CHECK(::pread(fd, found.data(), found.size(), 0) == static_cast<ssize_t>(kLarge));
  CHECK(found == content);
  ::close(fd);
}

TEST_CASE("a file that is not there is an error, a small one just goes") {
  TempDirectory directory;
  CHECK(remove_file(directory.path("nothing")) == std::errc::no_such_file_or_directory);
  write_file(directory.path("small"), "x");
  CHECK(!remove_file(directory.path("small")));
  CHECK(!std::filesystem::exists(directory.path("small")));
}

TEST_CASE("a directory goes with whatever is in it") {
  TempDirectory directory;
  std::filesystem::create_directories(directory.path("all/deep"));
  write_file(directory.path("all/deep/file"), "x");
  write_file(directory.path("all/file"), "x");
  write_file(directory.path("kept"), "kept");
  std::filesystem::create_symlink("../kept", directory.path("all/link"));
  std::filesystem::create_symlink("nowhere", directory.path("all/dangling"));
  std::filesystem::create_symlink("loop", directory.path("all/loop"));
  REQUIRE(remove_directory(directory.path("all")));
  CHECK(!std::filesystem::exists(directory.path("all")));
  CHECK(read_file(directory.path("kept")) == "kept");
  CHECK(remove_directory(directory.path("all")).has_value());  // gone already
}

TEST_CASE("kill -9 while room is given back: state and checkpoint open with all that is theirs") {
  for (const int left : {75, 10}) {
    CAPTURE(left);
    TempDirectory directory;
    const ChildEnd end = spawn_child("removal", {directory.path(), std::to_string(left)});
    CAPTURE(end.errors);
    REQUIRE_FALSE(end.exited);
    REQUIRE(end.status == SIGKILL);
    for (const auto& [name, version] : {std::pair("state", 3), std::pair("checkpoint", 1)}) {
      CAPTURE(name);
      const auto keyspace = open_table(directory.path(name), 64 << 10);
      CHECK(keyspace->flushed_index().value == static_cast<uint64_t>(version));
      for (uint64_t n = 0; n < kLargeRecords; ++n) {
        const auto found = keyspace->get(Family::kMeta, "k" + std::to_string(n));
        REQUIRE(found.has_value());
        CHECK((*found == large_record(n, static_cast<uint64_t>(version))));
      }
    }
    // What was removed has no name any more: the state is as large as one version.
    uint64_t bytes = 0;
    for (const std::string& file : files_with_suffix(directory.path("state"), ".sst")) {
      bytes += std::filesystem::file_size(directory.path("state/" + file));
    }
    CHECK(bytes < 1.5 * static_cast<double>(kLargeRecords) * 400'000);
  }
}

TEST_CASE("a thread in the background gives way again and again, another one never") {
  CHECK(switches_while_breathing(true) >= 5);
  CHECK(switches_while_breathing(false) <= 2);
}

TEST_CASE("a thread in the background is nicer than its process, however nice that is") {
  std::thread([] {
    REQUIRE(::setpriority(PRIO_PROCESS, 0, 10) == 0);  // Linux: of this thread
    work_in_background();
    CHECK(::getpriority(PRIO_PROCESS, 0) == 15);
  }).join();
  std::thread([] {
    REQUIRE(::setpriority(PRIO_PROCESS, 0, 18) == 0);
    work_in_background();
    CHECK(::getpriority(PRIO_PROCESS, 0) == 19);
  }).join();
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
