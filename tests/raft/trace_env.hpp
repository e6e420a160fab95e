// The world of a trace: nodes, a network that delivers when told, and the verbs that drive them.
// README.md documents the verbs. After every input the core's invariants are checked and its
// effects are taken, printed and queued.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/raft_node.hpp"

namespace kiwi::raft::testing {

// One line of a trace: verb, positional arguments, key=value arguments.
struct Command {
  std::string verb;
  std::vector<std::string> words;
  std::map<std::string, std::string> named;

  static Command parse(const std::string& line);
  bool has(std::string_view word) const;
  NodeId node(size_t position = 0) const;  // a positional argument that is a number
  uint64_t number(const std::string& name, uint64_t otherwise = 0) const;
  std::vector<NodeId> ids(const std::string& name) const;
};

struct TraceEnv {
  std::map<NodeId, RaftNode> nodes;
  std::vector<Message> network;
  std::map<NodeId, std::map<uint64_t, uint64_t>> next_sequence;  // of proposals: node, epoch
  std::map<NodeId, uint8_t> lives;
  std::map<std::string, Snapshot> snapshots;  // copies of states, by the name a trace gave them
  std::string out;
  bool quiet = false;
  bool auto_disk = false;   // writes complete at once and are not printed
  bool auto_apply = false;  // applies too
  bool with_time = false;

  // Runs one block's commands and returns what they printed.
  std::string run(const std::vector<std::string>& lines);
  void run_command(const Command& command);

  void print(const std::string& line);
  RaftNode& node(NodeId id);
  // Takes the node's effects after an input.
  void settle(NodeId id);
  void deliver(const Message& message);
  void complete_writes(NodeId id, uint64_t count);
  void complete_applies(NodeId id);
  void stabilize();
};

// One function per verb group; true if the verb is theirs.
bool run_cluster_verb(TraceEnv& env, const Command& command);
bool run_network_verb(TraceEnv& env, const Command& command);
bool run_disk_verb(TraceEnv& env, const Command& command);
bool run_client_verb(TraceEnv& env, const Command& command);
bool run_membership_verb(TraceEnv& env, const Command& command);
bool run_snapshot_verb(TraceEnv& env, const Command& command);
bool run_raw_verb(TraceEnv& env, const Command& command);

}  // namespace kiwi::raft::testing
