// Executor: clients that wait in blocking commands (F31).
#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"
#include "config/limits.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

namespace {

// Keys looked at, serves asked for, and reads that were tried, in one turn.
constexpr size_t kLooksPerTurn = 512;

constexpr uint64_t kStepsPerCommand = 16;

// More are not told apart: the sum over all who wait has 64 bits.
constexpr uint64_t kCountMax = uint64_t{1} << 32;

std::string pack_for(const PackedCommand& command, Args args) {
  std::string plain;
  pack_command(plain, command.database, args);
  if (!command.user) {
    return plain;
  }
  std::string of_user;
  pack_as_user(of_user, *command.user, plain);
  return of_user;
}

// Taken twice, it is one key all the same.
std::vector<std::string> different(const std::vector<std::string_view>& names) {
  std::vector<std::string> keys;
  std::set<std::string_view> seen;
  for (std::string_view name : names) {
    if (seen.insert(name).second) {
      keys.emplace_back(name);
    }
  }
  return keys;
}

}  // namespace

// ---------------------------------------------------------------- beginning

// Whether it can be served now the next look() says, which asks those first that came before.
void Executor::State::begin_wait(const Asker& by,
                                 Decoded& decoded,
                                 const Moment& moment,
                                 ReplyWriter& reply) {
  const PackedCommand& command = decoded.command;
  const CommandSpec* row = decoded.row;
  WaitFor wait;
  if (row == nullptr || row->waiting == nullptr || command.database >= config::limits::kDatabases ||
      !row->waiting->wait(command.args, wait)) {
    return reply.error("ERR this command cannot be executed here");
  }
  CHECK_INVARIANT(!begins_to_wait && !wait.keys.empty() && wait.count != 0);
  CHECK_INVARIANT(store != nullptr);  // the router never lets it follow a long read
  ++turn_commands;
  ++commands;
  context.begin(*row, command.database, moment);
  const auto supply = row->waiting->supply;
  bool something = false;
  for (std::string_view name : wait.keys) {
    const Key key = context.find(name);
    if (refuse_type(key, wait.type, reply)) {
      return;
    }
    something = something || (supply != nullptr ? supply(context, name, wait.lane) != 0 : key.live);
    if (something && supply == nullptr) {
      break;  // it takes from this one and looks no further
    }
  }
  turn_commands += database.steps().taken() / kStepsPerCommand;
  Waiter waiter;
  waiter.to = by.to;
  waiter.resp_version = by.resp_version;
  waiter.reads = route_of(*row, command.args) == Route::kRead;
  waiter.database = command.database;
  waiter.type = wait.type;
  waiter.row = row;
  waiter.count = std::min(wait.count, kCountMax);
  waiter.until_ms = by.wait_until_ms;
  waiter.lane = wait.lane;
  waiter.keys = different(wait.keys);
  waiter.saw_nothing = !something;
  std::vector<std::string> pinned;
  if (row->waiting->pin != nullptr) {
    pinned = row->waiting->pin(context, command.args);
  }
  const std::vector<std::string_view> words(pinned.begin(), pinned.end());
  waiter.packed = pack_for(command, pinned.empty() ? Args(command.args) : Args(words));
  begins_to_wait = std::move(waiter);
}

void Executor::State::end_read(const ReplyGroups::Draft& draft, uint64_t slot) {
  if (begins_to_wait) {
    waiters.add(*std::exchange(begins_to_wait, std::nullopt));
  } else if (!std::exchange(keeps_waiting, false)) {
    replies.end(draft, slot);
  }
}

void Executor::State::drop_read(const ReplyGroups::Draft& draft) {
  replies.discard(draft);
  begins_to_wait.reset();
}

// CLIENT UNBLOCK id TIMEOUT|ERROR|FORCED, as the session says it. Its answer comes with the others
// of the turn, or when a serve's fate is known.
void Executor::State::unblock(const Asker& by, const PackedCommand& command) {
  keeps_waiting = true;
  const auto id = command.args.size() == 4 ? parse_decimal(command.args[2]) : std::nullopt;
  const std::string_view how = id ? command.args[3] : std::string_view();
  waiters.unblock(static_cast<ConnectionId>(id.value_or(0)),
                  how == "ERROR"    ? WaitEnd::kUnblocked
                  : how == "FORCED" ? WaitEnd::kForced
                                    : WaitEnd::kNil,
                  {by.to, by.resp_version, false});
}

// ---------------------------------------------------------------- fates of serves

void Executor::State::end_write(const PendingOp& op, const ReplyGroups::Draft& draft) {
  const bool in_vain = std::exchange(keeps_waiting, false);
  CHECK_INVARIANT(!begins_to_wait);
  if (op.waiter == 0) {
    replies.end(draft, op.to.slot);
  } else if (in_vain && !mutant(Mutant::kServeInVainAnswered)) {
    replies.discard(draft);
    waiters.not_served(op.waiter);
  } else {
    replies.end(draft, op.to.slot);
    waiters.served(op.waiter);
  }
}

void Executor::State::lose_serves(const PendingBatch& batch) {
  for (const PendingOp& op : batch.ops) {
    if (op.waiter != 0) {
      waiters.lost(op.waiter);
    }
  }
}

// A void stands in their place: nothing was taken and nothing will be.
void Executor::State::return_serves(const PendingBatch& batch) {
  for (const PendingOp& op : batch.ops) {
    if (op.waiter != 0) {
      waiters.returned(op.waiter);
    }
  }
}

// ---------------------------------------------------------------- once a turn

uint64_t Executor::State::supply_for(const Waiter& waiter, std::string_view key) {
  CHECK_INVARIANT(waiter.row != nullptr && waiter.row->waiting != nullptr);
  ++turn_commands;
  context.begin(*waiter.row, waiter.database, {.now_ms = database.record().stamp_ms});
  if (waiter.row->waiting->supply != nullptr) {
    return waiter.row->waiting->supply(context, key, waiter.lane);
  }
  const Key found = context.find(key);
  return found.is(waiter.type) ? found.meta.size : 0;
}

bool Executor::State::serve_here(const Waiter& waiter) {
  ReplyGroups::Draft draft = replies.begin(waiter.to);
  if (draft.batch == nullptr) {
    return true;  // nobody waits any more
  }
  decode(waiter.packed, cluster_version, between);
  const rocks::AppliedRecord& at = database.record();
  execute(between, {.now_ms = at.stamp_ms, .seed = at.index.value ^ ++reads_executed}, draft.space,
          waiter.resp_version);
  if (context.found_nothing()) {
    replies.discard(draft);
    return false;
  }
  remember_keys(waiter.to, between);
  replies.end(draft, waiter.to.slot);
  return true;
}

bool Executor::State::look_at_waits() {
  if (store == nullptr) {
    return false;
  }
  turn_commands = 0;
  turn_reply_bytes = replies.bytes() + options.turn_bytes_max;
  const bool more = waiters.look(
      [this](const Waiter& waiter, std::string_view key) { return supply_for(waiter, key); },
      [this](const Waiter& waiter) { return serve_here(waiter); },
      {.left = kLooksPerTurn, .used_up = [this] { return turn_is_full(); }});
  answer_waits();
  return more;
}

void Executor::State::answer_waits() {
  Waiters::Effects done = waiters.take_effects();
  for (const Waiters::Ended& ended : done.ended) {
    ReplyGroups::Draft draft = replies.begin(ended.to);
    RespWriter reply(draft.bytes(), ended.resp_version);
    switch (ended.how) {
      case WaitEnd::kNil:
        reply.null_array();
        break;
      case WaitEnd::kUnblocked:
        reply.error(texts::kUnblocked);
        break;
      case WaitEnd::kForced:
        reply.error(texts::kUnblockedByForce);
        break;
      case WaitEnd::kUndecided:
        reply.error(texts::kReadTimeout);
        break;
    }
    replies.end(draft, ended.to.slot);
  }
  for (const Waiters::Answer& answer : done.answers) {
    ReplyGroups::Draft draft = replies.begin(answer.to);
    RespWriter(draft.bytes(), answer.resp_version).integer(answer.unblocked ? 1 : 0);
    replies.end(draft, answer.to.slot);
  }
  std::ranges::move(done.serves, std::back_inserter(effects.serves));
}

// ---------------------------------------------------------------- the class

void Executor::set_clock(int64_t now_ms) { state_->waiters.set_clock(now_ms); }

std::optional<int64_t> Executor::wake_at_ms() const { return state_->waiters.wake_at_ms(); }

void Executor::serves_returned(const std::vector<uint64_t>& waiters) {
  for (const uint64_t id : waiters) {
    state_->waiters.returned(id);
  }
}

void Executor::serves_answered(const std::vector<uint64_t>& waiters) {
  for (const uint64_t id : waiters) {
    state_->waiters.lost(id);
  }
}

void Executor::end_waits() { state_->waiters.end_all(WaitEnd::kForced); }

WaiterStatus Executor::waiters() const { return state_->waiters.status(); }

}  // namespace kiwi::resp
