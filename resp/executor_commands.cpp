// Executor: the commands of an entry; one command, one transaction, one WATCH.
#include <algorithm>
#include <bit>
#include <exception>
#include <new>
#include <string>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

namespace {

// Records looked at that take about as long as a short command.
constexpr uint64_t kStepsPerCommand = 16;

// Commands of an entry between two looks whether it should rest.
constexpr uint64_t kBetweenRests = 64;

// Words of a command that do not make it long: its name and options.
constexpr size_t kOptionWords = 16;

// What one huge command left in a decoder's vectors is given back: a block has sixteen of them.
constexpr size_t kKeptArgs = 4096;

}  // namespace

void decode(std::string_view packed, uint32_t cluster_version, Decoded& into) {
  if (into.command.args.capacity() > kKeptArgs) {
    std::vector<std::string_view>().swap(into.command.args);
  }
  into.row = nullptr;
  into.bytes = packed.size();
  into.well_formed = unpack_command(packed, into.command);
  if (into.well_formed && into.command.kind == PackedKind::kPlain) {
    into.row = resolve_command(into.command.args, cluster_version).row;
  }
}

void LookAhead::announce() {
  std::array<KeyName, std::tuple_size_v<decltype(commands_)>> keys;
  for (size_t i = 0; i < known_; ++i) {
    const Decoded& decoded = commands_[i];
    const auto first =
        decoded.row == nullptr ? std::nullopt : keys_of(*decoded.row, decoded.command.args).first();
    keys[i] = {decoded.command.database, first.value_or(std::string_view())};
  }
  CHECK_INVARIANT(next_ == 0 && known_ <= keys.size());
  database_.expect(std::span(keys).first(known_));
}

void Executor::State::refuse_commands(const PendingBatch* batch) {
  for (const PendingOp& op : batch != nullptr ? batch->ops : std::vector<PendingOp>{}) {
    ReplyGroups::Draft draft = replies.begin(op.to);
    RespWriter(draft.bytes(), op.resp_version).error("ERR internal error: malformed batch");
    end_write(op, draft);
  }
}

// Commands of the payload and, on their origin, the reads between them (F6).
void Executor::State::run_commands(const raft::Entry& entry, const PendingBatch* batch) {
  Moment moment{.now_ms = entry.stamp_ms, .seed = entry.seed, .ordinal = 0, .may_write = true};
  BatchReader reader(entry.payload.view());
  checked_under = reader.acl_version().value_or(0);
  asking = 0;
  look.begin(cluster_version);
  auto ahead = [&reader] { return reader.next(); };
  size_t executed = 0;
  if (batch != nullptr) {
    stopwatch.begin();
    for (const PendingOp& op : batch->ops) {
      ReplyGroups::Draft draft = replies.begin(op.to);
      stopwatch.whose(op.to.connection);
      asking = op.to.connection;
      if (op.kind == RequestKind::kWrite) {
        Decoded& decoded = look.next(ahead);
        database.outward().set_origin(op.to.connection);
        remember_keys(op.to, decoded);  // before it: what a block changes itself comes behind
        if (op.waiter != 0 && draft.batch == nullptr) [[unlikely]] {
          serve_nobody(decoded, moment);
        } else {
          execute(decoded, moment, draft.space, op.resp_version);
        }
        end_lap(decoded);
        ++executed;
        end_write(op, draft);
      } else if (draft.batch != nullptr) {
        Moment read = moment;
        read.may_write = false;
        decode(op.packed, cluster_version, between);
        run_read(asker_of(op), between, read, draft);
        end_lap(between);
        remember_keys(op.to, between);
        end_read(draft, op.to.slot);
      }
    }
    database.outward().set_origin(0);
    stopwatch.whose(0);
    asking = 0;
  }
  for (; executed < reader.count(); ++executed) {
    ReplySpace nobody;
    execute(look.next(ahead), moment, nobody, 2);
  }
  CHECK_INVARIANT(executed == reader.count());  // each command of the entry, once
  checked_under = 0;
}

bool Executor::State::looks_long(const CommandSpec& row, Args args) {
  // As many words alone: to ask for what they cost would take as long.
  return row.cost != nullptr && (args.size() > options.long_read_elements + kOptionWords ||
                                 row.cost(context, args) > options.long_read_elements);
}

// Before any of it is executed.
bool Executor::State::foreseen_long(RequestKind kind,
                                    const Decoded& decoded,
                                    const Moment& moment) {
  const PackedCommand& whole = decoded.command;
  if (kind == RequestKind::kWatch) {
    return whole.args.size() > options.long_read_elements;
  }
  auto is_long = [&](const Decoded& one) {
    const PackedCommand& command = one.command;
    if (one.row == nullptr || !one.row->is_data() || !arity_fits(*one.row, command.args.size()) ||
        command.database >= config::limits::kDatabases) {
      return false;
    }
    context.begin(*one.row, command.database, moment);
    return looks_long(*one.row, command.args);
  };
  if (!decoded.well_formed || whole.kind == PackedKind::kPlain) {
    return is_long(decoded);
  }
  return std::ranges::any_of(whole.commands, [&](std::string_view packed) {
    decode(packed, cluster_version, inner);
    return is_long(inner);
  });
}

void Executor::State::execute_plain(const Decoded& decoded,
                                    const Moment& moment,
                                    ReplySpace& out,
                                    int version) {
  ++turn_commands;
  if (++commands % kBetweenRests == 0) {
    may_rest();
  }
  const PackedCommand& command = decoded.command;
  const CommandSpec* row = decoded.row;
  // The session refused all of these; a newer version's command may still come through the log, and
  // every node answers it alike.
  const bool known = row != nullptr && row->is_data() && arity_fits(*row, command.args.size());
  const Route route = known ? route_of(*row, command.args) : Route::kLocal;
  if (!known || command.database >= config::limits::kDatabases ||
      (route == Route::kWrite && !moment.may_write)) {
    RespWriter(out.bytes, version).error("ERR this command cannot be executed here");
    return;
  }
  const bool reads = route == Route::kRead;
  if (reads && out.bytes == nullptr) {
    return;  // F64: it has no effects, so only who keeps the answer runs it
  }
  if (must_check) [[unlikely]] {
    if (const std::string why = denied(*row, command.args); !why.empty()) {
      RespWriter(out.bytes, version).error(why);
      return;
    }
  }
  context.begin(*row, command.database, moment);
  if (may_put_aside) {
    if (looks_long(*row, command.args)) {
      put_aside = true;
      return;
    }
    // What was foreseen, and as much again: to leave half done costs twice.
    database.steps().limit(2 * options.long_read_elements + kStepsPerCommand);
  }
  if (store != nullptr && !may_put_aside) {
    database.steps().bound(reads ? read_steps_left() : options.entry_steps_max);
  }
  if (!reads) {
    if (entry_steps > options.entry_steps_max) {
      RespWriter(out.bytes, version).error(too_much(options.entry_steps_max));
      return;
    }
    database.effects().carry(decoded.bytes);
    database.mark();
    if (run_handler(route, decoded, out, version)) {
      database.keep();
      keeps_waiting = moment.serve && context.found_nothing();
      if (waiters.anybody()) {
        tell_if_closed(*row, command.args, moment.user);
      }
    } else {
      database.undo();
    }
    entry_steps += database.steps().common();
  } else {
    const size_t spent = database.effects().exchange_spent(0);
    run_handler(route, decoded, out, version);
    database.effects().exchange_spent(spent);
    entry_read_steps += applying != nullptr ? database.steps().taken() : 0;
    found_nothing = context.found_nothing();
  }
  // What takes long ends the turn, though it cannot be divided where it is applied.
  turn_commands += database.steps().taken() / kStepsPerCommand;
}

// A short one is answered all the same.
uint64_t Executor::State::read_steps_left() const {
  const uint64_t taken = applying != nullptr ? entry_read_steps : 0;
  return std::max(kStepsPerCommand,
                  options.entry_read_steps_max - std::min(options.entry_read_steps_max, taken));
}

template <class Visit>
void Executor::State::for_each_key_read(const Decoded& decoded, Visit visit) {
  const auto visit_one = [&](const Decoded& one) {
    if (one.row == nullptr || !one.row->is_data() ||
        !arity_fits(*one.row, one.command.args.size())) {
      return;
    }
    // A script may read what it declares, and what it changes of that comes behind.
    Args words = one.command.args;
    const CommandSpec* meant = meant_by(*one.row, words);
    const bool script = meant != nullptr && (meant->acl_categories & kAclScripting) != 0;
    if (!script && route_of(*one.row, one.command.args) != Route::kRead) {
      return;
    }
    for (const FoundKey& key : keys_of(*one.row, one.command.args)) {
      if ((key.flags & kKeyNotKey) == 0) {
        visit(key.name);
      }
    }
  };
  if (decoded.well_formed && decoded.command.kind == PackedKind::kTransaction) {
    for (const std::string_view packed : decoded.command.commands) {
      decode(packed, cluster_version, inner);
      visit_one(inner);
    }
  } else {
    visit_one(decoded);
  }
}

void Executor::State::remember_keys(const ReplySlot& to, const Decoded& decoded) {
  KeyTracker* tracker = database.outward().tracker();
  if (tracker != nullptr && tracker->follows(to.connection, to.slot)) {
    for_each_key_read(decoded,
                      [&](std::string_view key) { tracker->remember(to.connection, key); });
  }
}

void Executor::State::remember_aside(uint64_t read, const ReplySlot& to, const Decoded& decoded) {
  KeyTracker* tracker = database.outward().tracker();
  if (tracker != nullptr && tracker->follows(to.connection, to.slot)) {
    std::vector<std::string> keys;
    for_each_key_read(decoded, [&](std::string_view key) { keys.emplace_back(key); });
    tracker->put_aside(read, to.connection, std::move(keys));
  }
}

std::string Executor::State::too_much(uint64_t steps_max) {
  return "ERR too much for one command: it would copy, move or hold more than " +
         std::to_string(database.effects().entry_work_max()) +
         " bytes at once or look at more than " + std::to_string(steps_max) +
         " records, alone or together with others of its log entry; do it in parts";
}

void Executor::State::failed(const CommandSpec& row, const std::exception& error) {
  if (std::has_single_bit(++failures)) {  // a client that repeats it cannot fill the log
    log_error("command '" + std::string(row.name) + "' failed (failure " +
              std::to_string(failures) + " since start): " + error.what());
  }
}

// A reply that does not fit is lost, with what stands behind it in its block. True: the command is
// to be answered an error.
bool Executor::State::lose_reply(const RespWriter& reply, size_t start, ReplySpace& out) {
  out.shaped = out.shaped || reply.shaped();
  if (!reply.lost()) {
    return false;
  }
  if (out.undo_if_lost) {
    throw Undone(std::string(texts::kTooLargeToKeep));
  }
  if (mutant(Mutant::kLostReplySaysErr)) {
    return true;
  }
  out.lost = true;
  out.bytes->resize(start);
  out.bytes = nullptr;  // also for the rest of a block
  return false;
}

bool Executor::State::run_handler(Route route,
                                  const Decoded& decoded,
                                  ReplySpace& out,
                                  int version) {
  const bool writes = route == Route::kWrite;
  const size_t start = out.bytes != nullptr ? out.bytes->size() : 0;
  const size_t end = out.stream != nullptr ? out.stream->piece_bytes()
                     : writes              ? out.write_end
                                           : out.read_end;
  RespWriter reply(out.bytes, version, end,
                   writes ? RespWriter::Beyond::kLose : RespWriter::Beyond::kThrow, out.stream);
  std::string error;
  bool failed_whole = false;
  try {
    decoded.row->data(context, decoded.command.args, reply);
    context.end();
    if (!lose_reply(reply, start, out)) {
      return true;
    }
    error = kInternalError;
  } catch (const TooManySteps&) {
    put_aside = true;
    return true;
  } catch (const ReplyTooLarge&) {
    if (may_put_aside) {
      put_aside = true;
      return true;
    }
    error = "ERR the reply is larger than " + std::to_string(options.reply_bytes_max) +
            " bytes, or the replies of one turn are: ask for less at a time (SCAN, SSCAN, LRANGE, "
            "GETRANGE, fewer keys)";
  } catch (const TooMuchForOneEntry&) {
    if (may_put_aside && !writes) {
      put_aside = true;
      return true;
    }
    error = too_much(writes ? options.entry_steps_max : options.entry_read_steps_max);
    failed_whole = true;
  } catch (const NameTooLong& e) {
    error = e.what();
    failed_whole = true;
  } catch (const Undone& undone) {
    error = undone.text;
    failed_whole = true;
  } catch (const std::bad_alloc&) {
    out_of_memory();
  } catch (const std::exception& e) {
    failed(*decoded.row, e);
    error = kInternalError;
    failed_whole = true;
  }
  if (out.stream != nullptr && out.stream->has_begun()) {  // no error can be told any more
    out.lost = true;
    out.bytes->clear();
    return !failed_whole;
  }
  if (out.bytes != nullptr) {
    out.bytes->resize(start);
  }
  RespWriter(out.bytes, version).error(error);
  return !failed_whole;
}

void Executor::State::execute_transaction(PackedCommand& transaction,
                                          Moment moment,
                                          ReplySpace& out,
                                          int version) {
  RespWriter reply(out.bytes, version);
  database.begin_command();
  bool has_ttl = false;
  const bool unchanged = std::ranges::all_of(transaction.tokens, [&](const WatchToken& token) {
    return database.unchanged(token, moment.now_ms, has_ttl);
  });
  if (has_ttl) {
    context.saw_ttl();  // only reads ask: they may have to be asked again
  }
  block_takes = false;
  if (!unchanged) {
    reply.null_array();
    return;
  }
  reply.array(transaction.commands.size() + (transaction.once ? 1 : 0));
  if (transaction.once) {
    reply.ok();  // of KIWI.ONCE or KIWI.SEQ, the first command of the block
  }
  const uint64_t users_before = database.users().changes();
  for (std::string_view packed : transaction.commands) {
    if (database.users().changes() != users_before) [[unlikely]] {
      asked_by(transaction, kUnchecked);  // a command of the block changed them
    }
    const size_t begin = out.bytes != nullptr ? out.bytes->size() : 0;
    const int64_t began_ns = stopwatch.now_ns();
    decode(packed, cluster_version, inner);
    if (!inner.well_formed || inner.command.kind != PackedKind::kPlain) {
      RespWriter(out.bytes, version).error(kInternalError);
      continue;
    }
    execute_plain(inner, moment, out, version);
    if (put_aside) {
      return;  // the block goes as a whole
    }
    block_takes = block_takes || takes(inner.row, inner.command.args);
    if (inner.row != nullptr) {
      const bool failed =
          out.bytes != nullptr && begin < out.bytes->size() && (*out.bytes)[begin] == '-';
      stopwatch.command_of_block(
          *inner.row, inner.command.args, began_ns,
          failed ? std::string_view(*out.bytes).substr(begin) : std::string_view());
    }
    ++moment.ordinal;
  }
}

void Executor::State::execute(Decoded& decoded, Moment moment, ReplySpace& out, int version) {
  CHECK_INVARIANT(!put_aside);
  keeps_waiting = false;
  found_nothing = false;
  moment.ordinal = entry_commands;
  if (!decoded.well_formed) {
    RespWriter(out.bytes, version).error(kInternalError);
    return;
  }
  by_user = decoded.command.user.has_value();
  asked_by(decoded.command, moment.may_write ? checked_under : 0);
  const bool block = decoded.command.kind == PackedKind::kTransaction;
  entry_commands += block ? decoded.command.commands.size() : 1;
  moment.serve = moment.serve || decoded.command.serve;
  moment.user = once_scope(decoded.command);
  if (decoded.command.once) [[unlikely]] {
    return execute_once(decoded, moment, out, version);
  }
  execute_inner(decoded, moment, out, version);
}

void Executor::State::execute_inner(Decoded& decoded,
                                    const Moment& moment,
                                    ReplySpace& out,
                                    int version) {
  if (decoded.command.kind == PackedKind::kTransaction) {
    in_transaction = true;
    execute_transaction(decoded.command, moment, out, version);
    in_transaction = false;
  } else {
    execute_plain(decoded, moment, out, version);
  }
}

void Executor::State::end_lap(const Decoded& decoded) {
  const bool block = decoded.well_formed && decoded.command.kind == PackedKind::kTransaction &&
                     exec_row != nullptr;
  stopwatch.lap(block ? exec_row : decoded.row, decoded.command.args);
}

void Executor::State::run_read(const Asker& by,
                               Decoded& decoded,
                               const Moment& moment,
                               ReplyGroups::Draft& draft) {
  keeps_waiting = false;
  if (by.kind == RequestKind::kWatch) {
    return watch(decoded, moment.now_ms, draft, by.resp_version);
  }
  if (by.kind == RequestKind::kUnblock) {
    return unblock(by, decoded.command);
  }
  // One that changes nothing is asked first: what is there it gets as any read does.
  const bool waits = by.kind == RequestKind::kBlocking;
  if (waits && (decoded.row == nullptr || decoded.row->route != Route::kRead)) {
    RespWriter reply(draft.bytes(), by.resp_version);
    return begin_wait(by, decoded, moment, reply);
  }
  if (decoded.row != nullptr && !decoded.row->is_internal()) {  // what the node asks it needs whole
    draft.space.stream = options.stream;
  }
  if (may_put_aside) {
    draft.space.read_end = std::min(draft.space.read_end, draft.offset + options.long_reply_bytes);
  }
  // Random reads change nothing, so they need not be alike anywhere: only different from each
  // other.
  uint64_t commands_before = entry_commands;
  Moment read = moment;
  read.may_write = false;
  read.seed = moment.seed ^ ++reads_executed;
  execute(decoded, read, draft.space, by.resp_version);
  entry_commands = commands_before;  // only writes count: other nodes do not execute this read
  if (waits && !put_aside && std::exchange(found_nothing, false)) {
    replies.discard(draft);
    RespWriter reply(draft.bytes(), by.resp_version);
    begin_wait(by, decoded, moment, reply);
  }
}

}  // namespace kiwi::resp
