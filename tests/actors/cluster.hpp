// Whole nodes of real shells in one deterministic scheduler: RespConnection, CommandRouter,
// StateMachine, LogStore and RaftReplica of every node, joined by links that lose, delay, repeat
// and reorder messages. Only sockets, disks and clocks are stand-ins. The same seed gives the same
// run. With ClusterOptions::snapshots the states are real ones, in files, and SnapshotWorkers run.
//
// The inside is in cluster.cpp, so that tests compile without CAF.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/memory_log.hpp"

namespace kiwi::actors::test {

enum class Part : uint8_t { kRouter, kStateMachine, kReplica, kLogStore, kSnapshots };

struct ClusterOptions {
  size_t groups = 1;  // Raft groups, each with a replica on every node, over the same links
  bool snapshots = false;
  bool deltas = true;                      // false: nobody makes the copy that a delta needs
  uint64_t snapshot_bytes_per_second = 0;  // 0: as fast as it goes
  size_t snapshot_chunk_bytes = 4096;
};

// What a node's SnapshotWorkers did.
struct SnapshotCounts {
  uint64_t made = 0;  // checkpoints
  uint64_t sent = 0;
  uint64_t received = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_acknowledged = 0;  // of the transfers that run
  size_t sending = 0;               // transfers that run
  bool receiving = false;
  uint64_t deaths = 0;
  std::string mode;  // of the last one received
};

// In thousandths of messages; delays in milliseconds of virtual time.
struct LinkFaults {
  uint64_t dropped = 0;
  uint64_t repeated = 0;
  uint64_t delayed = 0;
  int64_t delay_max_ms = 40;
};

class Cluster {
 public:
  Cluster(size_t nodes, uint64_t seed, const ClusterOptions& options = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // ---- time
  void run_ms(int64_t milliseconds);  // virtual
  void ring();                        // the next timers; nothing runs yet
  bool step();                        // one message of one actor, time stands still; false: idle

  // ---- clients, speaking RESP; nodes and groups are numbered from 0
  int connect(size_t node, size_t group = 0);
  void send(int client, const std::string& bytes);
  std::string take(int client);   // what came since
  bool closed(int client) const;  // by the server
  void hang_up(int client);
  // Sends a command, runs until its reply is there or the time is over ("" then), and returns it.
  std::string command(int client, const std::string& inline_command, int64_t patience_ms = 20'000);

  // ---- faults; of the first group where a group is concerned
  void set_faults(const LinkFaults& faults);
  void deafen(size_t from, size_t to, bool deaf);  // nothing passes, the link stays up
  void cut(size_t node, bool cut);                 // all its links, both ways
  void break_link(size_t a, size_t b);             // the connection dies; it comes back by itself
  void kill(size_t node, Part part);               // an actor dies
  void crash(size_t node);                         // the process and what was not synced
  void restart(size_t node);
  void hand_over(size_t node, size_t group = 0);     // its leadership
  void stall(size_t node, Part part, bool stalled);  // its mail waits
  kiwi::test::MemoryLog& log(size_t node);
  // The state reaches its files, and the log is cut behind it: so many entries stay, and so many
  // for laggards.
  void cut_log(size_t node, uint64_t keep_entries, uint64_t keep_for_laggards, size_t group = 0);
  // `done`: an error, or empty.
  void back_up(size_t node, const std::string& directory, std::function<void(std::string)> done);

  // ---- what is seen
  bool alive(size_t node) const;
  std::string failure(size_t node) const;  // why it stopped itself
  // Ready, by its own word, of the highest term.
  std::optional<size_t> leader(size_t group = 0) const;
  bool sees_up(size_t node, size_t peer) const;  // what the node's status says of the link
  uint64_t applied(size_t node, size_t group = 0) const;
  uint64_t window_bytes(size_t node) const;  // of the log in memory, as its replica said last
  // By the leader's status: what a follower has committed and not applied.
  uint64_t backlog_bytes(size_t leader, size_t follower) const;
  uint64_t checksum(size_t node, size_t group = 0) const;
  size_t open_connections(size_t node) const;
  uint64_t sent(size_t from, size_t to) const;  // frames
  SnapshotCounts snapshots(size_t node, size_t group = 0) const;
  uint64_t state_bytes(size_t node) const;            // on disk
  std::vector<std::string> files(size_t node) const;  // of its group's directory, top level
  uint64_t log_begins_at(size_t node, size_t group = 0) const;

  struct State;  // cluster.cpp

 private:
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::actors::test
