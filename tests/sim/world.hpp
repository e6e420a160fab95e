// The world of one seed: time, nodes, network, clients, checks, and the nemesis that breaks things.
// run() throws Violation as soon as a promise is broken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/clients.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/timeline.hpp"
#include "tests/sim/transfers.hpp"

namespace kiwi::sim {

struct WorldOptions {
  uint64_t seed = 1;
  std::string mutant;             // a bug of the simulated storage to switch on; empty = none
  int64_t faults_us = 9'000'000;  // how long things break
  uint64_t window_bytes = 4 << 10;
  uint64_t uncommitted_bytes_max = 64 << 10;  // some seeds make it tiny, so that leaders refuse
  // How often a node flushes its state and cuts its log (0 = never), and what it keeps then.
  uint64_t snapshot_entries = 0;
  uint64_t keep_entries = 0;
  uint64_t keep_laggards = 0;
  bool keep_trace = false;
};

class World {
 public:
  explicit World(const WorldOptions& given);
  ~World();

  void run();

  Node* find(NodeId id);
  void vote_given(Node& node);
  void crash_in(Node& node, int64_t within_us);  // somewhere in what it is doing; it comes back
  // One line of what happened; folded into the fingerprint, kept as text if asked for.
  void trace(std::string_view what, NodeId node, uint64_t a, uint64_t b);
  uint64_t fingerprint() const { return fingerprint_; }
  const std::string& trace_text() const { return trace_text_; }
  std::string summary() const;

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
  void restart(Node& node);
  void restart_later(Node& node, int64_t within_us);
  void change_members();
  void wipe_one(Node& leader);
  void say_hello();
  Node* ready_leader();
  const raft::Configuration* members() const;
  void heal();
  bool converged() const;
  void await_convergence();
  void check_final_state();
  Node* any_running();

  uint64_t fingerprint_ = 0;
  std::string trace_text_;
  uint64_t faults_injected_ = 0;
  bool healing_ = false;
  Prng vote_prng_;         // of its own: elections alone draw from it
  uint64_t lives_ = 1;     // incarnations given out so far
  size_t voters_min_ = 1;  // membership changes keep so many
};

}  // namespace kiwi::sim
