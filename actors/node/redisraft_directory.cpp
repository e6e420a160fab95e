#include "actors/node/redisraft_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <sys/random.h>
#include <vector>

#include "actors/data_directory.hpp"
#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "config/base/log.hpp"
#include "rocks/files.hpp"

namespace kiwi::actors {

namespace {

namespace fs = std::filesystem;

// Scripts read node ids as 32-bit numbers.
constexpr uint32_t kIdMask = 0x7fffffff;

NodeId draw() {
  uint32_t drawn = 0;
  while ((drawn & kIdMask) < 2) {  // 1 is what a node without a number is elsewhere
    CHECK_INVARIANT(::getrandom(&drawn, sizeof(drawn), 0) == ssize_t{sizeof(drawn)});
  }
  return NodeId{drawn & kIdMask};
}

// Of what a node keeps. By default the directory is the one that it was started in, where
// certificates, ACL files and whatever else may stand, too: the next start needs them.
bool is_of_node(std::string_view name) {
  constexpr std::string_view kNames[] = {data_directory::kMarks,     data_directory::kPeers,
                                         data_directory::kOldCopy,   data_directory::kMembers,
                                         data_directory::kRestoring, data_directory::kNodeId};
  return name.starts_with(data_directory::kGroupPrefix) ||
         std::ranges::find(kNames, name) != std::end(kNames);
}

Error failed_at(const std::string& path, const std::string& why) {
  return Error{Errc::kIo, "cannot use " + path + ": " + why};
}

}  // namespace

Result<NodeId> drawn_node_id(const std::string& dir) {
  const std::string path = dir + "/" + data_directory::kNodeId;
  std::error_code failed;
  if (fs::exists(path, failed)) {
    Result<std::string> text = rocks::read_whole_file(path);
    if (!text) {
      return text.error();
    }
    const auto id = parse_decimal(*text);
    if (!id || *id < 1) {
      return failed_at(path, "it holds no number; write the node's raft.id there");
    }
    return NodeId{static_cast<uint64_t>(*id)};
  }
  if (fs::exists(data_directory::group(dir, kFirstGroup), failed)) {
    return NodeId{};
  }
  fs::create_directories(dir, failed);
  const NodeId id = draw();
  if (Result<void> written = rocks::write_file_durably(path, std::to_string(id.value)); !written) {
    return written.error();
  }
  return id;
}

Result<void> note_removal(const std::string& dir, const std::string& name) {
  return rocks::write_file_durably(dir + "/" + data_directory::kRemoved,
                                   std::string(data_directory::kRemovedPrefix) + name);
}

Result<bool> set_removed_aside(const std::string& dir) {
  const std::string note = dir + "/" + data_directory::kRemoved;
  std::error_code failed;
  if (!fs::exists(note, failed)) {
    return false;
  }
  Result<std::string> aside = rocks::read_whole_file(note);
  if (!aside) {
    return aside.error();
  }
  if (!aside->starts_with(data_directory::kRemovedPrefix) || aside->find('/') != aside->npos) {
    return failed_at(note, "it names no directory; delete it to start on what is there");
  }
  const fs::path to = fs::path(dir) / *aside;
  fs::create_directories(to, failed);
  std::vector<std::string> names;
  for (fs::directory_iterator at(dir, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    names.push_back(at->path().filename().string());
  }
  for (const std::string& name : names) {
    if (!failed && is_of_node(name)) {
      fs::rename(fs::path(dir) / name, to / name, failed);
    }
  }
  if (failed) {
    return failed_at(to.string(), failed.message());
  }
  for (const std::string& changed : {to.string(), dir}) {
    if (Result<void> synced = rocks::sync_directory(changed); !synced) {
      return synced.error();
    }
  }
  fs::remove(note, failed);
  if (failed) {
    return failed_at(note, failed.message());
  }
  if (Result<void> synced = rocks::sync_directory(dir); !synced) {
    return synced.error();
  }
  return true;
}

Result<void> prepare_directory(config::Options& options) {
  if (options.raft_dialect != config::Dialect::kRedisRaft) {
    return {};
  }
  Result<bool> aside = set_removed_aside(options.dir);
  if (!aside) {
    return aside.error();
  }
  if (*aside) {
    log_notice("this node was removed from its cluster: what it had is set aside in " +
               options.dir + "/" + std::string(data_directory::kRemovedPrefix) +
               "*, and it starts as a new one");
  }
  if (options.raft_id == 0 && options.raft_peers.empty()) {
    Result<NodeId> id = drawn_node_id(options.dir);
    if (!id) {
      return id.error();
    }
    options.raft_id = static_cast<int64_t>(id->value);
  }
  return {};
}

}  // namespace kiwi::actors
