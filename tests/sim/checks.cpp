#include "tests/sim/checks.hpp"

#include <iterator>

#include "config/base/checksum.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

uint64_t fingerprint_of(const raft::Entry& entry) {
  uint64_t fields[] = {entry.index.value,
                       entry.term.value,
                       static_cast<uint64_t>(entry.kind),
                       static_cast<uint64_t>(entry.stamp_ms),
                       entry.seed,
                       entry.number.node.value,
                       entry.number.epoch,
                       entry.number.sequence};
  return checksum64(entry.payload.view(),
                    checksum64({reinterpret_cast<const char*>(fields), sizeof(fields)}));
}

Checks::Checks(World& world) {
  checks_.push_back(election_safety());
  checks_.push_back(leader_append_only());
  checks_.push_back(log_matching());
  checks_.push_back(leader_completeness(committed_));
  checks_.push_back(committed_is_durable(world, committed_));
  checks_.push_back(state_machine_safety(committed_));
  checks_.push_back(same_log_same_state());
  checks_.push_back(configuration_is_the_logs());
}

std::vector<Term> Checks::committed_terms(LogIndex last) const {
  if (last.value > committed_.entries.size()) {
    throw Violation{"snapshots", "index " + std::to_string(last.value) +
                                     " is in a snapshot and was never applied"};
  }
  std::vector<Term> terms;
  for (uint64_t i = 0; i < last.value; ++i) {
    terms.push_back(committed_.entries[i].term);
  }
  return terms;
}

raft::Configuration Checks::configuration_at(LogIndex index) const {
  auto after = committed_.configurations.upper_bound(index);
  return after == committed_.configurations.begin() ? raft::Configuration{}
                                                    : std::prev(after)->second;
}

void Checks::on_leader(const Node& node, Term term) {
  for (auto& check : checks_) {
    check->on_leader(node, term);
  }
}
void Checks::on_append(const Node& node, const std::vector<raft::Entry>& entries) {
  for (auto& check : checks_) {
    check->on_append(node, entries);
  }
}
void Checks::on_apply(const Node& node, const raft::Entry& entry) {
  for (auto& check : checks_) {
    check->on_apply(node, entry);
  }
}
void Checks::on_state(const Node& node, LogIndex applied, uint64_t checksum) {
  for (auto& check : checks_) {
    check->on_state(node, applied, checksum);
  }
}
void Checks::on_bootstrap(const raft::Entry& entry) {
  for (auto& check : checks_) {
    check->on_bootstrap(entry);
  }
}
void Checks::on_turn(const Node& node) {
  for (auto& check : checks_) {
    check->on_turn(node);
  }
}
void Checks::on_install(const Node& node, LogIndex snapshot) {
  for (auto& check : checks_) {
    check->on_install(node, snapshot);
  }
}

}  // namespace kiwi::sim
