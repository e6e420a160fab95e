// The world of one seed: time, nodes, network, clients, checks, and the nemesis that breaks things.
// run() throws Violation as soon as a promise is broken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/prng.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/clients.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/profile.hpp"
#include "tests/sim/script.hpp"
#include "tests/sim/timeline.hpp"
#include "tests/sim/transfers.hpp"

namespace kiwi::sim {

Incarnation incarnation_of(NodeId node, uint64_t life);

class World {
 public:
  explicit World(const WorldOptions& given);
  ~World();

  void run();

  Node* find(NodeId id);
  Node* ready_leader();
  bool healing() const { return healing_; }
  void vote_given(Node& node);
  // ---- the nemesis' means, for plays
  void isolate(NodeId id);  // and nobody is told
  void crash(Node& node);
  void restart(Node& node);
  void wipe(Node& victim);  // its directory is lost
  void hear_hellos();
  // ---- clocks
  // Of the clock that was ahead of all others, had it gone on: stamps do when it is put back.
  int64_t highest_clock_ms();
  int64_t lowest_stamp_ms();                // that an entry proposed from now on may have
  void old_copy_found(Node& node);          // F52: its operator is told, and wipes it after a while
  raft::Member stranger(const Node& node);  // who says that he is that node
  void restart_later(Node& node, int64_t within_us);
  const std::string& directory();                // for states on disk
  void crash_in(Node& node, int64_t within_us);  // somewhere in what it is doing; it comes back
  // One line of what happened; folded into the fingerprint, kept as text if asked for.
  void trace(std::string_view what, NodeId node, uint64_t a, uint64_t b);
  uint64_t fingerprint() const { return fingerprint_; }
  const std::string& trace_text() const { return trace_text_; }
  std::string summary() const;

  std::shared_ptr<Script> script;  // the play that runs
  bool expiry_paused = false;      // leaders look for nothing that is over

  WorldOptions options;
  Timeline timeline;
  Prng prng;
  Network network;
  Checks checks;
  Clients clients;
  Transfers transfers;
  Coverage coverage;
  std::vector<std::unique_ptr<Node>> nodes;

 private:
  void found_cluster(size_t count);
  void nemesis();
  void break_something();
  void partition();
  void crash_some();
  void pause(Node& node);
  void slow_disk(Node& node);
  void hold_links();
  void change_members();
  bool order_a_newcomer(const raft::Configuration& now);
  void wipe_one(Node& leader);
  void say_hello();
  const raft::Configuration* members() const;
  void heal();
  bool converged() const;
  void await_answers();
  void await_convergence();
  void check_final_state();
  Node* any_running();

  uint64_t fingerprint_ = 0;
  std::string trace_text_;
  uint64_t faults_injected_ = 0;
  bool healing_ = false;
  Mood mood_;  // when nothing plays
  std::string directory_;
  Prng vote_prng_;         // of its own: elections alone draw from it
  uint64_t lives_ = 1;     // incarnations given out so far
  size_t voters_min_ = 1;  // membership changes keep so many
  int64_t most_ahead_ms_ = INT64_MIN;
  int64_t lowest_stamp_ms_ = 0;
};

}  // namespace kiwi::sim
