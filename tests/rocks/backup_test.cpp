// Copies of backups: what may not be restored is said before anything is copied.
#include "rocks/backup.hpp"

#include <filesystem>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "config/setting.hpp"
#include "config/version.hpp"
#include "raft/codec.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"
#include "rocks/read_only_state.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks/backup");

namespace {

// A state at entry 7, with the cluster's version; empty: as it was before there was one.
void write_state(const std::string& directory, const std::string& version, int64_t stamp_ms = 0) {
  KeyspaceOptions options;
  options.path = directory;
  auto keyspace = open_plain_keyspace(options);
  REQUIRE(keyspace);
  AppliedRecord applied;
  applied.index = LogIndex{7};
  applied.stamp_ms = stamp_ms;
  std::string key;
  std::string value;
  keys::applied_record(key);
  encode(value, applied);
  (*keyspace)->put(Family::kSystem, key, value);
  raft::Configuration members;
  members.cluster.bytes.fill(1);
  members.members = {{NodeId{1}, {}, "", ""}};
  members.voters = {NodeId{1}};
  keys::configuration_record(key);
  (*keyspace)->put(Family::kSystem, key, raft::encode_configuration(members));
  if (!version.empty()) {
    keys::setting(key, config::kClusterVersionSetting);
    (*keyspace)->put(Family::kSystem, key, version);
  }
  (*keyspace)->commit(LogIndex{7});
  (*keyspace)->flush();
}

}  // namespace

TEST_CASE("a backup of a later cluster version is refused before it is copied [F46]") {
  const std::string highest = std::to_string(config::kClusterVersionMax);
  const std::string later = std::to_string(config::kClusterVersionMax + 1);
  for (const std::string& version : {std::string(), std::string("1"), highest}) {
    CAPTURE(version);
    const TempDirectory directory;
    write_state(directory.path("backup"), version);
    const auto copied = copy_backup(directory.path("backup"), directory.path("copy"));
    REQUIRE(copied);
    CHECK(copied->applied.index == LogIndex{7});
  }
  for (const std::string& version : {later, std::string("0"), std::string("two")}) {
    CAPTURE(version);
    const TempDirectory directory;
    write_state(directory.path("backup"), version);
    const auto refused = copy_backup(directory.path("backup"), directory.path("copy"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("version") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(directory.path("copy")));
  }
}

TEST_CASE("a restored counter is above all that was given out since the backup [F42]") {
  const TempDirectory directory;
  write_state(directory.path("backup"), "1");
  raft::Configuration members;
  members.members = {{NodeId{4}, {}, "", ""}};
  members.voters = {NodeId{4}};
  constexpr int64_t kNowMs = 1'700'000'000'000;
  REQUIRE(reset_members(directory.path("backup"), members, kNowMs));
  auto once = ReadOnlyState::open(directory.path("backup"));
  REQUIRE(once);
  CHECK((*once)->info()->applied.mutation_counter == 1'700'000'000'000'000);
  once->reset();
  REQUIRE(reset_members(directory.path("backup"), members, kNowMs - 1000));
  auto twice = ReadOnlyState::open(directory.path("backup"));
  REQUIRE(twice);
  CHECK((*twice)->info()->applied.mutation_counter == 1'700'000'000'000'000);  // it never falls
}

TEST_CASE("a clock that is behind the last change of a backup is refused [F42]") {
  const TempDirectory directory;
  write_state(directory.path("backup"), "1", 5'000'000);
  raft::Configuration members;
  members.members = {{NodeId{4}, {}, "", ""}};
  members.voters = {NodeId{4}};
  const auto refused = reset_members(directory.path("backup"), members, 4'997'999);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("2001 ms behind") != std::string::npos);
  CHECK(reset_members(directory.path("backup"), members, 4'998'000));
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
