// The promises that are checked while a world runs, one file for each. A check throws Violation.
// The names are those of the paper (Figure 3.2 of the dissertation) and of
// README.md#what-it-promises.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "raft/types.hpp"
#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

class Node;
class World;

// What identifies an entry beyond its index: everything that must be equal on all nodes.
uint64_t fingerprint_of(const raft::Entry& entry);

class Check {
 public:
  virtual ~Check() = default;
  virtual void on_leader(const Node& /*node*/, Term /*term*/) {}
  // Before the node's log_terms() change: these entries replace what is at their indexes and after.
  virtual void on_append(const Node& /*node*/, const std::vector<raft::Entry>& /*entries*/) {}
  virtual void on_apply(const Node& /*node*/, const raft::Entry& /*entry*/) {}
  virtual void on_state(const Node& /*node*/, LogIndex /*applied*/, uint64_t /*checksum*/) {}
  virtual void on_bootstrap(const raft::Entry& /*entry*/) {}
  virtual void on_turn(const Node& /*node*/) {}  // of the raft loop
  // Before an installation empties the node's log.
  virtual void on_install(const Node& /*node*/, LogIndex /*snapshot*/) {}
};

// What is known to be committed: by index, filled at the first apply anywhere.
struct Committed {
  struct Known {
    Term term;
    uint64_t fingerprint = 0;
    Term committed_in;  // at most: the term of the node that was the first to apply it
  };
  std::vector<Known> entries;  // index 1 first
  std::map<LogIndex, raft::Configuration> configurations;
};

std::unique_ptr<Check> election_safety();
std::unique_ptr<Check> leader_append_only();
std::unique_ptr<Check> log_matching();
std::unique_ptr<Check> leader_completeness(const Committed& committed);
std::unique_ptr<Check> state_machine_safety(Committed& committed);
std::unique_ptr<Check> committed_is_durable(const World& world, const Committed& committed);
std::unique_ptr<Check> same_log_same_state();
std::unique_ptr<Check> configuration_is_the_logs();

class Checks {
 public:
  explicit Checks(World& world);
  void on_leader(const Node& node, Term term);
  void on_append(const Node& node, const std::vector<raft::Entry>& entries);
  void on_apply(const Node& node, const raft::Entry& entry);
  void on_state(const Node& node, LogIndex applied, uint64_t checksum);
  void on_bootstrap(const raft::Entry& entry);
  void on_turn(const Node& node);
  void on_install(const Node& node, LogIndex snapshot);
  const Committed& committed() const { return committed_; }
  // Of what is committed up to there: what a snapshot stands for.
  std::vector<Term> committed_terms(LogIndex last) const;
  raft::Configuration configuration_at(LogIndex index) const;

 private:
  Committed committed_;
  std::vector<std::unique_ptr<Check>> checks_;
};

}  // namespace kiwi::sim
