#include "config/base/open_files.hpp"

#include <algorithm>
#include <string>
#include <sys/resource.h>

#include "config/base/check.hpp"

namespace kiwi {

namespace {

constexpr uint64_t kLeast = 256;    // less is refused
constexpr uint64_t kOthers = 96;    // log files, peers, loops, files that are being written
constexpr uint64_t kSnapshots = 2;  // one that is made or sent, one that is received
// From here on table files alone cannot reach the half that is theirs: 128 thousand of them, of
// 8 MiB or more, are a terabyte.
constexpr uint64_t kPlenty = 1 << 18;
// RocksDB closes what was not used for longest; what it knows of a file stays in the block cache.
constexpr uint64_t kStateMax = 4096;
constexpr uint64_t kLogMax = 256;
constexpr uint64_t kSnapshotMax = 1024;
constexpr uint64_t kDatabaseLeast = 20;  // RocksDB takes no less
constexpr uint64_t kRemovedLeast = 16;
constexpr uint64_t kRemovedMax = 256;

}  // namespace

OpenFiles share_open_files(uint64_t limit) {
  limit = std::max(limit, kLeast);
  OpenFiles shares;
  if (limit >= kPlenty) {
    shares.clients = limit / 2;
    return shares;
  }
  const uint64_t state = std::min(limit / 4, kStateMax);
  const uint64_t log = std::clamp(limit / 12, kDatabaseLeast, kLogMax);
  const uint64_t snapshot = std::clamp(limit / 12, kDatabaseLeast, kSnapshotMax);
  const uint64_t removed = std::clamp(limit / 16, kRemovedLeast, kRemovedMax);
  const uint64_t taken = state + log + kSnapshots * snapshot + removed + kOthers;
  CHECK_INVARIANT(taken < limit);
  shares.state = static_cast<int>(state);
  shares.log = static_cast<int>(log);
  shares.snapshot = static_cast<int>(snapshot);
  shares.removed = static_cast<int>(removed);
  shares.clients = limit - taken;
  return shares;
}

uint64_t open_files_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : kLeast;
}

Result<void> raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);  // what it is then is looked at
  }
  if (open_files_limit() < kLeast) {
    return Error{Errc::kInvalid, "this process may have " + std::to_string(open_files_limit()) +
                                     " open files and needs " + std::to_string(kLeast) +
                                     " or more: raise ulimit -n"};
  }
  return {};
}

}  // namespace kiwi
