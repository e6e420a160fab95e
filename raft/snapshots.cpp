// Snapshots as the core sees them (§5): how far the log may be cut (F13), followers that only a
// snapshot can bring up, and what becomes of a snapshot that has arrived (F15). Moving the bytes
// and swapping the state is the shell's work.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

namespace {

constexpr uint32_t kHeldTimeouts = 8;  // election timeouts; the next attempt begins after one

// The last of the entries that go if `kept` stay of those up to `last`.
LogIndex all_but(LogIndex last, uint64_t kept) {
  return LogIndex{last.value > kept ? last.value - kept : 0};
}

}  // namespace

// ---------------------------------------------------------------- cutting the log

LogIndex Core::State::compact(LogIndex flushed,
                              Term flushed_term,
                              uint64_t keep_entries,
                              uint64_t keep_for_laggards_entries) {
  CHECK_INVARIANT(flushed <= applied);  // F13
  if (installing || flushed < snapshot_index) {
    return first_index;  // at the same index it may still go further: laggards have caught up
  }
  const std::optional<Term> known = log.term_at(flushed);
  CHECK_INVARIANT(!known || *known == flushed_term);
  if (mutant(Mutant::kCutAboveFlushed)) {
    flushed = applied;
    flushed_term = log.term_at(applied).value_or(flushed_term);
  }
  LogIndex keep_from = all_but(flushed, keep_entries) + 1;
  keep_from = std::min(keep_from, needed_by_laggards(flushed, keep_for_laggards_entries));
  drop_served_pins();
  keep_from = std::min(keep_from, needed_by_held_pins(flushed));
  for (const auto& [follower, index] : pins) {
    if (!mutant(Mutant::kPinIgnored)) {
      keep_from = std::min(keep_from, index);  // with its term: the entry before the next one
    }
  }
  CHECK_INVARIANT(keep_from <= flushed + 1);
  if (keep_from <= first_index) {
    return first_index;  // nothing would go
  }
  // F18: the configuration as of the cut goes into the meta data, those before it are history.
  auto at = std::ranges::find_if(configurations.rbegin(), configurations.rend(),
                                 [&](const auto& item) { return item.index <= flushed; });
  CHECK_INVARIANT(at != configurations.rend());
  configurations.erase(configurations.begin(), std::prev(at.base()));
  first_index = keep_from;
  snapshot_index = flushed;
  snapshot_term = flushed_term;
  effects.cut =
      CutRequest{{flushed, flushed_term, configurations.front().configuration}, keep_from};
  return first_index;
}

// A follower that says it is past its snapshot is served from the log like any other.
void Core::State::drop_served_pins() {
  if (const Leader* leader = leading()) {
    std::erase_if(pins, [&](const auto& pin) {
      auto peer = leader->peers.find(pin.first);
      return peer != leader->peers.end() && peer->second.match >= pin.second;
    });
    std::erase_if(held_pins, [&](const auto& held) {
      auto peer = leader->peers.find(held.first);
      return peer == leader->peers.end() || peer->second.match >= held.second.index;
    });
  }
}

// The state that was being sent is there still, and the next attempt is soon. A state whose
// transfers fail again and again is not held for twice: the log would grow as long as they do.
void Core::State::hold_pin(NodeId follower, LogIndex index) {
  HeldPin& held = held_pins[follower];
  if (held.index != index) {
    held = {index, ticks + uint64_t{kHeldTimeouts} * options.election_ticks_max};
  }
}

LogIndex Core::State::needed_by_held_pins(LogIndex flushed) const {
  LogIndex needed = flushed + 1;
  for (const auto& [follower, held] : held_pins) {
    if (ticks < held.until && on_disk_from(held.index + 1)) {
      needed = std::min(needed, held.index);
    }
  }
  return needed;
}

// From the last entry on that each of them has, for its term. Members that answer nothing count as
// well, but nobody counts for more than the budget, and one that needs a snapshot anyway not at
// all.
LogIndex Core::State::needed_by_laggards(LogIndex flushed, uint64_t budget_entries) const {
  LogIndex needed = flushed + 1;
  if (const Leader* leader = leading()) {
    for (const auto& [id, peer] : leader->peers) {
      if (peer.state != PeerState::kSnapshot && !peer.leaving_at) {
        needed = std::min(needed, peer.match);
      }
    }
  }
  return std::max(needed, all_but(flushed, budget_entries) + 1);
}

// ---------------------------------------------------------------- a follower that needs one

// The term of the entry before the ones to send, as far as it is known without reading.
std::optional<Term> Core::State::known_term(LogIndex index) const {
  if (std::optional<Term> term_there = log.term_at(index)) {
    return term_there;
  }
  return index && index == snapshot_index ? std::optional<Term>(snapshot_term) : std::nullopt;
}

// Can the log be continued from there, that is with the entry before it known by its term?
bool Core::State::on_disk_from(LogIndex next) const {
  const LogIndex prev = next - 1;
  return next >= first_index && (prev >= first_index || !prev || prev == snapshot_index);
}

bool Core::State::can_serve_from(LogIndex next) const {
  return on_disk_from(next) || (log.holds(next) && known_term(next - 1).has_value());
}

void Core::State::want_snapshot(NodeId id, Progress& peer) {
  if (!peer.up || peer.leaving_at || pins.contains(id) || peer.snapshot_wait_ticks != 0) {
    return;
  }
  peer.snapshot_wait_ticks = options.election_ticks_max;
  effects.snapshots.push_back({id, first_index});
}

bool Core::State::snapshot_pinned(NodeId follower, LogIndex index) {
  if (installing || !on_disk_from(index + 1)) {
    return false;
  }
  pins[follower] = index;
  return true;
}

void Core::State::snapshot_done(NodeId follower, LogIndex installed, bool ok) {
  if (const auto pin = pins.find(follower); pin != pins.end()) {
    if (!ok) {
      hold_pin(follower, pin->second);
    }
    pins.erase(pin);
  }
  Leader* leader = leading();
  if (leader == nullptr) {
    return;
  }
  auto it = leader->peers.find(follower);
  if (it == leader->peers.end() || it->second.state != PeerState::kSnapshot) {
    return;  // its own answers said so before
  }
  Progress& peer = it->second;
  const LogIndex next = std::max(installed, peer.match) + 1;
  if (ok && next <= log.last_index() + 1 && can_serve_from(next)) {
    peer.enter_probe(next);
  } else {
    peer.snapshot_wait_ticks = options.election_ticks_max;  // not at once again: it may fail again
  }
}

void Core::State::snapshots_lost() {
  while (!pins.empty()) {
    snapshot_done(pins.begin()->first, LogIndex{}, false);
  }
}

// ---------------------------------------------------------------- one that has arrived

SnapshotVerdict Core::State::snapshot_received(const SnapshotMeta& meta, Term sender_term) {
  if (installing || leading() != nullptr) {
    return SnapshotVerdict::kIgnored;
  }
  if (sender_term < term && !mutant(Mutant::kOldSnapshotBelieved)) {
    return SnapshotVerdict::kIgnored;
  }
  if (sender_term > term) {
    become_follower(sender_term, NodeId{});
  }
  if (meta.index <= commit) {
    return SnapshotVerdict::kIgnored;
  }
  // F15: what this log holds it has acknowledged, and the transfer took its time. Entries after S
  // may have been counted for commit: only a log that does not have S at all is given up.
  if (log.term_at(meta.index) == meta.term && !mutant(Mutant::kSuffixDroppedAtInstall)) {
    if (auto* follower = std::get_if<Follower>(&role)) {
      follower->matched = std::max(follower->matched, meta.index);
    }
    advance_commit(meta.index);
    answer_if_durable();
    return SnapshotVerdict::kCommitMoved;
  }
  become_follower(term, leader());  // a candidate gives way
  CHECK_INVARIANT(std::holds_alternative<Follower>(role));
  installing = true;
  return SnapshotVerdict::kInstall;
}

void Core::State::snapshot_installed(const SnapshotMeta& meta,
                                     int64_t applied_stamp_ms,
                                     std::span<const SessionRow> sessions) {
  CHECK_INVARIANT(installing);
  // Ahead of the answer that is owed below: the entries of a snapshot do not pass by one by one.
  note_own_numbers(sessions);
  CHECK_INVARIANT(leading() == nullptr);
  CHECK_INVARIANT(meta.index > commit);
  installing = false;
  const bool was_member = is_member_here();
  log = LogWindow(meta.index, meta.term);
  first_index = meta.index + 1;
  snapshot_index = meta.index;
  snapshot_term = meta.term;
  issued = persisted = commit = emitted = applied = meta.index;
  apply_chunks.clear();
  apply_bytes = 0;
  waiting_bytes = 0;
  counted_from = meta.index;
  apply_read.clear();
  apply_reading = false;
  uncommitted_bytes = 0;
  std::erase_if(pins, [&](const auto& pin) { return pin.second < meta.index; });
  held_pins.clear();
  last_stamp_ms = applied_stamp_ms;
  if (mutant(Mutant::kSnapshotConfigurationIgnored)) {
    configurations = {{meta.index, configuration()}};
  } else {
    configurations = {{meta.index, meta.configuration}};
  }
  configuration_changed();
  if (was_member && !is_member_here()) {
    note_removed();  // the removal was applied with the rest
  }
  // Safety: S is committed, so the log of the leader of this term has it (§3.6.3).
  auto& follower = std::get<Follower>(role);
  follower.matched = meta.index;
  follower.acknowledged = LogIndex{};
  follower.answer_owed = true;
  follower.answer_sequence = 0;  // about nothing that was asked: it tells the match alone
  answer_if_durable();
}

}  // namespace kiwi::raft
