// Two nodes' states for the snapshot tests: the same random history through resp::Executor, one of
// them further along; and the way of a snapshot from one to the other without links.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "rocks/files.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/read_only_state.hpp"
#include "rocks/snapshot_source.hpp"
#include "rocks/snapshot_target.hpp"
#include "tests/resp/node.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

inline Incarnation sender_life(uint8_t n = 9) { return resp::incarnation_of(n); }

// A log of random commands of every kind of change that a state knows, made once and applied by
// several nodes.
class History {
 public:
  explicit History(uint64_t seed, uint64_t keys = 60) : random_(seed), keys_(keys) {
    log_.members({resp::member(1), resp::member(2)});
  }

  void grow(int entries);
  // One entry of node 2 with these packed commands.
  void add(const std::vector<std::string>& commands);
  // Whatever is due by now goes, as the leader would have it (F8).
  std::vector<raft::Entry> take() { return std::exchange(log_.entries, {}); }
  resp::Log& log() { return log_; }
  Prng& random() { return random_; }

 private:
  std::string key() { return "key:" + std::to_string(random_.below(keys_)); }
  std::string word() { return std::to_string(random_.below(30)); }
  std::string command();
  std::string collection_command(uint32_t database);
  std::string list_command(uint32_t database);
  std::string whole_key_command(uint32_t database);

  Prng random_;
  uint64_t keys_;
  resp::Log log_;
  uint64_t sequence_ = 0;
};

enum class Engine { kPlain, kTable };

class StateNode {
 public:
  StateNode(const std::string& directory,
            uint64_t write_buffer = 64 << 10,
            Engine engine = Engine::kPlain);

  void apply(const std::vector<raft::Entry>& entries);
  // The leader's command for what is due, or empty.
  std::string due(int64_t now_ms) { return due_expirations(node_->executor(), now_ms, 100); }
  std::string checkpoint(const std::string& directory);
  Keyspace& keyspace() { return *keyspace_; }
  resp::Node& node() { return *node_; }

 private:
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<resp::Node> node_;
};

std::unique_ptr<SnapshotSource> source_at(const std::string& directory, uint8_t sender = 9);
std::unique_ptr<ReadOnlyState> opened_state(const std::string& directory);
void check_same_state(const std::string& directory, const std::string& other);

// Sends what is missing, at most `bytes_max` of it; returns how much that was.
uint64_t send_files(SnapshotSource& source, FullTarget& target, uint64_t bytes_max = ~0ULL);

struct DeltaResult {
  Result<SnapshotInfo> info;
  uint64_t bytes = 0;
  size_t chunks = 0;
};
DeltaResult send_delta(SnapshotSource& source, const std::string& own_checkpoint);

}  // namespace kiwi::rocks::test
