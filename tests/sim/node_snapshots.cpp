// Snapshots in a node: the copy that is sent, and the steps of an
// installation (F14): decide on the raft loop, one commit point on the log disk, swap on the client
// loop.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "rocks/keys.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

raft::Configuration members_of(const Maps& maps) {
  std::string key;
  rocks::keys::configuration_record(key);
  const auto& system = maps[static_cast<size_t>(rocks::Family::kSystem)];
  return raft::decode_configuration(system.at(key)).value();
}

}  // namespace

Copy Node::checkpoint() {
  const bool from_memory = world_.options.mutant == "checkpoint-index-from-memory";
  if (!from_memory) {
    state_->keyspace().flush();
  }
  Copy copy;
  copy.maps = state_->flushed();
  const rocks::AppliedRecord record = record_of(from_memory ? state_->committed() : copy.maps);
  copy.meta.index = record.index;
  copy.meta.term = record.term;
  copy.meta.configuration = members_of(copy.maps);
  if (copy.meta.configuration != world_.checks.configuration_at(record.index)) {
    throw Violation{"snapshots", "node " + std::to_string(id_.value) + " has other members at " +
                                     std::to_string(record.index.value) + " than the log"};
  }
  return copy;
}

bool Node::pin(NodeId follower, LogIndex index) { return core_->snapshot_pinned(follower, index); }

void Node::transfer_ended(NodeId receiver, LogIndex installed, bool ok) {
  raft_input([this, receiver, installed, ok] { core_->snapshot_done(receiver, installed, ok); });
}

// ---------------------------------------------------------------- installing

void Node::receive(std::shared_ptr<const Copy> copy,
                   Term sender_term,
                   std::function<void(LogIndex, bool)> done) {
  raft_input([this, copy = std::move(copy), sender_term, done = std::move(done)] {
    const raft::Status before = core_->status();
    switch (core_->snapshot_received(copy->meta, sender_term)) {
      case raft::SnapshotVerdict::kIgnored:
        world_.coverage.hit(Mark::kVerdictIgnored);
        done(before.commit, before.commit >= copy->meta.index);
        return;
      case raft::SnapshotVerdict::kCommitMoved:
        world_.coverage.hit(Mark::kVerdictCommitMoved);
        done(copy->meta.index, true);
        return;
      case raft::SnapshotVerdict::kInstall:
        break;
    }
    world_.coverage.hit(Mark::kVerdictInstall);
    world_.trace("install", id_, copy->meta.index.value, before.last_index.value);
    if (!before.last_index) {
      world_.coverage.hit(Mark::kNewcomerInstalled);
    }
    // The directory is there, whole and synced, before the log names it.
    installing_ = Installing{copy, "state-" + std::to_string(++states_made_), done, false};
    install_due_ = true;
    auto state = make_store();
    state->become(copy->maps, copy->meta.index);
    states_[installing_->name] = std::move(state);
    if (world_.prng.chance(1, 8)) {
      world_.crash_in(*this, 3 * disk_delay_us_);
    }
  });
}

// After the turn's own write, so that what the core wrote before is not written after.
void Node::queue_install() {
  if (installing_ && !std::exchange(installing_->queued, true)) {
    write(Install{installing_->copy->meta, installing_->name});
  }
}

void Node::installed_on_disk() {
  client_input([this] { swap_state(); });
}

void Node::swap_state() {
  executor_turns();  // what the old one has to say
  stop_long_reads();
  const Installing now = *std::exchange(installing_, std::nullopt);
  StateStore& fresh = *states_.at(now.name);
  auto executor = std::make_unique<resp::Executor>(fresh.keyspace(), executor_options_);
  executor->take_over(*executor_);
  executor_ = std::move(executor);
  state_ = &fresh;
  room_awaited_ = false;
  std::erase_if(states_, [&](const auto& state) { return state.first != now.name; });
  world_.checks.on_state(*this, applied(), executor_->state_checksum());
  CHECK_INVARIANT(applied() == now.copy->meta.index);
  gate_->applied(applied());
  const uint64_t pending = router_->status().pending_batches;
  for (const raft::SessionRow& row : executor_->session_rows()) {
    if (row.node == id_ && row.incarnation == incarnation_) {
      router_->session_row(row.epoch, row.sequence, monotonic_ms());  // F22
    }
  }
  if (router_->status().pending_batches < pending) {
    world_.coverage.hit(Mark::kRepliesSwallowed);
  }
  world_.coverage.hit(Mark::kInstalled);
  raft_input(
      [this, now, stamp = executor_->applied_stamp_ms(), sessions = executor_->session_rows()] {
        core_->snapshot_installed(now.copy->meta, stamp, sessions);
        log_terms_ = world_.checks.committed_terms(now.copy->meta.index);
        just_installed_ = true;
        now.done(now.copy->meta.index, !world_.prng.chance(1, 4));  // the answer may get lost
      });
  update_service();
}

}  // namespace kiwi::sim
