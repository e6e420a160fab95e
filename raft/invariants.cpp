// What holds of one core between inputs, and between one look and the next. What holds between
// nodes (election safety, log matching, leader completeness) is checked by the simulation.
#include <algorithm>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

namespace {

void check_progress(const Progress& peer, LogIndex last_index) {
  CHECK_INVARIANT(peer.match < peer.next);
  CHECK_INVARIANT(peer.next <= last_index + 1);
  CHECK_INVARIANT(peer.state == PeerState::kReplicate || peer.inflights.empty());
  uint64_t bytes = 0;
  LogIndex previous = peer.match;
  for (const Inflight& inflight : peer.inflights) {
    CHECK_INVARIANT(inflight.last > previous);
    previous = inflight.last;
    bytes += inflight.bytes;
  }
  CHECK_INVARIANT(bytes == peer.inflight_bytes);
  CHECK_INVARIANT(previous < peer.next);
  CHECK_INVARIANT(peer.probe_from <= peer.sequence);
}

}  // namespace

// Where things are in the log.
void Core::State::check_indexes() const {
  CHECK_INVARIANT(snapshot_index <= applied);
  CHECK_INVARIANT(applied <= emitted);
  CHECK_INVARIANT(emitted <= commit);
  CHECK_INVARIANT(emitted <= persisted);
  CHECK_INVARIANT(persisted <= issued);
  CHECK_INVARIANT(issued <= log.last_index());
  CHECK_INVARIANT(commit <= log.last_index());
  CHECK_INVARIANT(log.base_index() <= commit);
  CHECK_INVARIANT(first_index <= snapshot_index + 1);
  CHECK_INVARIANT(configurations.front().index <= std::max(snapshot_index, commit));
  CHECK_INVARIANT(!installing || std::holds_alternative<Follower>(role));
  for (const auto& [follower, index] : pins) {
    CHECK_INVARIANT(on_disk_from(index + 1) || mutant(Mutant::kPinIgnored));
  }
}

void Core::State::check_invariants() const {
  check_indexes();

  // Counters say what they count.
  uint64_t uncommitted = 0;
  for (LogIndex i = commit + 1; i <= log.last_index(); ++i) {
    uncommitted += entry_bytes(log.at(i));
    CHECK_INVARIANT(log.at(i).term <= term);
    CHECK_INVARIANT(i.value <= log.base_index().value + 1 ||
                    log.at(i).stamp_ms >= log.at(i - 1).stamp_ms);
  }
  CHECK_INVARIANT(uncommitted == uncommitted_bytes);

  // F18: configurations in order, inside the log, and nothing uncommitted below another one.
  CHECK_INVARIANT(!configurations.empty());
  for (size_t i = 1; i < configurations.size(); ++i) {
    CHECK_INVARIANT(configurations[i - 1].index < configurations[i].index ||
                    mutant(Mutant::kConfigurationNotRolledBack));
  }
  CHECK_INVARIANT(configurations.back().index <= log.last_index() ||
                  mutant(Mutant::kConfigurationNotRolledBack));

  if (const Leader* leader = leading()) {
    CHECK_INVARIANT(voted_for == options.id);
    CHECK_INVARIANT(hard_state_durable);
    CHECK_INVARIANT(leader->noop && leader->noop <= log.last_index());
    CHECK_INVARIANT(!leader->ready || applied >= leader->noop || mutant(Mutant::kNoNoopGate));
    CHECK_INVARIANT(leader->round_running || leader->round_reads.empty());
    CHECK_INVARIANT(!leader->peers.contains(options.id));
    for (const auto& [id, peer] : leader->peers) {
      check_progress(peer, log.last_index());
    }
  }
  if (const auto* follower = std::get_if<Follower>(&role)) {
    CHECK_INVARIANT(follower->matched <= log.last_index());
    CHECK_INVARIANT(follower->acknowledged <= follower->matched);
    CHECK_INVARIANT(follower->leader || follower->forwarded_reads.empty());
  }
  if (std::holds_alternative<Candidate>(role)) {
    CHECK_INVARIANT(voted_for == options.id);
  }

  // Between two looks.
  CHECK_INVARIANT(term >= seen.term);
  CHECK_INVARIANT(term > seen.term || !seen.voted_for || voted_for == seen.voted_for);
  CHECK_INVARIANT(first_index >= seen.first_index);
  CHECK_INVARIANT(snapshot_index >= seen.snapshot_index);
  CHECK_INVARIANT(commit >= seen.commit);
  CHECK_INVARIANT(emitted >= seen.emitted);
  CHECK_INVARIANT(applied >= seen.applied);
  // Leader append-only (§3.2, figure).
  CHECK_INVARIANT(!seen.leader || term > seen.term || leading() == nullptr ||
                  log.last_index() >= seen.last_index);
  seen = {term,        voted_for,      commit,
          emitted,     applied,        log.last_index(),
          first_index, snapshot_index, leading() != nullptr};
}

}  // namespace kiwi::raft
