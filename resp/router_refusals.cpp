// Router: what waits here and is answered an error, because it cannot go on. See router_state.hpp.
#include <utility>
#include <vector>

#include "resp/router_state.hpp"

namespace kiwi::resp {

using router::Answer;
using router::Connection;
using router::Deferred;

void Router::State::refuse_deferred(Connection& c, Answer why, int64_t now_ms) {
  const bool stale_stay = !refusal(RequestKind::kStaleRead, now_ms);
  c.queue.remove_if([&](const Deferred& waiting) {
    const ReadOp& op = waiting.op;
    if (is_local(op.kind) && stale_stay) {
      return false;
    }
    answer(op.to, op.kind, why, op.packed);
    no_longer_deferred(op.packed.size());
    return true;
  });
}

// Answers what waits here, but for stale reads that can be served. What was handed over to Raft
// stays: it may be in a log.
void Router::State::refuse_waiting(Answer why, int64_t now_ms) {
  for (Connection* c : deferred) {
    refuse_deferred(*c, why, now_ms);
  }
  for (router::OpenBatch& batch : open) {
    kill_open(batch, why, now_ms);
  }
  auto refuse_reads = [&](std::vector<router::WaitingRead>& reads) {
    std::vector<router::WaitingRead> refused = std::exchange(reads, {});
    for (router::WaitingRead& read : refused) {
      answer(read.op.to, read.op.kind, why, read.op.packed);
      read_over(*read.connection, 1, 1);
    }
  };
  refuse_reads(gathering);
  if (round) {
    refuse_reads(round->reads);
    round.reset();
  }
  if (service != Service::kUp) {
    refuse_indexed(why);
    for (const ReadOp& op : std::exchange(stale, {})) {
      answer(op.to, op.kind, why);
    }
    for (const router::Run& run : std::exchange(stale_runs, {})) {
      read_over(*run.connection, run.count, 0);
    }
  }
}

// F25: the leader says that this node is not a member, so nothing that waits here may ever end. It
// need not be final (a removal that was not committed can be taken back), so this does not decide
// whether the node serves: set_service() does. Numbers that were handed over stay, to be sent as
// void.
void Router::State::give_up(int64_t now_ms) {
  for (router::Pending& p : pending) {
    time_out(p);
  }
  refuse_waiting(service == Service::kRemoved ? Answer::kRemoved : Answer::kNoLeader, now_ms);
  for (auto& [id, record] : executing) {
    if (!std::exchange(record.cancelled, true)) {
      effects.cancel_reads.push_back(id);
    }
  }
}

}  // namespace kiwi::resp
