// Executor: reads at an index, and what is due to expire.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/acl/permission.hpp"
#include "resp/command_keys.hpp"
#include "resp/executor_state.hpp"
#include "resp/mutants.hpp"
#include "resp/types/reclaim.hpp"

namespace kiwi::resp {

bool Executor::State::turn_is_full() const {
  return turn_commands >= options.turn_commands_max || replies.bytes() >= turn_reply_bytes;
}

bool Executor::State::run_short_read(const ReadOp& op,
                                     bool clamped,
                                     Decoded& decoded,
                                     const Moment& moment,
                                     ReplyGroups::Draft& draft) {
  context.forget_ttl();
  stopwatch.whose(op.to.connection);
  asking = op.to.connection;
  may_put_aside = options.long_read_elements != 0;
  run_read(asker_of(op), decoded, moment, draft);
  may_put_aside = false;
  const bool is_long = std::exchange(put_aside, false);
  if (is_long || (clamped && context.met_ttl())) {
    stopwatch.lap(nullptr, {});  // it is executed again
  } else {
    end_lap(decoded);
  }
  return is_long;
}

// F9: the reader's clock never goes below the applied stamp. A clock that was held back and met a
// live key with a deadline cannot tell whether it is over: this read and what its connection asked
// behind it have to be asked again. So does a long one, which cannot be put aside with such a
// clock.
bool Executor::State::run_batch(WaitingReads& reads) {
  ReadBatch& batch = reads.batch;
  CHECK_INVARIANT(reads.next <= batch.ops.size() && !put_aside && !may_put_aside);
  const int64_t stamp_ms = database.record().stamp_ms;
  const bool old_clock = store == nullptr && mutant(Mutant::kLongReadOldClock);
  Moment moment{.now_ms = old_clock ? batch.now_ms : std::max(stamp_ms, batch.now_ms),
                .seed = database.record().index.value ^ batch.seed,
                .ordinal = 0,
                .may_write = false};
  look.begin(cluster_version);
  stopwatch.begin();
  auto ahead = [&ops = batch.ops, to_come = reads.next]() mutable {
    return to_come < ops.size() ? std::optional<std::string_view>(ops[to_come++].packed.view())
                                : std::nullopt;
  };
  for (size_t& i = reads.next; i < batch.ops.size(); ++i) {
    if (turn_is_full()) {
      return false;
    }
    Decoded& decoded = look.next(ahead);
    ReadOp& op = batch.ops[i];
    ReplyGroups::Draft draft = replies.begin(op.to);
    if (draft.batch == nullptr) {
      continue;
    }
    bool again = std::find(reads.stopped.begin(), reads.stopped.end(), op.to.connection) !=
                 reads.stopped.end();
    if (!again && has_aside(op.to.connection)) {  // F44
      if (!batch.clamped) {
        const bool is_long = foreseen_long(op.kind, decoded, moment);
        put_read_aside(batch.id, std::move(op), moment, draft, decoded, is_long);
        continue;
      }
      again = true;
      reads.stopped.push_back(op.to.connection);
    }
    again = again || !may_run(batch, op, decoded, moment);
    if (!again) {
      const bool is_long = run_short_read(op, batch.clamped, decoded, moment, draft);
      if (is_long && !batch.clamped) {
        replies.discard(draft);
        put_read_aside(batch.id, std::move(op), moment, draft, decoded, true);
        continue;
      }
      again = batch.clamped && (is_long || context.met_ttl());
      if (again) {
        drop_read(draft);
        reads.stopped.push_back(op.to.connection);
      }
    }
    if (again) {
      reads.again.push_back(std::move(op));
    } else {
      remember_keys(op.to, decoded);
      end_read(draft, op.to.slot);
    }
  }
  CHECK_INVARIANT(reads.again.size() <= batch.ops.size());
  if (reads.again.size() < batch.ops.size() || batch.ops.empty()) {
    effects.reads.done.push_back(batch.id);
  }
  if (!reads.again.empty()) {
    batch.ops = std::move(reads.again);
    effects.reads.again.push_back(std::move(batch));
  }
  return true;
}

// Its view is made after this turn's commit, from what this turn would have read.
void Executor::State::put_read_aside(uint64_t batch,
                                     ReadOp&& op,
                                     const Moment& moment,
                                     const ReplyGroups::Draft& draft,
                                     const Decoded& decoded,
                                     bool is_long) {
  const ConnectionId connection = op.to.connection;
  AsideOf& of = aside_of[connection];
  if (is_long && (long_aside >= options.long_reads_max ||
                  of.long_ones >= options.long_reads_of_connection_max)) {
    if (of.ids.empty()) {
      aside_of.erase(connection);
    }
    RespWriter(draft.bytes(), op.resp_version).error(texts::kTooManyLongReads);
    draft.batch->failed_watch = draft.batch->failed_watch || op.kind == RequestKind::kWatch;
    replies.end(draft, op.to.slot);
    return;
  }
  constexpr uint64_t kOwnIds = uint64_t{1} << 63;  // the router counts from 1
  const uint64_t id = kOwnIds | ++long_reads;
  const bool is_new = aside.emplace(id, Aside{connection, is_long}).second;
  CHECK_INVARIANT(is_new);
  of.ids.insert(id);
  of.long_ones += is_long ? 1 : 0;
  long_aside += is_long ? 1 : 0;
  CHECK_INVARIANT(of.long_ones <= of.ids.size() && long_aside <= aside.size());
  if (op.kind == RequestKind::kBlocking) {
    op.kind = RequestKind::kRead;  // there is something: it does not wait
  }
  remember_aside(id, op.to, decoded);           // a view into op.packed
  op.packed = PackedBytes::copy_of(op.packed);  // it takes long, and should keep nothing else
  effects.reads.split.push_back({batch, id, connection, is_linear(op.kind)});
  effects.long_reads.push_back(
      {id, std::move(op), moment.now_ms, ++reads_executed, options.reply_bytes_max,
       scripts.shared_read_scripts(),
       options.measures != nullptr ? std::optional(options.measures->clock()) : std::nullopt,
       context.user_view().get()});
}

void Executor::State::forget_aside(uint64_t id) {
  const Aside gone = aside.extract(id).mapped();
  auto it = aside_of.find(gone.connection);
  CHECK_INVARIANT(it != aside_of.end() && it->second.ids.contains(id));
  CHECK_INVARIANT(!gone.is_long || (it->second.long_ones != 0 && long_aside != 0));
  it->second.ids.erase(id);
  it->second.long_ones -= gone.is_long ? 1 : 0;
  long_aside -= gone.is_long ? 1 : 0;
  if (it->second.ids.empty()) {
    aside_of.erase(it);
  }
}

void Executor::long_read_done(LongReadResult result) {
  State& s = *state_;
  if (!s.aside.contains(result.id)) {
    return;  // its client left
  }
  if (result.replies.more) {
    CHECK_INVARIANT(result.replies.read == result.id);
    s.long_replies.push_back(std::move(result.replies));
    return;
  }
  s.forget_aside(result.id);
  s.context.add(result.stats);
  s.measured_aside(result);
  s.long_answered.push_back(result.id);
  s.reads_done.push_back(result.id);
  s.long_replies.push_back(std::move(result.replies));
}

void Executor::State::measured_aside(const LongReadResult& result) {
  if (options.measures == nullptr || result.measures == nullptr) {
    return;
  }
  options.measures->add(*result.measures);
  Decoded decoded;
  decode(result.packed.view(), cluster_version, decoded);
  if (decoded.row != nullptr) {
    options.measures->executed_elsewhere(*decoded.row, result.executed_ns,
                                         result.replies.connection, decoded.command.args);
  }
}

// A notice that left before these replies would be forgotten by the client that then caches them.
void Executor::State::take_long_replies(std::vector<ReplyBatch>& taken) {
  std::ranges::move(std::exchange(long_replies, {}), std::back_inserter(taken));
  for (const uint64_t id : std::exchange(long_answered, {})) {
    if (KeyTracker* tracker = database.outward().tracker()) {
      tracker->answered(id);
    }
  }
}

bool Executor::State::run_ready_reads() {
  turn_commands = 0;
  turn_reply_bytes = replies.bytes() + options.turn_bytes_max;
  while (!waiting.empty() &&
         (waiting.begin()->first <= database.record().index || mutant(Mutant::kReadBeforeIndex))) {
    if (!run_batch(waiting.begin()->second)) {
      return true;
    }
    waiting.erase(waiting.begin());
  }
  return false;
}

// One walk for all: many reads run out of time together.
void Executor::cancel_reads(const std::vector<uint64_t>& ids) {
  State& s = *state_;
  std::vector<uint64_t> waiting;
  for (const uint64_t id : ids) {
    if (s.aside.contains(id)) {
      s.long_reads_expired.push_back(id);
    } else {
      waiting.push_back(id);
    }
  }
  std::sort(waiting.begin(), waiting.end());
  // The turn's replies are another thing: it may rest in the middle of one. Then nothing is read
  // that could be, either.
  ReplyGroups replies(s.options.reply_bytes_max);
  auto it = s.rests ? s.waiting.begin() : s.waiting.upper_bound(applied());
  while (!waiting.empty() && it != s.waiting.end()) {
    const ReadBatch& batch = it->second.batch;
    if (it->second.next != 0 || !std::binary_search(waiting.begin(), waiting.end(), batch.id)) {
      ++it;
      continue;
    }
    for (const ReadOp& op : batch.ops) {
      ReplyGroups::Draft draft = replies.begin(op.to);
      RespWriter(draft.bytes(), op.resp_version).error(texts::kReadTimeout);
      if (draft.batch != nullptr && op.kind == RequestKind::kWatch) {
        draft.batch->failed_watch = true;
      }
      replies.end(draft, op.to.slot);
    }
    s.reads_done.push_back(batch.id);
    it = s.waiting.erase(it);
  }
  std::ranges::move(replies.take(), std::back_inserter(s.long_replies));
}

std::optional<int64_t> Executor::due_since(int64_t now_ms) {
  CHECK_INVARIANT(!state_->rests);
  return resp::due_since(state_->database, now_ms);
}

std::string Executor::expire_command(uint64_t most) {
  std::string command;
  const std::string text = std::to_string(most);
  const std::string_view argv[] = {"kiwi.expire", text};
  pack_command(command, 0, argv);
  return command;
}

std::string Executor::compare_command() {
  std::string command;
  const std::string_view argv[] = {"kiwi.compare"};
  pack_command(command, 0, argv);
  return command;
}

void Executor::State::watch(const Decoded& decoded,
                            int64_t now_ms,
                            const ReplyGroups::Draft& draft,
                            int version) {
  RespWriter reply(draft.bytes(), version);
  if (draft.batch == nullptr) {
    return;
  }
  const PackedCommand& command = decoded.command;
  if (decoded.row == nullptr) {
    reply.error(kInternalError);
    return;
  }
  if (may_put_aside && command.args.size() > options.long_read_elements) {
    put_aside = true;
    return;
  }
  by_user = command.user.has_value();
  asked_by(command, kUnchecked);
  if (asker_gone) [[unlikely]] {  // MIGRATE watches, too, for who may not say WATCH
    draft.batch->failed_watch = true;
    return reply.error(acl::refusal_text(acl::Denied::kCommand, *decoded.row));
  }
  bool has_ttl = false;
  database.begin_command();
  for (const FoundKey& key : keys_of(*decoded.row, command.args)) {
    draft.batch->tokens.push_back(database.watch(command.database, key.name, now_ms, has_ttl));
  }
  if (has_ttl) {
    context.saw_ttl();
  }
  reply.ok();
}

}  // namespace kiwi::resp
