// Persist effects and their tokens (F12), the commit rule (§3.6.2), and what is handed to apply.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

// One write for everything that changed since the last one. A change of term or vote always makes
// one, so that a token of the new term attests the whole log (F12).
void Core::State::flush_persist() {
  HardState now{term, voted_for};
  const bool hard_state_changed = now != issued_hard_state;
  const bool has_entries = log.last_index() > issued;
  if (!hard_state_changed && !has_entries) {
    return;
  }
  PersistRequest request;
  uint64_t bytes = 0;
  if (has_entries) {
    request.entries = log.collect(issued + 1, log.last_index());
    CHECK_INVARIANT(request.entries.size() == log.last_index() - issued);
    issued = log.last_index();
    for (const Entry& entry : request.entries) {
      bytes += entry.payload.size();
    }
  }
  if (hard_state_changed) {
    // §3.8: what was written about a term is never taken back.
    CHECK_INVARIANT(now.term >= issued_hard_state.term);
    CHECK_INVARIANT(now.term > issued_hard_state.term || !issued_hard_state.voted_for);
    request.hard_state = now;
    issued_hard_state = now;
  }
  request.commit = commit;
  request.token = {term, log.last_index(), log.last_term(), voted_for};
  outstanding.push_back({request.token, ticks, bytes, has_entries});
  effects.persist = std::move(request);
}

void Core::State::log_persisted(const PersistToken& token) {
  bool has_entries = true;
  auto it = std::ranges::find(outstanding, token, &OutstandingPersist::token);
  if (it != outstanding.end()) {
    has_entries = it->has_entries;
    // Writes complete in order: the earlier ones are done as well.
    outstanding.erase(outstanding.begin(), std::next(it));
    if (!outstanding.empty()) {
      outstanding.front().tick = ticks;  // the disk turns to it only now
    }
  }
  if (mutant(Mutant::kStaleTokenBelieved)) {
    persisted = std::max(persisted, std::min({token.last_index, issued, log.last_index()}));
    hard_state_durable = true;
  } else if (token.term != term) {
    return;  // the write that opened the present term attests the same entries, if they are left
  } else if (log.term_at(token.last_index) == token.last_term &&
             (has_entries || !mutant(Mutant::kTokenIgnoredAtTermChange))) {
    // §3.5: index and term of one entry vouch for everything before it.
    persisted = std::max(persisted, token.last_index);
  }
  CHECK_INVARIANT(persisted <= issued);
  if (token.voted_for == voted_for && token.term == term) {
    hard_state_durable = true;
  }
  if (hard_state_durable) {
    hard_state_became_durable();
  }
  maybe_commit();
  answer_if_durable();
}

void Core::State::hard_state_became_durable() {
  for (Outgoing& outgoing : std::exchange(until_hard_state_durable, {})) {
    effects.send.push_back(std::move(outgoing));
  }
  count_own_vote();
}

// §3.6.2: only entries of the leader's own term are committed by counting; those before follow.
void Core::State::maybe_commit() {
  const Leader* leader = leading();
  if (leader == nullptr) {
    return;
  }
  LogIndex reached = quorum_index(counting_configuration(), [&](NodeId id) {
    if (id == options.id) {
      return persisted;
    }
    auto it = leader->peers.find(id);
    return it == leader->peers.end() ? LogIndex{} : it->second.match;
  });
  if (reached > commit && (log.term_at(reached) == term || mutant(Mutant::kCommitOldTerms))) {
    advance_commit(reached);
  }
}

void Core::State::advance_commit(LogIndex index) {
  if (index <= commit) {
    return;
  }
  CHECK_INVARIANT(index <= log.last_index());
  LogIndex before = commit;
  commit = index;
  for (LogIndex i = before + 1; i <= index; ++i) {
    const uint64_t bytes = entry_bytes(log.at(i));
    CHECK_INVARIANT(uncommitted_bytes >= bytes);
    uncommitted_bytes -= bytes;
    waiting_bytes += bytes;
  }
  if (Leader* leader = leading()) {
    const Entry& last = log.at(index);
    if (last.term == term) {
      leader->committed_bound_ms = clock.read_bound_of(last.stamp_ms);
    }
  }
  on_configurations_committed(before);
}

// ---------------------------------------------------------------- apply

// Committed and durable here: the state is never ahead of its own log.
void Core::State::flush_apply() {
  const LogIndex limit = installing ? emitted : std::min(commit, persisted);
  uint64_t bytes = 0;
  while (emitted < limit && bytes < options.apply_bytes_max &&
         (apply_bytes == 0 || apply_bytes < options.apply_inflight_bytes_max)) {
    const Entry* entry = next_to_apply();
    if (entry == nullptr) {
      break;
    }
    CHECK_INVARIANT(entry->index == emitted + 1);
    const uint64_t own_bytes = entry_bytes(*entry);
    bytes += own_bytes;
    apply_bytes += own_bytes;
    effects.apply.push_back(*entry);
    ++emitted;
    if (emitted > counted_from) {
      CHECK_INVARIANT(waiting_bytes >= own_bytes);
      waiting_bytes -= own_bytes;
    }
    if (!apply_read.empty() && apply_read.front().index == emitted) {
      apply_read.pop_front();
    }
    if (effects.apply.back().kind == EntryKind::kNoop) {
      break;  // so that it is the last one applied, and its session rows come back (F23)
    }
  }
  if (bytes != 0) {
    apply_chunks.emplace_back(emitted, bytes);
  }
}

const Entry* Core::State::next_to_apply() {
  LogIndex next = emitted + 1;
  if (log.holds(next)) {
    apply_read.clear();
    return &log.at(next);
  }
  while (!apply_read.empty() && apply_read.front().index < next) {
    apply_read.pop_front();
  }
  if (!apply_read.empty()) {
    CHECK_INVARIANT(apply_read.front().index == next);
    return &apply_read.front();
  }
  if (!apply_reading) {
    apply_reading = true;
    effects.log_reads.push_back({NodeId{}, next, std::min(log.base_index(), commit),
                                 static_cast<size_t>(options.apply_bytes_max), term});
  }
  return nullptr;
}

void Core::State::on_applied(LogIndex index, std::optional<std::vector<SessionRow>> sessions) {
  CHECK_INVARIANT(index >= applied && index <= emitted);
  LogIndex before = applied;
  applied = index;
  while (!apply_chunks.empty() && apply_chunks.front().first <= index) {
    CHECK_INVARIANT(apply_bytes >= apply_chunks.front().second);
    apply_bytes -= apply_chunks.front().second;
    apply_chunks.pop_front();
  }
  CHECK_INVARIANT(!apply_chunks.empty() || apply_bytes == 0);
  if (Leader* leader = leading(); leader != nullptr && !leader->ready && index >= leader->noop) {
    CHECK_INVARIANT(sessions.has_value());
    become_ready(*leader, *sessions);
  }
  note_configurations_applied(before);
  if (Leader* leader = leading()) {
    answer_changes(*leader, applied);
  }
}

// What is committed and durable: first what was handed to apply, and if that is not enough the
// rest, too (F48). Whoever needs it again, a follower that is behind or the state machine here,
// gets it read back from the disk: so neither one that is down nor one that is slow costs memory.
void Core::State::evict() {
  const LogIndex durable = std::min(commit, persisted);
  const uint64_t most = options.window_bytes + options.unapplied_bytes_max;
  log.evict(std::min(emitted, durable), options.window_bytes);
  if (!mutant(Mutant::kUnappliedKept)) {
    log.evict(durable, most);
  }
  CHECK_INVARIANT(log.bytes() <= most || log.base_index() >= durable);
}

}  // namespace kiwi::raft
