// Which configuration counts (F18): the latest in the log, committed or not; truncation goes back
// to the one before. And who is told that it does not belong (F1, F25).
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

const Configuration& Core::State::committed_configuration() const {
  auto it = std::ranges::find_if(configurations.rbegin(), configurations.rend(),
                                 [&](const auto& item) { return item.index <= commit; });
  return it == configurations.rend() ? configurations.front().configuration : it->configuration;
}

// The one whose voters make quorums: the latest, unless a mutant says otherwise.
const Configuration& Core::State::counting_configuration() const {
#ifdef KIWI_MUTANTS
  if (mutant(Mutant::kRemovedVoterCounted) && configurations.size() > 1) {
    return configurations[configurations.size() - 2].configuration;
  }
  if (mutant(Mutant::kLearnerCounted)) {
    mutant_configuration = configuration();
    mutant_configuration.voters.clear();
    for (const Member& member : mutant_configuration.members) {
      mutant_configuration.voters.push_back(member.id);
    }
    return mutant_configuration;
  }
#endif
  return configuration();
}

bool Core::State::counts(NodeId id, const Incarnation& incarnation) const {
  if (mutant(Mutant::kWipedVoterCounted)) {
    return configuration().find(id) != nullptr;
  }
  return configuration().has(id, incarnation);
}

// A removed member's answers move its own progress, nothing else: quorums ask only for voters.
bool Core::State::is_leaving(const Message& message) const {
  const Leader* leader = leading();
  if (leader == nullptr) {
    return false;
  }
  auto it = leader->peers.find(message.from);
  return it != leader->peers.end() && it->second.leaving_at &&
         it->second.incarnation == message.from_incarnation && message.term <= term;
}

bool Core::State::is_member_here() const {
  return configuration().has(options.id, options.incarnation);
}

void Core::State::adopt_configuration(const Entry& entry) {
  Result<Configuration> decoded = decode_configuration(entry.payload.view());
  if (!decoded) {
    fatal("The configuration entry " + std::to_string(entry.index.value) +
          " of the Raft log cannot be decoded: " + decoded.error().text);
  }
  CHECK_INVARIANT(configurations.back().index < entry.index ||
                  mutant(Mutant::kConfigurationNotRolledBack));
  configurations.push_back({entry.index, std::move(*decoded)});
}

void Core::State::configuration_changed() {
  const IndexedConfiguration& latest = configurations.back();
  effects.events.emplace_back(
      ConfigurationChanged{latest.index, latest.configuration, latest.index <= commit});
  if (is_member_here()) {
    removed = false;
  }
  if (Leader* leader = leading()) {
    reconcile_peers(*leader);
  }
}

void Core::State::drop_configurations_after(LogIndex last) {
  if (mutant(Mutant::kConfigurationNotRolledBack)) {
    return;
  }
  bool dropped = false;
  while (configurations.size() > 1 && configurations.back().index > last) {
    configurations.pop_back();
    dropped = true;
  }
  if (dropped) {
    configuration_changed();
  }
}

void Core::State::on_configurations_committed(LogIndex before) {
  bool any = false;
  for (const IndexedConfiguration& item : configurations) {
    if (item.index > before && item.index <= commit) {
      effects.events.emplace_back(ConfigurationChanged{item.index, item.configuration, true});
      any = true;
    }
  }
  Leader* leader = leading();
  if (any && leader == nullptr && !is_voter_here()) {
    become_follower(term, this->leader());  // a snapshot told a candidate that it is none any more
  }
  if (!any || leader == nullptr || configurations.back().index > commit ||
      configuration().is_joint() || configuration().is_voter(options.id)) {
    return;
  }
  // §4.2.2: a leader that removed itself manages the cluster until that is committed, then leaves.
  // The commit goes out before it does, and somebody is asked to take over at once.
  answer_changes(*leader, commit);
  for (auto& [id, peer] : leader->peers) {
    peer.heartbeat_due = true;
  }
  flush_peers(*leader);
  if (NodeId successor = best_successor(*leader)) {
    send(successor, TimeoutNow{});
  }
  become_follower(term, NodeId{});
}

// F25: the removal is applied here. A joiner also applies configurations of the time before it was
// a member, so only the step from member to none counts.
void Core::State::note_configurations_applied(LogIndex before) {
  for (size_t i = 1; i < configurations.size(); ++i) {
    LogIndex index = configurations[i].index;
    if (index > before && index <= applied && !is_member_here() &&
        configurations[i - 1].configuration.has(options.id, options.incarnation) &&
        !configurations[i].configuration.has(options.id, options.incarnation)) {
      note_removed();
    }
  }
}

// One node that lags may be wrong about us. Heeded from the leader, from anybody while our own log
// does not name us either, or from a quorum.
void Core::State::on_not_member(const Message& message) {
  not_member_from.insert(message.from);
  bool by_leader = message.from == leader() && message.term >= term;
  bool by_quorum =
      has_quorum(configuration(), [&](NodeId id) { return not_member_from.contains(id); });
  if (by_leader || !is_member_here() || by_quorum) {
    note_removed();
  }
}

void Core::State::note_removed() {
  if (!removed) {
    removed = true;
    effects.events.emplace_back(RemovedFromCluster{});
  }
}

// F52: numbers of a later start of this directory prove that it went on, and that this is a copy of
// what it was before. What it promised meanwhile is forgotten here. A copy that is started as often
// as the directory was since has the same start number: then the log, or a snapshot, holds numbers
// of this start that were not given here.
void Core::State::note_own_number(const ProposalNumber& number) {
  if (number.node != options.id || number.incarnation != options.incarnation || old_copy ||
      options.boot_epoch == 0 || mutant(Mutant::kOldCopyCounted)) {
    return;
  }
  const bool given_here = number.epoch < options.boot_epoch ||
                          (number.epoch == options.boot_epoch && number.sequence <= last_given);
  if (given_here) {
    return;
  }
  old_copy = true;
  effects.events.emplace_back(OldCopyFound{number.epoch});
}

void Core::State::note_own_numbers(std::span<const SessionRow> sessions) {
  for (const SessionRow& row : sessions) {
    note_own_number({row.node, row.incarnation, row.epoch, row.sequence, row.group});
  }
}

void Core::State::note_heard_as_member() {
  not_member_from.clear();
  if (removed && is_member_here()) {
    removed = false;
    effects.events.emplace_back(ConfigurationChanged{configurations.back().index, configuration(),
                                                     configurations.back().index <= commit});
  }
}

}  // namespace kiwi::raft
