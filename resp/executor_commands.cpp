// Executor: one command, one transaction, one WATCH.
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

constexpr std::string_view kInternalError = "ERR internal error: the command was not applied";

bool arity_fits(const CommandSpec& spec, size_t argc) {
  return spec.arity >= 0 ? argc == static_cast<size_t>(spec.arity)
                         : argc >= static_cast<size_t>(-spec.arity);
}

const CommandSpec* find_row(Args args) {
  const CommandSpec* spec = find_command(args[0]);
  if (spec != nullptr && (spec->flags & kContainer) != 0 && args.size() > 1) {
    return find_subcommand(*spec, args[1]);
  }
  return spec;
}

}  // namespace

void Executor::State::execute_plain(const PackedCommand& command,
                                    const Moment& moment,
                                    ReplySpace& out,
                                    int version) {
  ++turn_commands;
  ++commands;
  const CommandSpec* spec = find_row(command.args);
  // The session refused all of these; a newer version's command may still come through the log, and
  // every node answers it alike.
  if (spec == nullptr || spec->data == nullptr || !arity_fits(*spec, command.args.size()) ||
      command.database >= config::limits::kDatabases ||
      (spec->route == Route::kWrite && !moment.may_write)) {
    ReplyWriter(out.bytes, version).error("ERR this command cannot be executed here");
    return;
  }
  if (spec->route == Route::kRead && out.bytes == nullptr) {
    return;  // F64: it has no effects, so only who keeps the answer runs it
  }
  context.begin(*spec, command.database, moment);
  if (may_put_aside) {
    if ((spec->flags & kMayBeLong) != 0 &&
        elements_read(context, *spec, command.args) > options.long_read_elements) {
      put_aside = true;
      return;
    }
    // What was foreseen, and as much again: to leave half done costs twice.
    database.steps().limit(2 * options.long_read_elements + kStepsPerCommand);
  }
  if (spec->route == Route::kWrite) {
    database.mark();
    if (run_handler(*spec, command.args, out, version)) {
      database.keep();
    } else {
      database.undo();
    }
  } else {
    const size_t spent = database.effects().exchange_spent(0);
    run_handler(*spec, command.args, out, version);
    database.effects().exchange_spent(spent);
  }
  // What takes long ends the turn, though it cannot be divided where it is applied.
  turn_commands += database.steps().taken() / kStepsPerCommand;
}

void Executor::State::failed(const CommandSpec& spec, const std::exception& error) {
  if (std::has_single_bit(++failures)) {  // a client that repeats it cannot fill the log
    log_error("command '" + std::string(spec.name) + "' failed (failure " +
              std::to_string(failures) + " since start): " + error.what());
  }
}

bool Executor::State::run_handler(const CommandSpec& spec,
                                  Args args,
                                  ReplySpace& out,
                                  int version) {
  const bool writes = spec.route == Route::kWrite;
  const size_t start = out.bytes != nullptr ? out.bytes->size() : 0;
  ReplyWriter reply(out.bytes, version, writes ? out.write_end : out.read_end,
                    writes ? ReplyWriter::Beyond::kLose : ReplyWriter::Beyond::kThrow);
  std::string error;
  bool failed_whole = false;
  try {
    spec.data(context, args, reply);
    context.end();
    if (!reply.lost()) {
      return true;
    }
    if (!mutant(Mutant::kLostReplySaysErr)) {
      out.lost = true;
      out.bytes->resize(start);
      out.bytes = nullptr;  // also for the rest of a block
      return true;
    }
    error = kInternalError;
  } catch (const TooManySteps&) {
    put_aside = true;
    return true;
  } catch (const ReplyTooLarge&) {
    error = "ERR the reply is larger than " + std::to_string(options.reply_bytes_max) +
            " bytes, or the replies of one turn are: ask for less at a time (SCAN, SSCAN, LRANGE, "
            "GETRANGE, fewer keys)";
  } catch (const TooMuchForOneEntry&) {
    error = "ERR too much for one command: it would copy, move or hold more than " +
            std::to_string(database.effects().entry_work_max()) +
            " bytes at once, alone or together with others of its log entry; do it in parts";
    failed_whole = true;
  } catch (const std::bad_alloc&) {
    out_of_memory();
  } catch (const std::exception& e) {
    failed(spec, e);
    error = kInternalError;
    failed_whole = true;
  }
  if (out.bytes != nullptr) {
    out.bytes->resize(start);
  }
  ReplyWriter(out.bytes, version).error(error);
  return !failed_whole;
}

void Executor::State::execute_transaction(PackedCommand& transaction,
                                          Moment moment,
                                          ReplySpace& out,
                                          int version) {
  ReplyWriter reply(out.bytes, version);
  database.begin_command();
  for (const WatchToken& token : transaction.tokens) {
    if (!database.unchanged(token, moment.now_ms)) {
      reply.null_array();
      return;
    }
  }
  reply.array(transaction.commands.size());
  for (std::string_view packed : transaction.commands) {
    if (!unpack_command(packed, unpacked_inner) || unpacked_inner.kind != PackedKind::kPlain) {
      ReplyWriter(out.bytes, version).error(kInternalError);
      continue;
    }
    execute_plain(unpacked_inner, moment, out, version);
    if (put_aside) {
      return;  // the block goes as a whole
    }
    ++moment.ordinal;
  }
}

void Executor::State::execute(std::string_view packed,
                              Moment moment,
                              ReplySpace& out,
                              int version) {
  moment.ordinal = entry_commands;
  if (!unpack_command(packed, unpacked)) {
    ReplyWriter(out.bytes, version).error(kInternalError);
    return;
  }
  if (unpacked.kind == PackedKind::kTransaction) {
    entry_commands += unpacked.commands.size();
    execute_transaction(unpacked, moment, out, version);
  } else {
    ++entry_commands;
    execute_plain(unpacked, moment, out, version);
  }
}

void Executor::State::watch(std::string_view packed,
                            int64_t now_ms,
                            const ReplyGroups::Draft& draft,
                            int version) {
  ReplyWriter reply(draft.bytes(), version);
  if (draft.batch == nullptr) {
    return;
  }
  if (!unpack_command(packed, unpacked) || unpacked.kind != PackedKind::kPlain) {
    reply.error(kInternalError);
    return;
  }
  if (may_put_aside && unpacked.args.size() > options.long_read_elements) {
    put_aside = true;
    return;
  }
  bool has_ttl = false;
  database.begin_command();
  for (std::string_view name : Args(unpacked.args).subspan(1)) {
    draft.batch->tokens.push_back(database.watch(unpacked.database, name, now_ms, has_ttl));
  }
  if (has_ttl) {
    context.saw_ttl();
  }
  reply.ok();
}

void Executor::State::run_read(RequestKind kind,
                               std::string_view packed,
                               int version,
                               const Moment& moment,
                               ReplyGroups::Draft& draft) {
  if (kind == RequestKind::kWatch) {
    watch(packed, moment.now_ms, draft, version);
    return;
  }
  // Random reads change nothing, so they need not be alike anywhere: only different from each
  // other.
  uint64_t commands_before = entry_commands;
  Moment read = moment;
  read.may_write = false;
  read.seed = moment.seed ^ ++reads_executed;
  execute(packed, read, draft.space, version);
  entry_commands = commands_before;  // only writes count: other nodes do not execute this read
}

}  // namespace kiwi::resp
