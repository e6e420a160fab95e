// Executor: reads at an index, and what is due to expire.
#include <algorithm>
#include <utility>

#include "resp/executor_state.hpp"
#include "resp/mutants.hpp"

namespace kiwi::resp {

bool Executor::State::turn_is_full() const {
  return turn_commands >= options.turn_commands_max || replies.bytes() >= options.turn_bytes_max;
}

// F9: the reader's clock never goes below the applied stamp. A clock that was held back and met a
// live key with a deadline cannot tell whether it is over: this read and what its connection asked
// behind it have to be asked again.
bool Executor::State::run_batch(WaitingReads& reads) {
  ReadBatch& batch = reads.batch;
  Moment moment{.now_ms = std::max(database.record().stamp_ms, batch.now_ms),
                .seed = database.record().index.value,
                .ordinal = 0,
                .may_write = false};
  LookAhead look(database);
  auto ahead = [&ops = batch.ops, to_come = reads.next]() mutable {
    return to_come < ops.size() ? std::optional<std::string_view>(ops[to_come++].packed)
                                : std::nullopt;
  };
  for (size_t& i = reads.next; i < batch.ops.size(); ++i) {
    if (turn_is_full()) {
      return false;
    }
    look.step(ahead);
    ReadOp& op = batch.ops[i];
    ReplyGroups::Draft draft = replies.begin(op.to);
    if (draft.batch == nullptr) {
      continue;
    }
    bool again = std::find(reads.stopped.begin(), reads.stopped.end(), op.to.connection) !=
                 reads.stopped.end();
    if (!again) {
      context.forget_ttl();
      // A clamped one may have to be asked again, with all that its connection asked behind it.
      may_put_aside = options.long_read_elements != 0 && !batch.clamped;
      run_read(op.kind, op.packed, op.resp_version, moment, draft);
      may_put_aside = false;
      if (std::exchange(put_aside, false)) {
        replies.discard(draft);
        put_long_read_aside(batch.id, std::move(op), moment);
        continue;
      }
      again = batch.clamped && context.met_ttl();
      if (again) {
        replies.discard(draft);
        reads.stopped.push_back(op.to.connection);
      }
    }
    if (again) {
      reads.again.push_back(std::move(op));
    } else {
      replies.end(draft, op.to.slot);
    }
  }
  if (reads.again.size() < batch.ops.size() || batch.ops.empty()) {
    effects.reads_done.push_back(batch.id);
  }
  if (!reads.again.empty()) {
    batch.ops = std::move(reads.again);
    effects.reads_again.push_back(std::move(batch));
  }
  return true;
}

// Its picture is made after this turn's commit, from what this turn would have read.
void Executor::State::put_long_read_aside(uint64_t batch, ReadOp&& op, const Moment& moment) {
  constexpr uint64_t kOwnIds = uint64_t{1} << 63;  // the router counts from 1
  LongRead read{kOwnIds | ++long_reads, std::move(op), moment};
  read.moment.seed ^= reads_executed;  // as run_read()
  effects.reads_split.push_back(
      {batch, read.id, read.op.to.connection, read.op.kind != RequestKind::kStaleRead});
  effects.long_reads.push_back(std::move(read));
}

void Executor::long_read_done(LongReadResult result) {
  State& s = *state_;
  s.context.add(result.stats);
  s.effects.reads_done.push_back(result.id);
  if (result.bytes.size() > UINT32_MAX) {  // parts have 32 bits for it
    result.bytes.clear();
    ReplyWriter(&result.bytes, 2).error("ERR the reply is too large");
  }
  ReplyBatch& batch = s.long_replies.emplace_back();
  batch.connection = result.to.connection;
  batch.parts.push_back({result.to.slot, 0, static_cast<uint32_t>(result.bytes.size())});
  batch.bytes = std::move(result.bytes);
}

bool Executor::State::run_ready_reads() {
  turn_commands = 0;
  while (!waiting.empty() &&
         (waiting.begin()->first <= database.record().index || mutant(Mutant::kReadBeforeIndex))) {
    if (!run_batch(waiting.begin()->second)) {
      return true;
    }
    waiting.erase(waiting.begin());
  }
  return false;
}

void Executor::cancel_reads(uint64_t id) {
  State& s = *state_;
  auto it = std::find_if(s.waiting.begin(), s.waiting.end(),
                         [&](const auto& entry) { return entry.second.batch.id == id; });
  if (it == s.waiting.end() || it->first <= applied()) {
    return;
  }
  for (const ReadOp& op : it->second.batch.ops) {
    ReplyGroups::Draft draft = s.replies.begin(op.to);
    ReplyWriter(draft.bytes(), op.resp_version).error(texts::kReadTimeout);
    if (draft.batch != nullptr && op.kind == RequestKind::kWatch) {
      draft.batch->failed_watch = true;
    }
    s.replies.end(draft, op.to.slot);
  }
  s.effects.reads_done.push_back(id);
  s.waiting.erase(it);
}

void Executor::forget_expirations() { state_->database.expiry_floor().forget(); }

std::string Executor::due_expirations(int64_t now_ms, size_t keys_max) {
  forget_expirations();
  return next_expirations(now_ms, keys_max).command;
}

Executor::Expirations Executor::next_expirations(int64_t now_ms, size_t keys_max) {
  State& s = *state_;
  Expirations next;
  std::vector<std::string> parts;  // argv of kiwi.expire: commands/internal.cpp
  parts.emplace_back("kiwi.expire");
  auto cursor = s.database.expiry_cursor(now_ms);
  for (; next.keys < keys_max && cursor->valid(); ++next.keys, cursor->next()) {
    s.database.expiry_floor().found(cursor->key());
    auto due = rocks::keys::parse_expiry(cursor->key());
    if (!due) {
      continue;
    }
    std::string name(due->user_key);
    s.database.begin_command();
    Key key = s.database.find(due->database, name, now_ms);
    // Version 0 fits no key: the index record has outlived its key (FLUSHDB) and goes alone.
    bool its_own = key.present && key.meta.expire_at_ms == due->expire_at_ms;
    parts.push_back(std::to_string(due->database.value));
    parts.push_back(std::to_string(due->expire_at_ms));
    parts.push_back(std::to_string(its_own ? key.meta.version : 0));
    parts.push_back(std::move(name));
  }
  if (parts.size() > 1) {
    std::vector<std::string_view> argv(parts.begin(), parts.end());
    pack_command(next.command, 0, argv);
  }
  return next;
}

}  // namespace kiwi::resp
