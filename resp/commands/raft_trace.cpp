// RAFT.TRACE: where batches spend their time (batch_trace.hpp).
#include <algorithm>
#include <string>

#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// Each stage as microseconds since the first that this node saw, -1: it was not seen.
void write_batch(const BatchTrace::Batch& batch, int64_t wall_ahead_us, ReplyWriter& reply) {
  int64_t first_us = INT64_MAX;
  for (const int64_t at_us : batch.at_us) {
    first_us = at_us == 0 ? first_us : std::min(first_us, at_us);
  }
  CHECK_INVARIANT(first_us != INT64_MAX);
  constexpr size_t kOthers = 7;
  reply.map(kOthers + kTraceStages);
  reply.bulk("batch");
  reply.bulk(std::to_string(batch.key.node.value) + ":" + std::to_string(batch.key.epoch) + ":" +
             std::to_string(batch.key.sequence));
  reply.bulk("commands");
  reply.integer(static_cast<int64_t>(batch.commands));
  reply.bulk("bytes");
  reply.integer(static_cast<int64_t>(batch.bytes));
  reply.bulk("index");
  reply.integer(static_cast<int64_t>(batch.index.value));
  reply.bulk("term");
  reply.integer(static_cast<int64_t>(batch.term.value));
  reply.bulk("leader");
  reply.integer(static_cast<int64_t>(batch.leader.value));
  reply.bulk("began");  // by the wall clock, microseconds since the epoch
  reply.integer(first_us + wall_ahead_us);
  for (size_t i = 0; i < kTraceStages; ++i) {
    reply.bulk(name_of(static_cast<TraceStage>(i)));
    reply.integer(batch.at_us[i] == 0 ? -1 : batch.at_us[i] - first_us);
  }
}

void get(Session& session, Args args, ReplyWriter& reply) {
  constexpr int64_t kUsual = 10;
  const std::optional<int64_t> asked = args.size() == 2 ? kUsual : parse_integer(args[2]);
  if (!asked || *asked < -1) {
    return reply.error("ERR count should be greater than or equal to -1");
  }
  const NodeContext& node = session.state().node;
  const std::deque<BatchTrace::Batch>& batches = node.trace.newest_first();
  const size_t count =
      *asked == -1 ? batches.size() : std::min(batches.size(), static_cast<size_t>(*asked));
  const int64_t wall_ahead_us = node.wall_microseconds() - node.monotonic_ms() * 1000;
  reply.array(count);
  for (size_t i = 0; i < count; ++i) {
    write_batch(batches[i], wall_ahead_us, reply);
  }
}

}  // namespace

void raft_trace(Session& session, Args args, ReplyWriter& reply) {
  BatchTrace& trace = session.state().node.trace;
  const std::string_view action = args[1];
  if (same_word(action, "on") && args.size() == 3) {
    const std::optional<int64_t> every = parse_integer(args[2]);
    if (!every || *every < 1) {
      return reply.error("ERR every how many batches? A number from 1 on");
    }
    trace.set_every(static_cast<uint64_t>(*every));
    return reply.ok();
  }
  if (same_word(action, "off") && args.size() == 2) {
    trace.set_every(0);
    return reply.ok();
  }
  if (same_word(action, "get") && args.size() <= 3) {
    return get(session, args, reply);
  }
  if (same_word(action, "reset") && args.size() == 2) {
    trace.clear();
    return reply.ok();
  }
  reply.error("ERR RAFT.TRACE takes ON n, OFF, GET [count] or RESET");
}

}  // namespace kiwi::resp::commands
