// Executor: one command, one transaction, one WATCH.
#include <bit>
#include <exception>
#include <new>
#include <string>

#include "base/check.hpp"
#include "base/log.hpp"
#include "config/limits.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

namespace {

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
                                    std::string* out,
                                    int version) {
  ++turn_commands;
  ++commands;
  ReplyWriter reply(out, version);
  const CommandSpec* spec = find_row(command.args);
  // The session refused all of these; a newer version's command may still come through the log, and
  // every node answers it alike.
  if (spec == nullptr || spec->data == nullptr || !arity_fits(*spec, command.args.size()) ||
      command.database >= config::limits::kDatabases ||
      (spec->route == Route::kWrite && !moment.may_write)) {
    reply.error("ERR this command cannot be executed here");
    return;
  }
  size_t start = out != nullptr ? out->size() : 0;
  bool writes = spec->route == Route::kWrite;
  context.begin(*spec, command.database, moment);
  if ((spec->flags & kMayBeLong) != 0 && may_put_aside &&
      elements_read(context, *spec, command.args) > options.long_read_elements) {
    put_aside = true;
    return;
  }
  if (writes) {
    database.mark();
  }
  try {
    spec->data(context, command.args, reply);
    return;
  } catch (const std::bad_alloc&) {
    fatal("out of memory while executing a command");
  } catch (const std::exception& e) {
    if (std::has_single_bit(++failures)) {  // a client that repeats it cannot fill the log
      log_error("command '" + std::string(spec->name) + "' failed (failure " +
                std::to_string(failures) + " since start): " + e.what());
    }
  }
  // F30: the same on every node: nothing of the command remains and its client is told.
  if (writes) {
    database.undo_to_mark();
  }
  if (out != nullptr) {
    out->resize(start);
  }
  reply.error(kInternalError);
}

void Executor::State::execute_transaction(PackedCommand& transaction,
                                          Moment moment,
                                          std::string* out,
                                          int version) {
  ReplyWriter reply(out, version);
  may_put_aside = false;  // it would have to go as a whole
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
      reply.error(kInternalError);
      continue;
    }
    execute_plain(unpacked_inner, moment, out, version);
    ++moment.ordinal;
  }
}

void Executor::State::execute(std::string_view packed,
                              Moment moment,
                              std::string* out,
                              int version) {
  moment.ordinal = entry_commands;
  if (!unpack_command(packed, unpacked)) {
    ReplyWriter(out, version).error(kInternalError);
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
                               const ReplyGroups::Draft& draft) {
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
  execute(packed, read, draft.bytes(), version);
  entry_commands = commands_before;  // only writes count: other nodes do not execute this read
}

}  // namespace kiwi::resp
