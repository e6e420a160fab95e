// Proposals on their way into the log: forwarding from a follower, the order of each origin (F3,
// F4, F23), admission (F28), refusals. A leader that is not ready, or that hands over leadership,
// takes none: they wait at their origin, which is told from where to send as soon as that changes.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

namespace {

constexpr uint64_t kForwardBytesMax = 1 << 20;  // per Propose message; one proposal always fits

}  // namespace

void Core::State::propose(Proposal proposal) {
  CHECK_INVARIANT(proposal.number.group == options.group);
  if (proposal.number.epoch == options.boot_epoch) {
    last_given = std::max(last_given, proposal.number.sequence);
  }
  if (proposal.payload.size() > options.entry_bytes_max) {
    refuse(options.id, proposal.number, RefusalReason::kTooLarge, 0);
    return;
  }
  if (proposal.deadline_ms != 0) {
    proposal.deadline_ms += clock.now_ms() - clock.monotonic_ms();
  }
  if (Leader* leader = leading()) {
    admit(*leader, options.id, std::move(proposal));
    return;
  }
  if (removed) {
    refuse(options.id, proposal.number, RefusalReason::kNotMember, 0);
    return;
  }
  if (leader()) {
    forwarding.push_back(std::move(proposal));
  }  // else dropped: the origin sends again when it hears of a leader
}

void Core::State::flush_forwarding() {
  NodeId to = leader();
  std::vector<Proposal> all = std::exchange(forwarding, {});
  if (!to || to == options.id) {
    return;
  }
  Propose batch;
  uint64_t bytes = 0;
  for (Proposal& proposal : all) {
    if (!batch.proposals.empty() && bytes + proposal.payload.size() > kForwardBytesMax) {
      send(to, std::exchange(batch, {}));
      bytes = 0;
    }
    bytes += proposal.payload.size();
    batch.proposals.push_back(std::move(proposal));
  }
  if (!batch.proposals.empty()) {
    send(to, std::move(batch));
  }
}

void Core::State::on_propose(const Message& message, const Propose& propose) {
  if (propose.proposals.empty()) {
    return;
  }
  Leader* leader = leading();
  if (leader == nullptr) {
    refuse(message.from, propose.proposals.front().number, RefusalReason::kNotLeader, 0);
    return;
  }
  if (!counts(message.from, message.from_incarnation)) {
    refuse(message.from, propose.proposals.front().number, RefusalReason::kNotMember, 0);
    return;
  }
  for (const Proposal& proposal : propose.proposals) {
    if (proposal.number.node == message.from &&
        proposal.number.incarnation == message.from_incarnation &&
        proposal.number.group == options.group) {
      admit(*leader, message.from, proposal);
    }
  }
}

bool Core::State::accepts_proposals(const Leader& leader) const {
  return leader.ready && !leader.transfer;
}

void Core::State::admit(Leader& leader, NodeId from, Proposal proposal) {
  const ProposalNumber& number = proposal.number;
  if (!configuration().has(number.node, number.incarnation)) {
    refuse(from, number, RefusalReason::kNotMember, 0);  // F25
    return;
  }
  OriginKey key{number.node, number.incarnation};
  if (!accepts_proposals(leader)) {
    leader.turned_away.emplace(key, number);  // the first one is the oldest
    return;
  }
  auto [it, is_new] = leader.tails.try_emplace(key);
  OriginTail& tail = it->second;
  if (number.epoch < tail.epoch) {
    // F4: of an earlier start of that process. F52: if it is the present one, it runs on an old
    // copy of its directory, and waits for ever unless it is told.
    refuse(from, number, RefusalReason::kOldEpoch, 0);
    return;
  }
  const bool newer_epoch = number.epoch > tail.epoch;
  const uint64_t expect = newer_epoch ? 1 : tail.sequence + 1;
  if (number.sequence < expect) {
    return;  // in the log already
  }
  const bool behind_gap = number.sequence > expect && !(is_new && mutant(Mutant::kNoNoopGate));
  // F5: its clients were told TIMEOUT, or are about to be; it lay in a socket while this leader was
  // stopped. It is asked for again, and comes as void. An origin only estimates cluster time, but
  // whichever way it errs: what is not taken is sent again, and what is taken late is what was
  // taken without a deadline.
  const bool late = proposal.kind == EntryKind::kBatch && proposal.deadline_ms != 0 &&
                    proposal.deadline_ms < clock.now_ms();
  if (behind_gap || late) {
    if (tail.nacked_expect != expect || ticks - tail.nacked_tick >= options.heartbeat_ticks) {
      tail.nacked_expect = expect;
      tail.nacked_tick = ticks;
      refuse(from, number, RefusalReason::kGap, expect);
    }
    return;
  }
  if (proposal.payload.size() > options.entry_bytes_max) {
    refuse(from, number, RefusalReason::kTooLarge, 0);
    return;
  }
  if (proposal.kind == EntryKind::kBatch && disk_full) {
    refuse(from, number, RefusalReason::kDiskFull, 0);
    return;
  }
  // F3: a refused number is in no log of ours; all later ones meet a gap until it comes again.
  // Whatever its size a batch is admitted while there is room at all: one that is near the bound
  // would find the small ones of others before it for ever (F29).
  if (proposal.kind == EntryKind::kBatch && uncommitted_bytes >= options.uncommitted_bytes_max) {
    refuse(from, number, RefusalReason::kOverloaded, 0);
    return;
  }
  if (proposal.kind != EntryKind::kBatch && proposal.kind != EntryKind::kVoid) {
    return;
  }
  CHECK_INVARIANT(number.sequence == expect || mutant(Mutant::kNoNoopGate));  // F23
  tail = {number.epoch, number.sequence, 0, 0};
  append_own(proposal.kind, number, std::move(proposal.payload));
}

void Core::State::refuse(NodeId origin,
                         const ProposalNumber& number,
                         RefusalReason reason,
                         uint64_t expect) {
  CHECK_INVARIANT(reason == RefusalReason::kGap || expect == 0);
  ProposeRefused refused{reason, number, expect};
  if (origin == options.id) {
    effects.refused.push_back(refused);
  } else {
    send(origin, refused);
  }
}

// The no-op is applied: what is in the log is known, and so is the last number of each origin.
void Core::State::become_ready(Leader& leader, const std::vector<SessionRow>& sessions) {
  CHECK_INVARIANT(!leader.ready && applied >= leader.noop);
  leader.ready = true;
  for (const SessionRow& row : sessions) {
    leader.tails[{row.node, row.incarnation}] = {row.epoch, row.sequence, 0, 0};
  }
  announce();
  release_turned_away(leader);
}

// Liveness: spares origins that asked too early the wait for their own timeout.
void Core::State::release_turned_away(Leader& leader) {
  if (!accepts_proposals(leader)) {
    return;
  }
  for (const auto& [key, number] : std::exchange(leader.turned_away, {})) {
    auto it = leader.tails.find(key);
    OriginTail tail = it == leader.tails.end() ? OriginTail{} : it->second;
    if (number.epoch >= tail.epoch) {
      uint64_t expect = number.epoch > tail.epoch ? 1 : tail.sequence + 1;
      refuse(key.node, number, RefusalReason::kGap, expect);
    }
  }
}

}  // namespace kiwi::raft
