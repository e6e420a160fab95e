// The leader's side of AppendEntries (§3.5): probe and replicate progress, batches that grow while
// earlier ones are on their way, fast backtracking, heartbeats, one-way commit notices (F19).
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

namespace {

constexpr uint64_t kSmallMessageBytes = 64 << 10;  // below it messages are counted, not weighed

}  // namespace

void Core::State::tick_leader(Leader& leader) {
  for (auto& [id, peer] : leader.peers) {
    if (peer.ticks_since_heard != UINT32_MAX) {
      ++peer.ticks_since_heard;
    }
    peer.stalled_ticks += peer.inflights.empty() ? 0 : 1;
    peer.leaving_ticks += peer.leaving_at ? 1 : 0;
    peer.snapshot_wait_ticks -= peer.snapshot_wait_ticks == 0 ? 0 : 1;
  }
  if (++leader.heartbeat_elapsed >= options.heartbeat_ticks) {
    leader.heartbeat_elapsed = 0;
    for (auto& [id, peer] : leader.peers) {
      peer.heartbeat_due = true;
    }
  }
  if (disk_hangs()) {
    // F26: followers would commit without us for ever, and nobody would be answered here.
    if (NodeId successor = best_successor(leader)) {
      send(successor, TimeoutNow{});
    }
    become_follower(term, NodeId{});
    return;
  }
  if (++leader.quorum_elapsed >= options.election_ticks_min) {
    leader.quorum_elapsed = 0;
    // Check-quorum (§6.2). Learners and a leader that is no voter do not count (F27, F18).
    bool alive = has_quorum(counting_configuration(), [&](NodeId id) {
      auto it = leader.peers.find(id);
      return id == options.id || (it != leader.peers.end() && it->second.recently_active);
    });
    if (!alive) {
      become_follower(term, NodeId{});
      return;
    }
    for (auto& [id, peer] : leader.peers) {
      peer.recently_active = false;
    }
  }
  step_aside_if_unready(leader);
  tick_transfer(leader);
}

// One Progress for every member but this node. A member that came back with another incarnation
// starts from nothing (F1); one that was removed stays until it has been told (F25).
void Core::State::reconcile_peers(Leader& leader) {
  for (auto it = leader.peers.begin(); it != leader.peers.end();) {
    Progress& peer = it->second;
    const Member* member = configuration().find(it->first);
    if (member != nullptr && member->incarnation != peer.incarnation) {
      // Messages to the old one may still be under way: their numbers are not used again.
      Progress fresh;
      fresh.sequence = peer.sequence;
      start_progress(fresh, *member);
      it->second = std::move(fresh);
    }
    if (member != nullptr) {
      peer.leaving_at = LogIndex{};
    } else if (!peer.leaving_at) {
      peer.leaving_at = configurations.back().index;
      peer.wants_commit = true;
    }
    ++it;
  }
  for (const Member& member : configuration().members) {
    if (member.id == options.id || leader.peers.contains(member.id)) {
      continue;
    }
    Progress peer;
    start_progress(peer, member);
    leader.peers.emplace(member.id, std::move(peer));
  }
}

void Core::State::start_progress(Progress& peer, const Member& member) {
  peer.incarnation = member.incarnation;
  peer.next = log.last_index() + 1;
  peer.up = !links_down.contains(member.id);
  peer.recently_active = true;  // a newcomer gets one timeout to answer
}

void Core::State::drop_departed_peers(Leader& leader) {
  std::erase_if(leader.peers, [&](const auto& item) {
    const Progress& peer = item.second;
    return peer.leaving_at && (peer.commit_sent >= peer.leaving_at ||
                               peer.leaving_ticks > 4 * options.election_ticks_max);
  });
}

void Core::State::append_own(EntryKind kind, ProposalNumber number, SharedBytes payload) {
  CHECK_INVARIANT(leading() != nullptr);
  CHECK_INVARIANT((kind == EntryKind::kBatch || kind == EntryKind::kVoid) ==
                  (number.sequence != 0));
  Entry entry;
  entry.index = log.last_index() + 1;
  entry.term = term;
  entry.kind = kind;
  entry.stamp_ms = std::max(clock.now_ms(), last_stamp_ms);
  entry.seed = seed_prng.next();
  entry.number = number;
  entry.payload = std::move(payload);
  seal_entry(entry);
  append_to_log(std::move(entry));
}

// ---------------------------------------------------------------- sending

void Core::State::flush_peers(Leader& leader) {
  for (auto& [id, peer] : leader.peers) {
    flush_peer(leader, id, peer);
  }
  drop_departed_peers(leader);
}

void Core::State::flush_peer(Leader& leader, NodeId id, Progress& peer) {
  if (!peer.up) {
    peer.heartbeat_due = false;
    return;
  }
  if (peer.heartbeat_due && peer.state == PeerState::kProbe && !prev_term_of(peer)) {
    peer.probe_sent = false;  // an empty heartbeat cannot probe where only the disk knows the term
  }
  bool sent = false;
  while (send_next_entries(leader, id, peer)) {
    sent = true;
  }
  if (sent) {
    return;
  }
  if (peer.state == PeerState::kSnapshot) {
    want_snapshot(id, peer);
  }
  const bool unasked = peer.state == PeerState::kProbe && !peer.probe_sent && !peer.reading_from;
  const bool round_due =
      leader.round_running && peer.round_sent < leader.round && configuration().is_voter(id);
  if (peer.heartbeat_due || round_due || unasked) {
    send_heartbeat(leader, id, peer);
  } else if (peer.wants_commit && std::min(commit, peer.match) > peer.commit_sent) {
    send_commit_notice(id, peer);
  }
}

bool Core::State::send_next_entries(Leader& leader, NodeId id, Progress& peer) {
  if (peer.state == PeerState::kSnapshot || peer.reading_from ||
      (peer.state == PeerState::kProbe && peer.probe_sent) || peer.next > log.last_index()) {
    return false;
  }
  if (!can_serve_from(peer.next)) {
    peer.enter_snapshot();
    return false;
  }
  const bool probing = peer.state == PeerState::kProbe;
  std::optional<Term> prev_term = prev_term_of(peer);
  if (!prev_term || !log.holds(peer.next)) {
    if (!(probing && prev_term) && window_admits(peer, options.message_bytes_max)) {
      read_for_peer(id, peer);
    }
    return false;
  }
  auto [last, bytes] = log.measure(peer.next, log.last_index(), options.message_bytes_max);
  if (!window_admits(peer, bytes) || (probing && bytes >= kSmallMessageBytes)) {
    return false;  // F29: what is big is sent when it is known to fit; an empty message asks
  }
  send_entries(leader, id, peer, *prev_term, log.collect(peer.next, last));
  return true;
}

void Core::State::read_for_peer(NodeId id, Progress& peer) {
  if (peer.next > persisted) {
    return;  // only known after a truncation down to where memory begins: our own write is under
             // way
  }
  peer.reading_from = peer.next;
  CHECK_INVARIANT(peer.next >= first_index);
  // A probe needs the term before `next`; one entry comes along.
  const size_t bytes_max = peer.state == PeerState::kProbe ? 1 : options.message_bytes_max;
  effects.log_reads.push_back(
      {id, peer.next, std::max(peer.next, std::min(log.base_index(), persisted)), bytes_max, term});
}

void Core::State::on_log_read_for_peer(const LogRead& request,
                                       std::vector<Entry> entries,
                                       Term prev_term) {
  Leader* leader = leading();
  if (leader == nullptr || request.asked_in != term) {
    return;  // what an earlier leadership asked for may have been replaced since it was read
  }
  auto it = leader->peers.find(request.follower);
  if (it == leader->peers.end() || it->second.reading_from != request.from) {
    return;
  }
  Progress& peer = it->second;
  peer.reading_from.reset();
  if (!peer.up || peer.next != request.from || peer.state == PeerState::kSnapshot) {
    return;
  }
  if (entries.empty()) {
    peer.enter_snapshot();  // cut after it was asked for
    return;
  }
  prev_term = prev_term_of(peer).value_or(prev_term);
  CHECK_INVARIANT(entries.front().index == request.from);
  if (!prev_term && request.from.value > 1) {
    peer.enter_snapshot();  // the entry before them is cut: nobody could tell whether they fit
    return;
  }
  if (peer.state == PeerState::kProbe && entry_bytes(entries.front()) >= kSmallMessageBytes) {
    peer.prev_term = prev_term;  // an empty message asks first
    return;
  }
  send_entries(*leader, request.follower, peer, prev_term, std::move(entries));
}

void Core::State::send_entries(
    Leader& leader, NodeId id, Progress& peer, Term prev_term, std::vector<Entry> entries) {
  uint64_t bytes = 0;
  for (const Entry& entry : entries) {
    bytes += entry_bytes(entry);
  }
  LogIndex last = entries.back().index;
  Term last_term = entries.back().term;
  CHECK_INVARIANT(entries.front().index == peer.next);
  CHECK_INVARIANT(last == peer.next + (entries.size() - 1));  // no hole, whoever read them
  CHECK_INVARIANT(prev_term <= entries.front().term && last_term <= term);
  CHECK_INVARIANT(peer.state != PeerState::kSnapshot);
  AppendEntries append;
  append.prev_index = peer.next - 1;
  append.prev_term = prev_term;
  append.entries = std::move(entries);
  ship_append(&leader, id, peer, std::move(append));
  if (peer.state == PeerState::kProbe) {
    peer.probe_sent = true;
    peer.probe_from = peer.probe_from == 0 ? peer.sequence : peer.probe_from;
    peer.prev_term = prev_term;
  } else {
    peer.add_inflight(last, bytes);
    peer.set_next(last + 1);
    peer.prev_term = last_term;
  }
}

// Empty. About the entry before `next`, so that a rejection shows the loss of entries; but links
// let it overtake entries that are under way (F29), so while there are any it is about `match`,
// until they have been under way for too long. To one that needs a snapshot it is about where the
// log was cut: it matches there as soon as the snapshot is installed, whoever sent it (F32).
void Core::State::send_heartbeat(Leader& leader, NodeId id, Progress& peer) {
  AppendEntries append;  // 0/0 matches every log; it says nothing about `next`
  const bool waits = !peer.inflights.empty() && !looks_lost(peer);
  const bool cut_off = peer.state == PeerState::kSnapshot;
  std::optional<Term> prev_term = waits ? log.term_at(peer.match) : prev_term_of(peer);
  const bool probes = prev_term.has_value() && !waits && !cut_off;
  if (cut_off) {
    append.prev_index = snapshot_index;
    append.prev_term = snapshot_term;
  } else if (probes) {
    append.prev_index = peer.next - 1;
    append.prev_term = *prev_term;
  } else if (waits && prev_term.has_value()) {
    append.prev_index = peer.match;
    append.prev_term = *prev_term;
  }
  ship_append(&leader, id, peer, std::move(append));
  if (probes && peer.state == PeerState::kProbe) {
    peer.probe_sent = true;
    peer.prev_term = prev_term;  // the window may move on before the answer comes
  }
  if (cut_off || (probes && peer.state == PeerState::kProbe)) {
    peer.probe_from = peer.probe_from == 0 ? peer.sequence : peer.probe_from;
  }
}

// F19: at once to a follower that waits for it as an origin. Sequence 0: it does not answer.
void Core::State::send_commit_notice(NodeId id, Progress& peer) {
  AppendEntries append;
  append.prev_index = peer.match;
  std::optional<Term> known = log.term_at(peer.match);
  if (!known) {
    return;  // far behind: commit rides on the entries that are read back for it
  }
  append.prev_term = *known;
  ship_append(nullptr, id, peer, std::move(append));
}

void Core::State::ship_append(Leader* leader, NodeId id, Progress& peer, AppendEntries append) {
  // F19: never announces more than is known to match there.
  CHECK_INVARIANT(append.prev_index + append.entries.size() <= log.last_index());
  append.commit = std::min(commit, peer.match);
  append.leader_time_ms = clock.now_ms();
  append.wall_ms = clock.wall_ms();
  if (leader != nullptr) {
    append.sequence = ++peer.sequence;
    if (leader->round_running) {
      append.round = leader->round;
      peer.round_sent = leader->round;
    }
    peer.heartbeat_due = false;
  }
  peer.commit_sent = std::max(peer.commit_sent, append.commit);
  send(id, std::move(append));
}

std::optional<Term> Core::State::prev_term_of(const Progress& peer) const {
  std::optional<Term> known = known_term(peer.next - 1);
  return known ? known : peer.prev_term;
}

// A heartbeat's time, and a tick for each 64 KiB that are under way.
bool Core::State::looks_lost(const Progress& peer) const {
  return peer.stalled_ticks > options.heartbeat_ticks + peer.inflight_bytes / kSmallMessageBytes;
}

bool Core::State::window_admits(const Progress& peer, uint64_t bytes) const {
  if (peer.inflights.empty()) {
    return true;  // F29: one message always fits
  }
  if (peer.inflight_bytes + bytes > options.inflight_bytes_max) {
    return false;
  }
  return bytes >= kSmallMessageBytes || peer.inflights.size() < options.inflight_messages_max;
}

// ---------------------------------------------------------------- answers

void Core::State::on_append_response(const Message& message,
                                     const AppendEntriesResponse& response) {
  Leader* leader = leading();
  if (leader == nullptr) {
    return;
  }
  auto it = leader->peers.find(message.from);
  if (it == leader->peers.end() || (response.success && response.match > log.last_index()) ||
      response.round > leader->round) {  // it answers what nobody said
    return;
  }
  Progress& peer = it->second;
  peer.recently_active = true;
  peer.ticks_since_heard = 0;
  peer.answered = true;
  compare_clocks(peer, response);
  peer.wants_commit = response.wants_commit || peer.leaving_at;
  peer.applied = std::max(peer.applied, response.applied);
  peer.backlog_bytes = response.backlog_bytes;
  // A rejection confirms leadership as well: it answers in our term.
  peer.round_acked = std::max(peer.round_acked, response.round);
  const bool current = peer.probe_from != 0 && response.sequence >= peer.probe_from;
  if (!response.success && current) {
    on_append_rejected(peer, response);
  }
  if (response.success) {
    if (response.match > peer.match) {
      peer.match = response.match;
      peer.set_next(std::max(peer.next, peer.match + 1));
      peer.acknowledge(peer.match);
    }
    if (peer.state == PeerState::kSnapshot && can_serve_from(peer.match + 1)) {
      peer.enter_probe(peer.match + 1);  // this answer was about another `next`: it is asked anew
    } else if (current && peer.state == PeerState::kProbe) {
      peer.enter_replicate();
    }
  }
  maybe_commit();  // may end leadership, and `peer` with it
}

// F37. What it says of its clock was true some time between our question and now; a long way tells
// nothing. Nothing depends on it but a warning.
void Core::State::compare_clocks(Progress& peer, const AppendEntriesResponse& response) const {
  constexpr int64_t kRoundTripMaxMs = 100;
  const int64_t round_trip_ms = clock.wall_ms() - response.echoed_wall_ms;
  if (response.echoed_wall_ms != 0 && round_trip_ms >= 0 && round_trip_ms <= kRoundTripMaxMs) {
    peer.clock_ahead_ms = response.wall_ms - response.echoed_wall_ms - round_trip_ms / 2;
  }
}

// Fast backtracking (§3.5): skips a whole term a round trip.
void Core::State::on_append_rejected(Progress& peer, const AppendEntriesResponse& response) {
  LogIndex next = response.conflict_index;
  if (response.conflict_term) {
    // The last entry of that term here, if any, is in the common prefix or before the conflict.
    if (std::optional<LogIndex> last = log.last_of_term(response.conflict_term)) {
      next = *last + 1;
    }
  }
  // One that needed a snapshot may have got it: then it is further than we thought.
  LogIndex ceiling = peer.state == PeerState::kSnapshot ? log.last_index() + 1 : peer.next;
  if (peer.state == PeerState::kProbe && ceiling > peer.match + 1) {
    ceiling = ceiling - 1;  // each rejection of a probe goes back at least one entry
  }
  next = std::max(std::min(next, ceiling), peer.match + 1);
  if (peer.state == PeerState::kSnapshot && !can_serve_from(next)) {
    return;
  }
  const bool stuck = peer.state == PeerState::kProbe && next == peer.next;
  peer.enter_probe(next);
  // It lacks what it acknowledged: its disk lied. Only the heartbeat asks again, not every answer.
  peer.probe_sent = stuck;
}

}  // namespace kiwi::raft
