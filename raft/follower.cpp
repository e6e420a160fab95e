// A follower's side of AppendEntries (§3.5): match, append, and answer only what the disk has
// (§3.8, §10.2.1).
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

namespace {

// Contiguous after prev, terms in order and not beyond the sender's.
bool well_formed(const AppendEntries& append, Term term) {
  LogIndex index = append.prev_index;
  Term previous = append.prev_term;
  for (const Entry& entry : append.entries) {
    if (entry.index != index + 1 || entry.term < previous || entry.term > term) {
      return false;
    }
    index = entry.index;
    previous = entry.term;
  }
  return true;
}

}  // namespace

void Core::State::on_append(const Message& message, const AppendEntries& append) {
  CHECK_INVARIANT(leading() == nullptr);  // two leaders of one term: election safety is broken
  CHECK_INVARIANT(message.term == term);  // step_term() has seen to it
  if (!well_formed(append, message.term)) {
    return;
  }
  become_follower(term, message.from);
  reset_election_timer();
  ticks_since_leader = 0;
  waited_to_apply = false;
  note_heard_as_member();
  clock.follow(append.leader_time_ms);
  if (installing && !mutant(Mutant::kAckWhileInstalling)) {
    refuse_while_installing(message, append);
    return;
  }
  if (!merge_entries(append)) {
    reject_append(message, append);
    return;
  }
  auto& follower = std::get<Follower>(role);
  LogIndex end = append.prev_index + append.entries.size();
  follower.matched = std::max(follower.matched, end);
  CHECK_INVARIANT(end <= log.last_index() && follower.matched <= log.last_index());
  // F19: up to what this message showed to match, never by our own last index.
  LogIndex announced_commit = std::min(append.commit, end);
  if (mutant(Mutant::kCommitByLastIndex)) {
    announced_commit = std::min(append.commit, log.last_index());
  }
  advance_commit(announced_commit);
  if (append.sequence != 0) {  // 0: a commit notice, wants no answer
    answer_append(append);
  }
}

// False: the entry before the first one is not the leader's.
bool Core::State::merge_entries(const AppendEntries& append) {
  if (append.prev_index > log.last_index()) {
    return false;
  }
  std::optional<Term> prev_term = log.term_at(append.prev_index);
  if (prev_term.has_value() && *prev_term != append.prev_term) {
    CHECK_INVARIANT(append.prev_index > commit);
    return false;
  }
  // Below the window everything is committed, and a leader's log has all that is (§3.6.1).
  CHECK_INVARIANT(prev_term.has_value() || append.prev_index <= commit);
  for (const Entry& entry : append.entries) {
    if (entry.index <= log.last_index()) {
      std::optional<Term> own = log.term_at(entry.index);
      if (!own.has_value() || *own == entry.term) {
        continue;  // §3.5: what matches stays, and so does what follows it
      }
      CHECK_INVARIANT(entry.index > commit);
      truncate_after(entry.index - 1);
    }
    note_own_number(entry.number);
    append_to_log(entry);
  }
  if (mutant(Mutant::kTruncateMatchingSuffix)) {
    LogIndex end = append.prev_index + append.entries.size();
    if (!append.entries.empty() && end >= commit && end < log.last_index()) {
      truncate_after(end);
    }
  }
  return true;
}

AppendEntriesResponse Core::State::answer_to(uint64_t sequence,
                                             uint64_t round,
                                             int64_t wall_ms) const {
  AppendEntriesResponse response;
  // An old copy may have forgotten that it followed a later leader: it confirms nobody (F52).
  response.round = old_copy ? 0 : round;
  response.sequence = sequence;
  response.wants_commit = wants_commit;
  response.applied = applied;
  response.backlog_bytes = waiting_bytes + apply_bytes;
  response.echoed_wall_ms = wall_ms;
  response.wall_ms = clock.wall_ms();
  return response;
}

void Core::State::reject_append(const Message& message, const AppendEntries& append) {
  if (append.sequence == 0) {
    return;
  }
  AppendEntriesResponse response = answer_to(append.sequence, append.round, append.wall_ms);
  response.match = log.last_index();
  if (append.prev_index > log.last_index()) {
    response.conflict_index = log.last_index() + 1;
  } else {
    const std::optional<Term> own = log.term_at(append.prev_index);
    CHECK_INVARIANT(own.has_value() && *own != append.prev_term);
    response.conflict_term = *own;
    response.conflict_index = log.holds(append.prev_index)
                                  ? log.first_of_term(append.prev_index, commit + 1)
                                  : append.prev_index;
  }
  send(message.from, response);
}

// The log is about to be replaced: nothing is appended and nothing acknowledged. The leader still
// hears that this node is there, and that it follows it.
void Core::State::refuse_while_installing(const Message& message, const AppendEntries& append) {
  if (append.sequence == 0) {
    return;
  }
  AppendEntriesResponse response = answer_to(append.sequence, append.round, append.wall_ms);
  response.match = commit;
  response.conflict_index = commit + 1;
  send(message.from, response);
}

// Entries count once they are durable and so is the term: a node that forgets its term in a crash
// could let a leader of an older term cut what it acknowledged.
LogIndex Core::State::acknowledgeable(LogIndex matched) const {
  if (mutant(Mutant::kAckBeforePersist)) {
    return matched;
  }
  return hard_state_durable && !old_copy ? std::min(matched, persisted) : LogIndex{};
}

// Rounds and heartbeats are answered at once with what is durable so far; entries when they are.
void Core::State::answer_append(const AppendEntries& append) {
  auto& follower = std::get<Follower>(role);
  follower.answer_sequence = append.sequence;
  CHECK_INVARIANT(follower.leader);
  LogIndex durable = acknowledgeable(follower.matched);
  LogIndex end = append.prev_index + append.entries.size();
  if (append.round != 0 || append.entries.empty() || durable >= end) {
    AppendEntriesResponse response = answer_to(append.sequence, append.round, append.wall_ms);
    response.success = true;
    response.match = durable;
    follower.acknowledged = durable;
    send(follower.leader, response);
  }
  follower.answer_owed = durable < follower.matched;
}

void Core::State::answer_if_durable() {
  auto* follower = std::get_if<Follower>(&role);
  if (follower == nullptr || !follower->leader || !follower->answer_owed) {
    return;
  }
  LogIndex durable = acknowledgeable(follower->matched);
  if (durable <= follower->acknowledged) {
    return;
  }
  AppendEntriesResponse response = answer_to(follower->answer_sequence, 0, 0);
  response.success = true;
  response.match = durable;
  follower->acknowledged = durable;
  follower->answer_owed = durable < follower->matched;
  send(follower->leader, response);
}

}  // namespace kiwi::raft
