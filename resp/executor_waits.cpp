// Executor: clients that wait in blocking commands (F31).
#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
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

constexpr std::string_view kNotApplied = "ERR internal error: the command was not applied";

// More are not told apart: the sum over all who wait has 64 bits.
constexpr uint64_t kCountMax = uint64_t{1} << 32;

std::string pack_for(const PackedCommand& command, Args args) {
  std::string plain;
  if (command.once) {
    pack_once(plain, *command.once);
  }
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

// Whether there is something for it; nullopt: the error was answered.
std::optional<bool> Executor::State::look_first(const CommandSpec& row,
                                                const WaitFor& wait,
                                                Args args,
                                                ReplyWriter& reply) {
  const WaitRule& rule = *row.waiting;
  if (rule.check != nullptr && !rule.check(context, args, reply)) {
    return std::nullopt;
  }
  for (std::string_view name : wait.keys) {
    if (rule.supply != nullptr) {
      if (rule.supply(context, name, wait.lane) != 0) {
        return true;
      }
      continue;
    }
    const Key key = context.find(name);
    if (refuse_type(key, wait.type, reply)) {
      return std::nullopt;
    }
    if (key.live) {
      return true;  // it takes from this one and looks no further
    }
  }
  return false;
}

// The same; `pinned`: WaitRule::pin. Like any read it spends nothing of its entry's bounds, since
// other nodes do not execute it.
std::optional<bool> Executor::State::try_first(const Decoded& decoded,
                                               const WaitFor& wait,
                                               std::vector<std::string>& pinned,
                                               ReplyWriter& reply) {
  const CommandSpec& row = *decoded.row;
  const Args args = decoded.command.args;
  const size_t spent = database.effects().exchange_spent(0);
  std::optional<bool> something = false;
  try {
    if (route_of(row, args) == Route::kWrite) {
      something = look_first(row, wait, args, reply);
    }
    if (something.has_value() && !*something && row.waiting->pin != nullptr) {
      pinned = row.waiting->pin(context, args);
    }
  } catch (const TooMuchForOneEntry&) {
    reply.error(too_much(options.entry_read_steps_max));
    something = std::nullopt;
  } catch (const std::bad_alloc&) {
    out_of_memory();
  } catch (const std::exception& error) {
    failed(row, error);
    reply.error(kNotApplied);
    something = std::nullopt;
  }
  database.effects().exchange_spent(spent);
  return something;
}

// On a state that may be old: there is something for it, so a serve can say what is true.
bool Executor::State::shows_something(const Decoded& decoded, const Moment& moment) {
  const PackedCommand& command = decoded.command;
  const CommandSpec* row = decoded.row;
  WaitFor wait;
  if (row == nullptr || row->waiting == nullptr || row->route != Route::kWrite ||
      command.database >= config::limits::kDatabases || !row->waiting->wait(command.args, wait)) {
    return false;
  }
  ++turn_commands;
  context.begin(*row, command.database, moment);
  std::vector<std::string> pinned;
  RespWriter nobody(nullptr, 2);
  const bool something =
      is_decided(command) || try_first(decoded, wait, pinned, nobody).value_or(false);
  turn_commands += database.steps().taken() / kStepsPerCommand;
  return something;
}

// A blocking command whose batch has no index was not asked for yet: it is only tried.
bool Executor::State::may_run(const ReadBatch& batch,
                              const ReadOp& op,
                              const Decoded& decoded,
                              const Moment& moment) {
  return op.kind != RequestKind::kBlocking || batch.index.value != 0 ||
         shows_something(decoded, moment);
}

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
  by_user = command.user.has_value();
  asked_by(command, 0);
  if (must_check) [[unlikely]] {
    if (const std::string why = denied(*row, command.args); !why.empty()) {
      return reply.error(why);
    }
  }
  CHECK_INVARIANT(!begins_to_wait && !wait.keys.empty() && wait.count != 0);
  CHECK_INVARIANT(store != nullptr);  // the router never lets it follow a long read
  ++turn_commands;
  ++commands;
  context.begin(*row, command.database, moment);
  std::vector<std::string> pinned;
  // A token that counted is answered by a serve, whatever is there: it is a replay.
  const bool decided = is_decided(command);
  const std::optional<bool> something =
      decided ? std::optional(true) : try_first(decoded, wait, pinned, reply);
  turn_commands += database.steps().taken() / kStepsPerCommand;
  if (!something) {
    return;
  }
  Waiter waiter;
  if (command.once && route_of(*row, command.args) == Route::kWrite) {
    waiter.token = Waiters::token_name(once_scope(command), command.once->name);
    waiter.decided = decided;
  }
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
  waiter.saw_nothing = !*something;
  const std::vector<std::string_view> words(pinned.begin(), pinned.end());
  waiter.packed = pack_for(command, pinned.empty() ? Args(command.args) : Args(words));
  begins_to_wait = std::move(waiter);
}

void Executor::State::end_read(const ReplyGroups::Draft& draft, uint64_t slot) {
  if (begins_to_wait) {
    Waiter waiter = *std::exchange(begins_to_wait, std::nullopt);
    if (std::ranges::find(answered, waiter.to) == answered.end()) {
      waiters.add(std::move(waiter));
    }
  } else if (!std::exchange(keeps_waiting, false)) {
    replies.end(draft, slot);
  }
}

void Executor::State::drop_read(const ReplyGroups::Draft& draft) {
  replies.discard(draft);
  begins_to_wait.reset();
}

// CLIENT UNBLOCK id TIMEOUT|ERROR|FORCED [blocked], as the session says it. Its answer comes with
// the others of the turn, or when a serve's fate is known.
void Executor::State::unblock(const Asker& by, const PackedCommand& command) {
  keeps_waiting = true;
  const auto id = command.args.size() >= 4 ? parse_decimal(command.args[2]) : std::nullopt;
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

namespace {

// The strings and numbers of a reply, without its frame.
std::vector<std::string> parts_of(std::string_view reply) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    CHECK_INVARIANT(end != std::string_view::npos);
    const char type = reply[at];
    const std::string_view line = reply.substr(at + 1, end - at - 1);
    at = end + 2;
    const std::optional<int64_t> size = type == '$' ? parse_decimal(line) : std::nullopt;
    if (size && *size >= 0) {
      parts.emplace_back(reply.substr(at, static_cast<size_t>(*size)));
      at += static_cast<size_t>(*size) + 2;
    } else if (type == ',') {
      parts.emplace_back(line);
    }
  }
  return parts;
}

}  // namespace

// Nobody was told anything, so nobody can miss what is put back. One byte more, and the client may
// have it: then it stays taken.
void Executor::State::serve_nobody(Decoded& decoded, const Moment& moment) {
  std::string taken;
  ReplySpace space;
  space.bytes = &taken;
  space.read_end = space.write_end = config::limits::kOnceTakenBytes;
  execute(decoded, moment, space, 2);
  const WaitRule* rule = decoded.row != nullptr ? decoded.row->waiting : nullptr;
  if (keeps_waiting || space.lost || rule == nullptr || rule->give_back == nullptr ||
      !taken.starts_with('*')) {
    return;
  }
  const std::vector<std::string> parts = parts_of(taken);
  if (parts.size() < 2) {
    return;
  }
  const PackedCommand& command = decoded.command;
  std::vector<std::string> words{"kiwi.giveback",
                                 command.once ? std::string(command.once->name) : std::string(),
                                 std::to_string(once_scope(command))};
  rule->give_back(command.args, parts, words);
  const std::vector<std::string_view> views(words.begin(), words.end());
  pack_command(effects.proposals.emplace_back(), command.database, views);
  ++once_counts.given_back;
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
  asking = waiter.to.connection;
  const rocks::AppliedRecord& at = database.record();
  execute(between,
          {.now_ms = at.stamp_ms, .seed = at.index.value ^ ++reads_executed, .serve = true},
          draft.space, waiter.resp_version);
  if (std::exchange(found_nothing, false)) {
    replies.discard(draft);
    return false;
  }
  remember_keys(waiter.to, between);
  replies.end(draft, waiter.to.slot);
  return true;
}

bool Executor::State::look_at_waits() {
  answered.clear();  // nothing of a turn is left that could begin
  if (store == nullptr || waiters.idle()) {
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

bool Executor::anybody_waits() const { return state_->waiters.anybody(); }

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

// Their batch may be under way in an entry that rests, in front of them: then they must not begin.
void Executor::clients_answered(const std::vector<ReplySlot>& slots) {
  State& s = *state_;
  for (const ReplySlot& to : slots) {
    s.waiters.client_answered(to);
    if (s.rests) {
      s.answered.push_back(to);
    }
  }
}

void Executor::end_waits() { state_->waiters.end_all(WaitEnd::kForced); }

WaiterStatus Executor::waiters() const { return state_->waiters.status(); }

}  // namespace kiwi::resp
