#include "resp/script_host.hpp"

#include <algorithm>
#include <new>
#include <string>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "resp/acl/permission.hpp"
#include "resp/commands/stream_read.hpp"
#include "resp/commands/support.hpp"
#include "resp/monitors.hpp"
#include "resp/numbers.hpp"
#include "resp/resp_writer.hpp"
#include "resp/stopwatch.hpp"
#include "resp/types/steps.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// A reply as a value; what a script makes of it has to fit into its memory anyway.
constexpr size_t kValueBytes = size_t{128} << 20;
constexpr size_t kLogBytes = 1024;  // of a line that a script writes
constexpr std::string_view kUnknown = "ERR Unknown Redis command called from script";
constexpr std::string_view kWrongArity =
    "ERR Wrong number of args calling Redis command from script";
constexpr std::string_view kNotAllowed = "ERR This Redis command is not allowed from script";
constexpr std::string_view kReadOnly = "ERR Write commands are not allowed from read-only scripts.";

// Of one inner command; open until keep(). No client sent what a script makes of its arguments, so
// it is work of the entry (F61); once it is paid for, it is as if it had come.
class InnerMark {
 public:
  InnerMark(Database& database, Args args, bool writes) : database_(database), open_(writes) {
    if (open_) {
      size_t bytes = 0;
      for (const std::string_view arg : args) {
        bytes += arg.size();
      }
      database_.effects().spend(bytes);
      database_.effects().carry(bytes);
      database_.mark();
    }
  }
  ~InnerMark() {
    if (open_) {
      database_.undo();
    }
  }
  void keep() {
    if (open_) {
      database_.keep();
      open_ = false;
    }
  }
  // The state is being left as it is, in the middle of the entry: nothing is written any more,
  // which might wait for room on the disk, and an open drops what was built.
  void leave() { open_ = false; }
  InnerMark(const InnerMark&) = delete;
  InnerMark& operator=(const InnerMark&) = delete;

 private:
  Database& database_;
  bool open_;
};

}  // namespace

ScriptHost::ScriptHost(Context& context, const ReplyWriter& reply, bool read_only)
    : context_(context),
      outer_(context.frame()),
      silent_(reply.discards() || outer_.moment.quiet),
      read_only_(read_only || !outer_.moment.may_write),
      cluster_version_(context.state().settings().cluster_version()),
      seed_(context.prng().next()),
      database_(outer_.database) {}

ScriptHost::~ScriptHost() { context_.enter(outer_); }

void ScriptHost::rest() {
  context_.state().steps().breathe();
  context_.state().steps().may_rest();
}

// What stands in its way by the rights of whoever runs the script.
acl::Verdict ScriptHost::verdict(const CommandSpec& row, Args args) const {
  const acl::NamedUser* user = context_.user();
  return user == nullptr ? acl::Verdict() : acl::check(user->rights, row, args);
}

bool ScriptHost::may_call(Args args) {
  const Resolved found = resolve_command(args, cluster_version_);
  return found.row != nullptr && verdict(*found.row, args).allowed();
}

bool ScriptHost::knows(Args args) {
  const Resolved found = resolve_command(args, cluster_version_);
  return found.row != nullptr && !found.unknown_subcommand && !found.row->is_internal();
}

void ScriptHost::log(lua::LogLevel level, std::string_view text) {
  if (silent_) {
    return;
  }
  const std::string line = "script: " + std::string(text.substr(0, kLogBytes));
  switch (level) {
    case lua::LogLevel::kDebug:
      return log_debug(line);
    case lua::LogLevel::kVerbose:
      return log_verbose(line);
    case lua::LogLevel::kNotice:
      return log_notice(line);
    case lua::LogLevel::kWarning:
      return log_warning(line);
  }
}

lua::Host::Called ScriptHost::call(Args args, int version) {
  const uint64_t before = context_.state().steps().taken();
  const int64_t began_ns = context_.stopwatch().now_ns();
  ValueWriter value(version, kValueBytes);
  const Resolved found = resolve_command(args, cluster_version_);
  const CommandSpec* row = found.row;
  bool ran = false;
  if (row == nullptr || found.unknown_subcommand || row->is_internal()) {
    value.error(kUnknown);
  } else if (!arity_fits(*row, args.size())) {
    value.error(kWrongArity);
  } else if ((row->flags & kNoScript) != 0) {
    value.error(kNotAllowed);
  } else if (row->waiting != nullptr && row->name.starts_with("xread") && says_block(args)) {
    value.error("ERR " + std::string(args[0]) +
                " command is not allowed with BLOCK option from scripts");
  } else if (const acl::Verdict denied = verdict(*row, args); !denied.allowed()) {
    const bool whole = denied.denied == acl::Denied::kCommand;
    context_.refused(denied.denied, acl::Where::kScript, whole ? row->name : args[denied.position]);
    value.error(acl::refusal_in_script(denied.denied));
  } else if (!row->is_data()) {
    execute_local(*row, args, value);
    ran = true;
  } else if (row->route == Route::kWrite && read_only_) {
    value.error(kReadOnly);
  } else {
    run(*row, args, value);
    context_.stopwatch().command_of_script(*row, args, began_ns, value.is_error());
    ran = true;
    if (row->role == SessionRole::kPublish) {  // how many receive it differs from node to node
      value.clear();
      value.integer(0);
    }
  }
  if (ran && !silent_ && context_.state().outward().tells_script_calls() && is_monitored(*row)) {
    std::string packed;
    pack_command(packed, database_, args);
    context_.state().outward().script_called(database_, std::move(packed));
  }
  const uint64_t looked_at = context_.state().steps().taken() - before;
  records_ += looked_at;
  return {value.take(), looked_at + 1};
}

void ScriptHost::run(const CommandSpec& row, Args args, ValueWriter& value) {
  Context::Frame inner = outer_;
  inner.command = &row;
  inner.database = database_;
  inner.moment.seed = seed_;
  inner.moment.ordinal = ++calls_;
  context_.enter(inner);
  InnerMark mark(context_.state(), args, route_of(row, args) == Route::kWrite);
  std::string error;
  try {
    row.data(context_, args, value);
    context_.end();
    mark.keep();
    return;
  } catch (const Stopped&) {
    mark.leave();
    throw;
  } catch (const TooMuchForOneEntry&) {
    throw;  // of the whole script
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const ReplyTooLarge&) {
    error = "ERR the reply is larger than a script can hold: ask for less at a time";
  } catch (const NameTooLong& e) {
    error = e.what();
  } catch (const std::exception& e) {  // F30: the same on every node
    log_error("command '" + std::string(row.name) + "' failed inside a script: " + e.what());
    error = "ERR internal error: the command was not applied";
  }
  value.clear();
  value.error(error);
  context_.enter(inner);  // what it left open was taken back
}

// What a session answers elsewhere, as far as scripts may ask it.
void ScriptHost::execute_local(const CommandSpec& row, Args args, ReplyWriter& value) {
  if (row.name == "select") {
    const auto number = parse_integer(args[1]);
    if (!number) {
      return value.error(texts::kNotInteger);
    }
    // How many a node offers is its option, which must not decide what an entry does (F35).
    if (!is_database(*number)) {
      return value.error(kDatabaseOutOfRange);
    }
    database_ = static_cast<uint32_t>(*number);
    return value.ok();
  }
  if (row.name == "ping" && args.size() <= 2) {
    return args.size() == 1 ? value.simple("PONG") : value.bulk(args[1]);
  }
  if (row.name == "ping") {
    return value.error("ERR wrong number of arguments for 'ping' command");
  }
  if (row.name == "echo") {
    return value.bulk(args[1]);
  }
  if (row.name == "time") {  // the entry's, in milliseconds
    const int64_t now_ms = outer_.moment.now_ms;
    value.array(2);
    value.bulk(std::to_string(now_ms / 1000));
    return value.bulk(std::to_string(now_ms % 1000 * 1000));
  }
  value.error(kNotAllowed);
}

}  // namespace kiwi::resp
