// Router: serves for clients that wait (F31), and what goes with connections that are gone. See
// router_state.hpp.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "resp/router_state.hpp"

namespace kiwi::resp {

using router::Answer;
using router::Connection;
using router::Deferred;
using router::OpenBatch;
using router::Run;

// ---------------------------------------------------------------- serves

// Writes of this node. No connection's order holds for them: their clients have asked for nothing
// else.
void Router::serves(std::vector<Serve> serves, int64_t now_ms) {
  State& s = *state_;
  for (const Serve& serve : serves) {
    CHECK_INVARIANT(serve.waiter != 0 && !serve.packed.empty());
    const auto client = s.connections.find(serve.to.connection);
    const bool known = client != s.connections.end();
    const auto refusal =
        s.refusal(known ? client->second : s.internal, RequestKind::kWrite, serve.packed, now_ms);
    if (known && serve.to.slot < client->second.waits_from) {
      s.effects.serves_returned.push_back(serve.waiter);  // behind `answered`: it waits no longer
    } else if (refusal == Answer::kMoved || refusal == Answer::kReadOnly ||
               refusal == Answer::kRemoved) {
      s.answer(serve.to, RequestKind::kWrite, *refusal, serve.packed);
      s.effects.serves_answered.push_back(serve.waiter);
    } else if (!known || client->second.closed) {
      s.effects.gone.push_back(serve.to.connection);
      s.effects.serves_returned.push_back(serve.waiter);
    } else if (refusal || s.disk_refusal(now_ms)) {
      s.effects.serves_returned.push_back(serve.waiter);
    } else {
      s.add_write(s.internal, {serve.to, RequestKind::kWrite, serve.resp_version, serve.packed,
                               now_ms, false, nullptr, 0, serve.waiter});
    }
  }
}

// The executor may have begun the wait already, or found its serve in vain, and its report that
// asks for a serve be on its way: that would take an element for nobody. One number is enough,
// since slots of a connection ascend. Settling the batch does not end it: the serve stands behind
// that in the same report.
void Router::State::wait_answered(const ReplySlot& to) {
  effects.answered.push_back(to);
  if (const auto client = connections.find(to.connection); client != connections.end()) {
    uint64_t& waits_from = client->second.waits_from;
    waits_from = std::max(waits_from, to.slot + 1);
  }
}

void Router::set_waiting_clients(bool any) { state_->waiting_clients = any; }

// Its session says that it is in a blocking command, and that is still on its way: the executor
// would say that nobody waits. A session in a blocking command asks nothing else, so this ends.
bool Router::State::comes_too_early(std::string_view unblock) const {
  PackedCommand command;
  if (!unpack_command(unblock, command) || command.args.size() != 5) {
    return false;
  }
  const auto id = parse_decimal(command.args[2]);
  const auto target = id ? connections.find(*id) : connections.end();
  if (target == connections.end() || target->second.closed) {
    return false;
  }
  // Its queue says nothing: there this one may stand itself.
  return target->second.open_ops + target->second.pending_ops + target->second.reads_out != 0;
}

// ---------------------------------------------------------------- connections that are gone

// What the others have in the batch stays in its order. The runs are the caller's to correct.
template <class Gone>
size_t Router::State::drop_from(OpenBatch& batch, Gone&& gone) {
  const SharedBytes payload = batch.builder.take();
  BatchReader commands(payload.view());
  std::vector<PendingOp> ops = std::exchange(batch.ops, {});
  router::take_off(waiting_bytes, std::exchange(batch.bytes, 0));
  if (commands.acl_version()) {
    batch.builder.set_acl_version(*commands.acl_version());
  }
  size_t dropped = 0;
  for (PendingOp& op : ops) {
    const std::string_view packed =
        op.kind == RequestKind::kWrite ? commands.next().value_or("") : op.packed.view();
    if (gone(op)) {
      ++dropped;
      continue;
    }
    if (op.kind == RequestKind::kWrite) {
      batch.builder.add(packed);
    }
    batch.bytes += packed.size();
    batch.ops.push_back(std::move(op));
  }
  waiting_bytes += batch.bytes;
  batch.dead = batch.ops.empty();
  return dropped;
}

void Router::State::drop_waiting(Connection& c) {
  c.queue.remove_if([this](const Deferred& waiting) {
    no_longer_deferred(waiting.op.packed.size());
    return true;
  });
  for (OpenBatch& batch : open) {
    if (c.open_ops == 0) {
      break;
    }
    if (std::ranges::any_of(batch.runs, [&](const Run& run) { return run.connection == &c; })) {
      c.open_ops -= drop_from(
          batch, [&](const PendingOp& op) { return op.to.connection == c.id && op.waiter == 0; });
      std::erase_if(batch.runs, [&](const Run& run) { return run.connection == &c; });
    }
  }
}

// What its wait would have taken stays: nothing of it is in any log yet.
void Router::State::drop_serves(ConnectionId gone) {
  const auto is_of_gone = [gone](const PendingOp& op) {
    return op.waiter != 0 && op.to.connection == gone;
  };
  for (OpenBatch& batch : open) {
    if (batch.dead || std::ranges::none_of(batch.ops, is_of_gone)) {
      continue;
    }
    for (const PendingOp& op : batch.ops) {
      if (is_of_gone(op)) {
        effects.serves_returned.push_back(op.waiter);
      }
    }
    effects.gone.push_back(gone);
    size_t dropped = drop_from(batch, is_of_gone);
    router::take_off(internal.open_ops, dropped);
    router::take_off(open_serves, dropped);
    for (Run& run : batch.runs) {
      const size_t part = run.connection == &internal ? std::min(run.count, dropped) : 0;
      run.count -= part;
      dropped -= part;
    }
    CHECK_INVARIANT(dropped == 0);
  }
}

void Router::connection_closed(ConnectionId connection) {
  State& s = *state_;
  auto it = s.connections.find(connection);
  if (it == s.connections.end()) {
    return;
  }
  if (s.open_serves != 0) {
    s.drop_serves(connection);
  }
  // Its reads are dropped where they are found; its writes were sent and stay. But while too much
  // waits here they go with their connection, whose session was what bounded them: others could
  // come, write and go without end.
  it->second.closed = true;
  if (s.waiting_bytes > s.options.inflight_bytes_max) {
    s.drop_waiting(it->second);
  }
  s.pump(it->second);
  s.forget_if_done(it->second);
}

}  // namespace kiwi::resp
