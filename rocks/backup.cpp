#include "rocks/backup.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "config/base/decimal.hpp"
#include "config/setting.hpp"
#include "config/version.hpp"
#include "raft/codec.hpp"
#include "rocks/files.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/read_only_state.hpp"

namespace kiwi::rocks {

namespace fs = std::filesystem;

namespace {

// Stamps may be ahead of their leader's clock by an election timeout.
constexpr int64_t kStampAheadMs = 2000;

// F46: of a state that this build cannot apply entries to. The first start would say so, after an
// hour of copying.
Result<void> supports(ReadOnlyState& state, const std::string& backup) {
  std::string key;
  keys::setting(key, config::kClusterVersionSetting);
  const std::string text(state.get(Family::kSystem, key).value_or("1"));
  const std::optional<int64_t> version = parse_decimal(text);
  if (!version || *version < 1) {
    return Error{Errc::kCorrupt, "the cluster version in " + backup + " is unreadable"};
  }
  if (*version > config::kClusterVersionMax) {
    return Error{Errc::kInvalid, backup + " is of a cluster at version " + text +
                                     ", and this build supports versions up to " +
                                     std::to_string(config::kClusterVersionMax) +
                                     ": restore it with the build that wrote it, or a later one"};
  }
  return {};
}

}  // namespace

Result<SnapshotInfo> copy_backup(const std::string& backup, const std::string& directory) {
  Result<std::unique_ptr<ReadOnlyState>> state = ReadOnlyState::open(backup);
  if (!state) {
    return state.error();
  }
  if (Result<void> known = supports(**state, backup); !known) {
    return known.error();
  }
  std::error_code failed;
  fs::create_directory(directory, failed);
  for (const fs::directory_entry& entry : fs::directory_iterator(backup, failed)) {
    if (!failed && entry.is_regular_file()) {
      fs::copy_file(entry.path(), fs::path(directory) / entry.path().filename(), failed);
    }
  }
  if (failed) {
    return Error{Errc::kIo, "cannot copy " + backup + " to " + directory + ": " + failed.message()};
  }
  if (Result<void> synced = sync_tree(directory); !synced) {
    return synced.error();
  }
  Result<std::unique_ptr<ReadOnlyState>> copy = ReadOnlyState::open(directory);
  if (!copy) {
    return copy.error();
  }
  if (Result<void> whole = (*copy)->verify_checksums(); !whole) {
    return whole.error();
  }
  return (*copy)->info();
}

Result<void> reset_members(const std::string& directory,
                           const raft::Configuration& configuration,
                           int64_t now_ms) {
  KeyspaceOptions options;
  options.path = directory;
  options.block_cache_bytes = 8 << 20;
  Result<std::unique_ptr<Keyspace>> keyspace = open_plain_keyspace(options);
  if (!keyspace) {
    return keyspace.error();
  }
  Keyspace& state = **keyspace;
  std::string key;
  std::string end;
  keys::applied_record(key);
  const std::optional<std::string_view> found = state.get(Family::kSystem, key);
  const std::string record(found.value_or(std::string_view()));
  const std::optional<AppliedRecord> applied = decode_applied(record);
  if (!applied) {
    return Error{Errc::kCorrupt, "the state in " + directory + " does not say how far it goes"};
  }
  if (now_ms + kStampAheadMs < applied->stamp_ms) {
    return Error{Errc::kInvalid,
                 "the clock of this machine is " + std::to_string(applied->stamp_ms - now_ms) +
                     " ms behind the last change in " + directory +
                     ": set it, for fences that were given out since the backup must stay below "
                     "those to come"};
  }
  // What was being built would pass for what is there.
  drop_hidden(state, applied->mutation_counter);
  AppliedRecord lifted = *applied;
  lifted.mutation_counter =
      std::max(lifted.mutation_counter, static_cast<uint64_t>(std::max<int64_t>(0, now_ms)) * 1000);
  keys::applied_record(key);
  std::string row;
  encode(row, lifted);
  state.put(Family::kSystem, key, row);
  keys::session_range(key, end);
  state.erase_range(Family::kSystem, key, end);
  encode(row, SessionValue{});
  for (const raft::Member& member : configuration.members) {
    keys::session(key, kFirstGroup, member.id, member.incarnation);
    state.put(Family::kSystem, key, row);
  }
  keys::configuration_record(key);
  state.put(Family::kSystem, key, raft::encode_configuration(configuration));
  state.commit(applied->index);
  state.flush();
  keyspace->reset();
  return sync_tree(directory);
}

}  // namespace kiwi::rocks
