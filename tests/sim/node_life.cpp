// The rest of a node's life, with the classes that actors/node composes: operators' orders and
// their way to whoever leads (Orders), and when the log is cut (LogCutter).
#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "raft/members_at_start.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kOrderTimeoutMs = 2'500;
constexpr int64_t kOrderPatienceMs = 5'000;  // the longest of those that are given here
constexpr uint64_t kNoMatter = uint64_t{1} << 60;

}  // namespace

void Node::begin_life(const raft::StartState& start) {
  raft::MembersAtStart members = raft::members_at_start(start).value();
  facts_ = {};
  facts_.self = id_;
  facts_.boot_epoch = executor_options_.epoch;
  facts_.core_runs = true;
  facts_.latest = std::move(members.latest);
  facts_.committed = std::move(members.committed);
  orders_ = std::make_unique<actors::Orders>(facts_, kOrderTimeoutMs);
  orders_given_ms_.clear();
  home_ = std::make_unique<actors::Homecoming>(facts_);
  cutter_ = {};
}

// ---------------------------------------------------------------- orders

void Node::order(actors::AdminOrder what) {
  client_input([this, what = std::move(what)]() mutable {
    const int64_t now_ms = monotonic_ms();
    orders_given_ms_[orders_->give(std::move(what), now_ms)] = now_ms;
    carry_out_orders();
  });
}

void Node::take_note(NodeId from, std::string bytes) {
  client_input([this, from, bytes = std::move(bytes)] {
    actors::NodeNote note = actors::decode_note(bytes).value();
    if (auto* order = std::get_if<actors::OrderNote>(&note)) {
      world_.coverage.hit(Mark::kOrderForwarded);
      orders_->take(from, std::move(*order), monotonic_ms());
    } else if (const auto* answer = std::get_if<actors::OrderAnswerNote>(&note)) {
      orders_->take(from, *answer, monotonic_ms());
    }
    carry_out_orders();
  });
}

void Node::observe_life(const raft::Event& event) {
  if (const auto* changed = std::get_if<raft::ConfigurationChanged>(&event)) {
    facts_.latest = changed->configuration;
    facts_.committed = changed->committed ? changed->configuration : facts_.committed;
  } else if (const auto* done = std::get_if<raft::MembershipDone>(&event)) {
    if (done->id.asker == raft::Asker::kOrder) {
      orders_->change_done(*done, monotonic_ms());
    }
  } else if (const auto* lives = std::get_if<raft::MemberLives>(&event)) {
    orders_->member_lives(*lives);
  }
  orders_->drive(monotonic_ms());
  carry_out_orders();
}

void Node::life_tick() {
  const int64_t now_ms = monotonic_ms();
  orders_->drive(now_ms);
  carry_out_orders();
  for (const auto& [order, given_ms] : orders_given_ms_) {
    if (now_ms - given_ms > kOrderPatienceMs) {
      throw Violation{
          "orders are answered",
          "node " + std::to_string(id_.value) + " has not answered order " + std::to_string(order)};
    }
  }
  const bool told = facts_.raft.id == id_;  // how long the log is
  if (told && world_.options.snapshot_entries != 0) {
    cutter_.tick(log_now(), now_ms);
    carry_out_cuts();
  }
}

void Node::carry_out_orders() {
  actors::OrderEffects effects = orders_->take_effects();
  for (const auto& answered : effects.answered) {
    if (orders_given_ms_.erase(answered.order) != 1) {
      throw Violation{"orders are answered",
                      "order " + std::to_string(answered.order) + " was answered twice"};
    }
    world_.coverage.hit(answered.answer.done()           ? Mark::kOrderDone
                        : answered.answer.may_come_yet() ? Mark::kOrderUnknown
                                                         : Mark::kOrderRefused);
    world_.trace("ordered", id_, answered.order, static_cast<uint64_t>(answered.answer.refusal));
  }
  carry_out(std::move(effects.requests));
}

void Node::carry_out(actors::ReplicaRequests requests) {
  for (actors::ReplicaRequest& request : requests) {
    if (auto* note = std::get_if<actors::PeerNote>(&request)) {
      world_.network.tell(id_, note->peer, std::move(note->bytes));
      continue;
    }
    raft_input([this, request = std::move(request)] {
      if (const auto* change = std::get_if<actors::ChangeMembership>(&request)) {
        core_->change_membership(change->id, change->change);
      } else if (const auto* transfer = std::get_if<actors::TransferLeadership>(&request)) {
        core_->transfer_leadership(transfer->id, transfer->target);
      } else {
        core_->member_returned(std::get<actors::MemberReturned>(request).member);
      }
    });
  }
}

// ---------------------------------------------------------------- flush and cut

actors::LogNow Node::log_now() const {
  const raft::Status& raft = facts_.raft;
  return {{world_.options.snapshot_entries, world_.options.keep_entries, kNoMatter,
           world_.options.keep_laggards},
          {raft.first_index, raft.last_index, raft.snapshot_index, applied(), 0, 1}};
}

void Node::flush_state() {
  state_->keyspace().flush();
  world_.trace("flush", id_, applied().value, 0);
  if (world_.options.snapshot_entries != 0 && world_.prng.chance(3, 4)) {
    cutter_.cut_now(actors::LogCutter::Cut::kUsual, monotonic_ms());
    carry_out_cuts();
  }
}

// F13: the bound is what the flushed state says of itself.
void Node::carry_out_cuts() {
  for (actors::LogCutterEffects effects = cutter_.take_effects();
       !effects.flushes.empty() || !effects.cuts.empty(); effects = cutter_.take_effects()) {
    for (const auto& flush : effects.flushes) {
      state_->keyspace().flush();
      const rocks::AppliedRecord flushed = record_of(state_->flushed());
      cutter_.flushed(flush.id, flushed.index, flushed.term, log_now(), monotonic_ms());
    }
    for (const actors::CompactLog& cut : effects.cuts) {
      raft_input([this, cut] { compact(cut); });
    }
  }
}

void Node::compact(const actors::CompactLog& cut) {
  const LogIndex before = core_->status().first_index;
  const LogIndex first =
      core_->compact(cut.flushed, cut.term, cut.keep_entries, cut.keep_for_laggards_entries);
  if (first != before) {
    world_.coverage.hit(Mark::kLogCut);
    if (first + cut.keep_entries < cut.flushed + 1) {
      world_.coverage.hit(Mark::kCutBelowPin);
    }
  }
}

}  // namespace kiwi::sim
