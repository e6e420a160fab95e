// CONFIG REWRITE on disk: who may read the file afterwards.
#include "actors/node/config_file.hpp"

#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <sys/stat.h>

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

struct File {
  File() {
    std::string name = "/tmp/kiwi-config-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
    options.config_file = directory + "/kiwi.conf";
  }
  ~File() {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // The mode of the file after a rewrite of this text, which had this one.
  mode_t mode_after(std::string_view text, mode_t mode) const {
    std::ofstream(options.config_file, std::ios::trunc) << text;
    REQUIRE(::chmod(options.config_file.c_str(), mode) == 0);
    REQUIRE(rewrite_config_file(options));
    struct stat found {};
    REQUIRE(::stat(options.config_file.c_str(), &found) == 0);
    return found.st_mode & 0777;
  }

  std::string directory;
  config::Options options;
};

}  // namespace

TEST_CASE("CONFIG REWRITE lets those read the file who could, if it tells them nothing new") {
  File file;
  file.options.timeout = 7;
  CHECK(file.mode_after("timeout 3\n", 0640) == 0640);
  file.options.requirepass = "secret";
  CHECK(file.mode_after("requirepass secret\n", 0640) == 0640);
  CHECK(file.mode_after("RequirePass \"secret\"\n", 0640) == 0640);
}

TEST_CASE("CONFIG REWRITE closes a file that gets a password") {
  File file;
  file.options.requirepass = "secret";
  CHECK(file.mode_after("timeout 3\n", 0644) == 0600);
  CHECK(file.mode_after("# requirepass secret\n", 0644) == 0600);
  CHECK(file.mode_after("requirepass old\n", 0640) == 0600);
  CHECK(file.mode_after("timeout 3\n", 0400) == 0400);
  file.options.requirepass.clear();
  file.options.raft_cluster_secret = "secret";
  CHECK(file.mode_after("timeout 3\n", 0644) == 0600);
}

TEST_CASE("CONFIG REWRITE takes no mode and no target from what an earlier one left") {
  File file;
  file.options.requirepass = "secret";
  const std::string fresh = file.options.config_file + ".new";
  std::ofstream(fresh) << "half of a";
  REQUIRE(::chmod(fresh.c_str(), 0644) == 0);
  CHECK(file.mode_after("timeout 3\n", 0644) == 0600);
  std::ofstream(file.directory + "/other") << "other";
  std::filesystem::create_symlink(file.directory + "/other", fresh);
  CHECK(file.mode_after("timeout 3\n", 0644) == 0600);
  CHECK(std::filesystem::file_size(file.directory + "/other") == 5);
}

}  // namespace kiwi::actors
