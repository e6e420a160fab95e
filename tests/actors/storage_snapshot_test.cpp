// Storage through a snapshot's life: a child dies at each step of receiving and installing one, and
// what its directory opens as is the old state or the new one, never a third (F13, F14). And a
// backup that becomes a new cluster (F42).
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "actors/node/restore.hpp"
#include "actors/node/storage.hpp"
#include "config/base/failpoint.hpp"
#include "raft/codec.hpp"
#include "rocks/keys.hpp"
#include "rocks/snapshot_source.hpp"
#include "rocks/snapshot_target.hpp"
#include "tests/actors/storage_child.hpp"
#include "tests/resp/node.hpp"

extern char** environ;

namespace kiwi::actors {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    // Processes end here, not machines: a file system in memory answers a sync at once.
    std::error_code none;
    const bool memory = fs::space("/dev/shm", none).available > (1ULL << 30) && !none;
    std::string name = std::string(memory ? "/dev/shm" : "/tmp") + "/kiwi-install-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string at(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

constexpr int64_t kRestoredAtMs = 1'800'000'000'000;  // long after all stamps

config::Options options(const std::string& dir) {
  config::Options o;
  o.dir = dir;
  o.raft_id = 1;
  return o;
}

raft::Configuration members_of(const Storage& storage) {
  raft::Configuration first;
  first.cluster.bytes.fill(7);
  first.members = {{storage.identity().node, storage.identity().incarnation, "c:1", "p:1"}};
  first.voters = {storage.identity().node};
  return first;
}

void commit(Storage& storage, const resp::Log& log) {
  raft::PersistRequest request;
  request.entries = log.entries;
  request.commit = log.last;
  REQUIRE(storage.log().persist(request).has_value());
  storage.executor().apply(log.entries);
  while (storage.executor().work()) {
  }
  (void)storage.executor().take_effects();
}

// Of a start that wrote nothing yet.
void raise_version(Storage& storage) {
  resp::Log log;
  log.last = LogIndex{storage.executor().applied().value};
  log.batch(
      {storage.identity().node, storage.identity().incarnation, storage.identity().boot_epoch, 1},
      {resp::packed({"kiwi.setting", "cluster-version", "2",
                     resp::members_digest(raft::encode_configuration(members_of(storage)))})});
  commit(storage, log);
}

// Entries of the node's own, in its log and applied; "n" is set to the index of each, and the first
// one changes a setting.
void write_entries(Storage& storage, uint64_t last) {
  resp::Log log;
  log.last = LogIndex{storage.executor().applied().value};
  if (log.last == LogIndex{0}) {
    log.add(raft::EntryKind::kConfiguration,
            SharedBytes(raft::encode_configuration(members_of(storage))));
  }
  for (uint64_t sequence = 1; log.last.value < last; ++sequence) {
    std::vector<std::string> commands{
        resp::packed({"set", "n", std::to_string(log.last.value + 1)}),
        resp::packed({"rpush", "list", std::string(500, 'x')})};
    if (sequence == 1) {
      commands.push_back(resp::packed({"kiwi.setting", "raft.auto-upgrade", "no"}));
    }
    log.batch({storage.identity().node, storage.identity().incarnation,
               storage.identity().boot_epoch, sequence},
              commands);
  }
  commit(storage, log);
}

std::string value_of_n(Storage& storage) {
  std::string key;
  rocks::keys::meta(key, rocks::DatabaseId{0}, "n");
  const auto bytes = storage.keyspace().get(rocks::Family::kMeta, key);
  return bytes ? std::string(rocks::decode_metadata(*bytes)->value) : std::string("nothing");
}

std::string checkpoint(Storage& storage, const std::string& directory) {
  std::promise<Result<LogIndex>> made;
  storage.keyspace().checkpoint(directory,
                                [&](Result<LogIndex> r) { made.set_value(std::move(r)); });
  REQUIRE(made.get_future().get().has_value());
  return directory;
}

int run_child(const std::string& role, const std::string& dir, const char* failpoint) {
  std::string program = "/proc/self/exe";
  std::string word = "child";
  std::string role_word = role;
  std::string dir_word = dir;
  char* argv[] = {program.data(), word.data(), role_word.data(), dir_word.data(), nullptr};
  if (failpoint != nullptr) {
    ::setenv("KIWI_FAILPOINT", failpoint, 1);
  }
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, argv, environ);
  ::unsetenv("KIWI_FAILPOINT");
  REQUIRE(failed == 0);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

constexpr uint64_t kOldIndex = 40;
constexpr uint64_t kNewIndex = 400;

// <dir>/data is a node at kOldIndex; <dir>/backup a checkpoint of another one at kNewIndex.
void prepare(const Directory& dir) {
  {
    auto storage = Storage::open(options(dir.at("sender")));
    REQUIRE(storage.has_value());
    write_entries(**storage, kNewIndex);
    checkpoint(**storage, dir.at("backup"));
  }
  auto storage = Storage::open(options(dir.at("data")));
  REQUIRE(storage.has_value());
  write_entries(**storage, kOldIndex);
  (*storage)->keyspace().flush();
}

Result<void> receive(const std::string& backup, const std::string& incoming) {
  auto source = rocks::SnapshotSource::open(backup, resp::incarnation_of(9));
  if (!source) {
    return source.error();
  }
  auto manifest = (*source)->manifest();
  auto target = rocks::FullTarget::open(incoming, *manifest, "");
  if (!target) {
    return target.error();
  }
  for (const auto& part : (*target)->missing()) {
    for (uint64_t at = part.offset; at < part.offset + part.bytes;) {
      auto chunk = (*source)->read(part.file, at, 8 << 10);
      if (auto written = (*target)->write(part.file, at, *chunk); !written) {
        return written;
      }
      at += chunk->size();
    }
  }
  auto info = (*target)->finish();
  return info ? Result<void>() : Result<void>(info.error());
}

// The whole way, in the order that SnapshotWorker, LogStore and StateMachine keep.
int install(const std::string& dir) {
  auto opened = Storage::open(options(dir + "/data"));
  if (!opened) {
    return 2;
  }
  Storage& storage = **opened;
  const std::string data = dir + "/data/group-1/";
  if (!receive(dir + "/backup", data + "incoming")) {
    return 3;
  }
  auto info = rocks::verify_state(data + "incoming");
  auto name = rocks::publish_state(data, data + "incoming");
  if (!info || !name || !storage.log().install(info->meta(), *name)) {
    return 4;
  }
  auto fresh = storage.open_state(*name);
  if (!fresh) {
    return 5;
  }
  std::shared_ptr<OpenedState> old = storage.adopt(std::move(*fresh));
  const std::string old_name = old->name;
  old.reset();
  return rocks::remove_state(data + old_name) ? 0 : 6;
}

// A node that applies, flushes and cuts its log, F13's order.
int cut(const std::string& dir) {
  auto opened = Storage::open(options(dir + "/data"));
  if (!opened) {
    return 2;
  }
  Storage& storage = **opened;
  storage.keyspace().flush();
  raft::SnapshotMeta meta{storage.keyspace().flushed_index(), Term{1}, members_of(storage)};
  return storage.log().cut(meta, meta.index - 4) ? 0 : 3;
}

}  // namespace

int storage_child(const std::string& role, const std::string& dir) {
  if (role == "restore") {
    config::Options o = options(dir + "/restored");
    o.restore = dir + "/backup";
    return restore_backup(o, kRestoredAtMs) ? 0 : 3;
  }
  if (role == "old") {  // a build of the version before
    config::Options o = options(dir + "/data");
    o.raft_test_max_version = 1;
    return Storage::open(o) ? 0 : 2;
  }
  return role == "cut" ? cut(dir) : install(dir);
}

TEST_CASE("a crash at any step of an installation opens the old state or the new [F14]") {
  const std::vector<std::pair<const char*, uint64_t>> steps = {
      {"snapshot-received", kOldIndex},
      {"snapshot-received:7", kOldIndex},
      {"snapshot-complete", kOldIndex},
      {"snapshot-verified", kOldIndex},
      {"snapshot-published", kOldIndex},
      {"install-committed", kNewIndex},
      {"state-swapped", kNewIndex},
      {"old-state-deleting", kNewIndex},
      {nullptr, kNewIndex},
  };
  std::printf("%-22s %-6s %-10s %s\n", "died at", "opens", "state", "left in the directory");
  for (const auto& [step, expected] : steps) {
    Directory dir;
    prepare(dir);
    REQUIRE(run_child("install", dir.path, step) == (step != nullptr ? kFailpointStatus : 0));
    INFO("died at ", step != nullptr ? step : "no step");
    auto storage = Storage::open(options(dir.at("data")));
    REQUIRE(storage.has_value());
    Storage& opened = **storage;
    CHECK(opened.executor().applied().value == expected);
    CHECK(value_of_n(opened) == std::to_string(expected));
    std::string left;
    for (const auto& entry : fs::directory_iterator(dir.at("data/group-1"))) {
      left += " " + entry.path().filename().string();
      const std::string name = entry.path().filename().string();
      CHECK((name == "log" || name == opened.live_state() ||
             (name == "incoming" && expected == kOldIndex)));
    }
    std::printf("%-22s %-6s %-10s%s\n", step != nullptr ? step : "(no crash)",
                expected == kOldIndex ? "old" : "new", opened.live_state().c_str(), left.c_str());
    auto start = opened.start_state();
    REQUIRE(start.has_value());
    CHECK(start->applied.value == expected);
    CHECK(start->log.last_index.value == expected);
    // And the whole way once more from there.
    storage->reset();
    if (expected == kOldIndex) {
      REQUIRE(run_child("install", dir.path, nullptr) == 0);
      auto again = Storage::open(options(dir.at("data")));
      REQUIRE(again.has_value());
      CHECK((*again)->executor().applied().value == kNewIndex);
    }
  }
}

TEST_CASE("a crash after a cut opens with the tail that was kept and goes on [F13]") {
  for (const char* step : {"log-cut", static_cast<const char*>(nullptr)}) {
    Directory dir;
    prepare(dir);
    REQUIRE(run_child("cut", dir.path, step) == (step != nullptr ? kFailpointStatus : 0));
    auto storage = Storage::open(options(dir.at("data")));
    REQUIRE(storage.has_value());
    auto log = (*storage)->log().load();
    REQUIRE(log.has_value());
    CHECK(log->first_index.value == kOldIndex - 4);
    CHECK(log->last_index.value == kOldIndex);
    CHECK(log->snapshot.index.value == kOldIndex);
    CHECK(log->snapshot.configuration.voters == std::vector<NodeId>{NodeId{1}});
    CHECK((*storage)->executor().applied().value == kOldIndex);
    write_entries(**storage, kOldIndex + 10);
    CHECK(value_of_n(**storage) == std::to_string(kOldIndex + 10));
  }
}

TEST_CASE("a state below what its log was cut at is refused with a sentence [F13]") {
  Directory dir;
  prepare(dir);
  REQUIRE(run_child("cut", dir.path, nullptr) == 0);
  fs::remove_all(
      dir.at("data/group-1/state-1"));  // as if the state had been put back from an old copy
  auto storage = Storage::open(options(dir.at("data")));
  REQUIRE(!storage.has_value());
  CHECK(storage.error().code == Errc::kCorrupt);
  CHECK(storage.error().text.find("starts at entry 36 but the state ends at 0") !=
        std::string::npos);
}

// The number of each start is higher than the one before: the next would pass for the later one.
TEST_CASE("a state of a later start ends this start and all after it [F52]") {
  Directory dir;
  {
    auto storage = Storage::open(options(dir.at("data")));
    REQUIRE(storage.has_value());
    const raft::Identity& own = (*storage)->identity();
    resp::Log log;
    log.last = LogIndex{0};
    log.add(raft::EntryKind::kConfiguration,
            SharedBytes(raft::encode_configuration(members_of(**storage))));
    log.batch({own.node, own.incarnation, own.boot_epoch + 1, 1},
              {resp::packed({"set", "n", "1"})});
    commit(**storage, log);
    (*storage)->keyspace().flush();
  }
  for (int start = 0; start < 3; ++start) {
    CAPTURE(start);
    const auto storage = Storage::open(options(dir.at("data")));
    REQUIRE_FALSE(storage.has_value());
    CHECK(storage.error().text.find("is of a later start than the log") != std::string::npos);
  }
}

TEST_CASE("a live state that the log names and is not there is refused, nothing is deleted [F14]") {
  Directory dir;
  prepare(dir);
  REQUIRE(run_child("install", dir.path, nullptr) == 0);
  fs::rename(dir.at("data/group-1/state-2"), dir.at("aside"));
  CHECK(!Storage::open(options(dir.at("data"))).has_value());
}

TEST_CASE("a state of a later cluster version ends an older build, and stays as it is [F46]") {
  Directory dir;
  prepare(dir);
  CHECK(run_child("old", dir.path, nullptr) == 0);
  {
    auto storage = Storage::open(options(dir.at("data")));
    REQUIRE(storage.has_value());
    raise_version(**storage);
    (*storage)->keyspace().flush();
  }
  constexpr int kFailStop = 70;
  CHECK(run_child("old", dir.path, nullptr) == kFailStop);
  auto storage = Storage::open(options(dir.at("data")));
  REQUIRE(storage.has_value());
  CHECK((*storage)->executor().cluster_version() == 2);
  CHECK(value_of_n(**storage) == std::to_string(kOldIndex));
}

TEST_CASE("a restored backup is a new cluster with the old data, counters and clock [F42]") {
  Directory dir;
  prepare(dir);
  const rocks::SnapshotInfo backup = rocks::verify_state(dir.at("backup")).value();
  REQUIRE(run_child("restore", dir.path, nullptr) == 0);
  auto storage = Storage::open(options(dir.at("restored")));
  REQUIRE(storage.has_value());
  Storage& restored = **storage;
  CHECK(value_of_n(restored) == std::to_string(kNewIndex));
  CHECK(restored.executor().settings().says_no("raft.auto-upgrade"));
  CHECK(restored.identity().cluster.is_set());
  CHECK(restored.identity().cluster != backup.configuration.cluster);
  CHECK(restored.identity().incarnation != backup.configuration.members[0].incarnation);
  auto start = restored.start_state();
  REQUIRE(start.has_value());
  CHECK(start->log.first_index.value == kNewIndex + 1);
  CHECK(start->log.last_index.value == kNewIndex);
  CHECK(start->log.hard_state.term == backup.applied.term + 1);
  CHECK(start->applied_stamp_ms == backup.applied.stamp_ms);
  CHECK(start->log.snapshot.configuration.cluster == restored.identity().cluster);
  CHECK(start->log.snapshot.configuration.voters == std::vector<NodeId>{NodeId{1}});
  REQUIRE(start->sessions.size() == 1);
  CHECK(start->sessions[0].incarnation == restored.identity().incarnation);
  CHECK(start->sessions[0].sequence == 0);
  write_entries(restored, kNewIndex + 5);  // its own batches are accepted
  CHECK(value_of_n(restored) == std::to_string(kNewIndex + 5));
  const rocks::SnapshotInfo now =
      rocks::verify_state(checkpoint(restored, dir.at("after"))).value();
  // Above all that was given out since the backup: no fence comes a second time.
  CHECK(now.applied.mutation_counter > static_cast<uint64_t>(kRestoredAtMs) * 1000);
  CHECK(now.applied.mutation_counter > backup.applied.mutation_counter);
  CHECK(rocks::verify_state(dir.at("backup")).value().applied == backup.applied);  // only read
}

TEST_CASE("a restore into a directory with data is refused; one that crashed is done again") {
  Directory dir;
  prepare(dir);
  for (const char* step : {"restore-copied", "restore-reset", "restore-moved"}) {
    INFO(step);
    fs::remove_all(dir.at("restored"));
    REQUIRE(run_child("restore", dir.path, step) == kFailpointStatus);
    const bool whole = fs::exists(dir.at("restored/group-1"));
    CHECK(run_child("restore", dir.path, nullptr) == (whole ? 3 : 0));
    auto storage = Storage::open(options(dir.at("restored")));
    REQUIRE(storage.has_value());
    CHECK(value_of_n(**storage) == std::to_string(kNewIndex));
    CHECK(!fs::exists(dir.at("restored/restoring")));
  }
  CHECK(run_child("restore", dir.path, nullptr) == 3);
}

}  // namespace kiwi::actors
