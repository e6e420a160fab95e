// From argv to the handler: look up, check, queue inside MULTI, answer here or forward.
#include <algorithm>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"
#include "resp/acl/trail.hpp"
#include "resp/read_scripts.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// How much of a client's own words an error repeats, as in Redis.
constexpr size_t kQuotedBytes = 128;

std::string upper_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return out;
}

// What a browser that a web page sends here (DNS rebinding, cross-site requests) cannot help
// saying: such a client is cut off before a line of its request can be taken for a command.
bool is_http(std::string_view name) { return same_word(name, "post") || same_word(name, "host:"); }

// The words behind it, and some of its own, are the command.
bool is_prefix(SessionRole role) {
  return role == SessionRole::kPrefix || role == SessionRole::kOnce ||
         role == SessionRole::kReadLevel;
}

constexpr std::string_view kNoDebug =
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
    "you can run it from a local connection, otherwise you need to set this option in the "
    "configuration file, and then restart the server.";

}  // namespace

Resolved resolve_for_client(const NodeContext& node, Args args, Face face) {
  const Resolved found = resolve_command(args, node.cluster_version);
  const bool known =
      found.row != nullptr && !found.row->is_internal() && is_known_to(*found.row, face);
  return known ? found : Resolved{};
}

std::string unknown_command_text(Args args) {
  std::string quoted;
  for (size_t i = 1; i < args.size() && quoted.size() < kQuotedBytes; ++i) {
    quoted += "'";
    quoted += quoted_word(args[i].substr(0, kQuotedBytes - (quoted.size() - 1)));
    quoted += "' ";
  }
  return "ERR unknown command '" + std::string(quoted_word(args[0].substr(0, kQuotedBytes))) +
         "', with args beginning with: " + quoted;
}

std::string unknown_subcommand_text(Args args) {
  return "ERR unknown subcommand '" + std::string(quoted_word(args[1].substr(0, kQuotedBytes))) +
         "'. Try " + upper_case(args[0]) + " HELP.";
}

std::string arity_text(const CommandSpec& row) {
  return "ERR wrong number of arguments for '" + std::string(row.name) + "' command";
}

// Is it a client of this machine, and is that enough?
bool Session::State::is_let(config::DebugAccess access) const {
  if (access != config::DebugAccess::kLocal) {
    return access == config::DebugAccess::kYes;
  }
  std::string_view host = info.peer_address;
  host = host.substr(0, host.rfind(':'));
  return host == "127.0.0.1" || host == "::1" || host == "[::1]" || host == "[::ffff:127.0.0.1]";
}

bool Session::State::must_wait(const CommandSpec& row) const {
  switch (row.role) {
    case SessionRole::kSubscribe:
    case SessionRole::kTracking:
    case SessionRole::kWaits:
    case SessionRole::kWaitsAlone:
      return !slots.empty() && !transaction.open;
    case SessionRole::kExec:
      return !publications.empty();
    default:
      return false;
  }
}

size_t Session::State::deferred_bytes() const {
  size_t bytes = 0;
  if (deferred) {
    for (const std::string& arg : deferred->args) {
      bytes += sizeof(arg) + arg.capacity();
    }
  }
  return bytes;
}

std::string Session::State::refusal_of(const CommandSpec& row, size_t argc) const {
  if (!arity_fits(row, argc)) {
    return arity_text(row);
  }
  if (must_authenticate() && (row.flags & kNoAuth) == 0) {
    return std::string(texts::kNoAuth);
  }
  if (takes_few_commands() && (row.flags & kSubscriberOk) == 0) {
    return "ERR Can't execute '" + std::string(row.name) +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context";
  }
  if (monitoring && is_refused_to_monitors(row)) {
    return "ERR Replica can't interact with the keyspace";
  }
  if (row.is_data() && has_no(row)) {
    return std::string(texts::kNoClusterHere);
  }
  if (row.role == SessionRole::kDebug && !is_let(node.options.enable_debug_command)) {
    return std::string(kNoDebug);
  }
  if (transaction.open && (row.flags & kNoMulti) != 0) {
    return "ERR Command not allowed inside a transaction";
  }
  const bool script = (row.acl_categories & kAclScripting) != 0;
  if (row.is_data() && (row.flags & kAllowBusy) == 0 &&
      (busy || (script && node.refuses_scripts()))) {
    return std::string(texts::kBusy);
  }
  return {};
}

// Of an EVALSHA whose script no state knows, for it was only ever a read, and here: sent as EVAL it
// is known everywhere from then on, and no more kept here.
std::optional<std::string> Session::State::script_of(const CommandSpec& row, Args args) const {
  if ((row.flags & kBySha1) == 0 || node.read_scripts == nullptr || !may_say("eval")) {
    return std::nullopt;
  }
  std::string sha1(args[1]);
  std::ranges::transform(sha1, sha1.begin(), lower_case);
  return node.read_scripts->find(sha1);
}

// Of EVALSHA and FCALL, if what they name ran here and does not write. In a block they stay what
// they are: what this node knows must not decide what an entry does. Nor whether a command counts:
// a producer's number that was taken once would be passed over the next time, and those behind it
// never be taken.
std::string_view Session::State::name_as_read(const CommandSpec& row, Args args) const {
  const bool by_sha1 = (row.flags & kBySha1) != 0;
  if ((!by_sha1 && row.name != "fcall") || transaction.open || once ||
      node.read_scripts == nullptr || (by_sha1 && !may_say("evalsha_ro"))) {
    return {};
  }
  std::string asked(args[1].substr(0, ReadScripts::kReaderBytes + 1));
  std::ranges::transform(asked, asked.begin(), lower_case);
  using Kind = ReadScripts::Kind;
  if (!node.read_scripts->is_reader(by_sha1 ? Kind::kScript : Kind::kFunction, asked)) {
    return {};
  }
  return by_sha1 ? "evalsha_ro" : "kiwi.fcall";
}

// What is sent instead; empty: what was asked. `script` holds a text that it names.
std::vector<std::string_view> Session::State::words_sent(const CommandSpec& row,
                                                         Args args,
                                                         std::string& script) const {
  std::vector<std::string_view> words;
  if (const std::string_view as_read = name_as_read(row, args); !as_read.empty()) {
    words.assign(args.begin(), args.end());
    words[0] = as_read;
  } else if (std::optional<std::string> text = script_of(row, args)) {
    script = std::move(*text);
    words = {"eval", script};
    words.insert(words.end(), args.begin() + 2, args.end());
  }
  return words;
}

// By the names that this node gives commands; `args` becomes what is meant, in `space` if need be.
// What stands in front of a command is taken off; `why`: the error that it is.
Resolved Session::State::resolve(Args& args,
                                 std::vector<std::string_view>& space,
                                 std::string& why) {
  once.reset();
  read_level.reset();
  while (true) {
    if (node.renames.any()) [[unlikely]] {
      const auto meant = node.renames.real_name(args[0]);
      if (!meant) {
        return {};
      }
      if (meant->data() != args[0].data()) {
        if (space.empty()) {  // once: of a million words each may be a prefix with a new name
          space.assign(args.begin(), args.end());
          args = space;
        }
        space[space.size() - args.size()] = *meant;  // only words in front were taken off
      }
    }
    const Resolved found = resolve_for_client(node, args, info.face);
    if (found.row == nullptr || !is_prefix(found.row->role) || args.size() < 2) {
      return found;
    }
    why = take_prefix(*found.row, args);
    if (!why.empty() || args.empty()) {
      return found;
    }
  }
}

void Session::State::dispatch(Args args) {
  const Args words_said = args;
  std::vector<std::string_view> space;
  std::string wrong;
  auto [row, unknown_subcommand] = resolve(args, space, wrong);
  if (!wrong.empty()) {
    ++node.metrics.commands_processed;
    skip_this_reply = std::exchange(skip_next_reply, false);
    return reject(row, wrong);
  }
  if (args.empty()) {
    return row->role == SessionRole::kOnce ? begin_once_block() : set_read_level();
  }
  if (row != nullptr && must_wait(*row)) {
    deferred = QueuedLocal{0, row, {words_said.begin(), words_said.end()}};
    return;
  }
  if (node.pause.until_ms != 0 && row != nullptr && !unknown_subcommand && is_paused(*row, args) &&
      refusal_of(*row, args.size()).empty()) {
    return hold(*row, words_said, words_said.size() - args.size());
  }
  ++node.metrics.commands_processed;
  skip_this_reply = std::exchange(skip_next_reply, false);
  last_command = row;
  if (row == nullptr) {
    if (is_http(args[0])) {
      log_warning("Closing client " + info.peer_address +
                  ": it speaks HTTP. A web page may be trying to send commands to this server.");
      return kill();
    }
    return reject(row, unknown_command_text(args));
  }
  if (unknown_subcommand) {
    return reject(nullptr, unknown_subcommand_text(args));
  }
  std::string why = refusal_of(*row, args.size());
  if (why.empty() && (once || transaction.once || (row->flags & kWraps) != 0)) {
    why = refusal_to_count(*row, args);
  }
  if (why.empty() && limited != nullptr) [[unlikely]] {
    why = denial_of(*row, args);
  }
  if (!why.empty()) {
    return reject(row, why);
  }
  carry_out(row, args);
}

// Of what nothing refused: as it is sent, or done here.
void Session::State::carry_out(const CommandSpec* row, Args args) {
  const Args said = args;
  std::vector<std::string> hidden;  // what stands in its place
  if ((row->flags & kChangesUsers) != 0) {
    if (const std::string why = changes_users(*row, args, hidden); !why.empty()) {
      return reject(row, why);
    }
  }
  counted_row = node.measures.index_of(*row);  // as it was said
  if (node.trail && (row->acl_categories & kAclAdmin) != 0) [[unlikely]] {
    node.trail(acl::command_line(doer(), *row, args));
  }
  std::string script;
  std::vector<std::string_view> words(hidden.begin(), hidden.end());
  if ((row->acl_categories & kAclScripting) != 0) {
    words = words_sent(*row, args, script);
  }
  if (!words.empty()) {
    args = words;
    row = hidden.empty() ? find_command(words[0]) : row;
  }
  if (transaction.open && (row->flags & kNotQueued) == 0) {
    return queue(*row, args);
  }
  if (node.monitors.any()) {
    return run_watched(*row, args, said);
  }
  run(*row, args);
}

void Session::State::run(const CommandSpec& row, Args args) {
  if (row.role == SessionRole::kPublish && !once) {
    if (is_sentinel()) {
      return reply_error("ERR Only HELLO messages are accepted by Sentinel instances.");
    }
    return publish(row, args);
  }
  if (row.role == SessionRole::kSubscribe) {
    return change_subscriptions(row, args);
  }
  if (!row.is_data()) {
    // What EXEC answers is bounded part by part.
    size_t room = config::limits::kLocalReplyBytes;
    for (std::string_view arg : args) {
      room += arg.size();
    }
    room = row.role == SessionRole::kExec ? RespWriter::kAnyRoom : room;
    reply_now([&](RespWriter& reply) { run_local(row, args, reply, room); });
    return;
  }
  if (takes_advice()) {
    if (const std::string advice = advice_for(row, args); !advice.empty()) {
      return reply_error(advice);
    }
  }
  size_t begin = requests.buffer.size();
  begin_packed(row.is_internal());
  const Route route = route_of(row, args);
  if (once && route == Route::kWrite) [[unlikely]] {
    pack_once(requests.buffer, once->mark(resp_version));
  }
  pack_command(requests.buffer, database, args);
  if (requests.buffer.size() - begin > static_cast<size_t>(node.options.raft_max_entry_size)) {
    requests.buffer.resize(begin);
    return reply_error("ERR command is larger than raft.max-entry-size");
  }
  if (node.faults.any() && fault_before(row.name)) [[unlikely]] {
    requests.buffer.resize(begin);
    return killed ? void() : reply_error(texts::kTimeout);
  }
  const bool numbered = once && once->form == OnceMark::Form::kProducer;
  if (WaitFor wait; row.waiting != nullptr && !numbered && row.waiting->wait(args, wait)) {
    return block(wait, begin, may_be_long(row, args.size()));
  }
  const ReadLevel level = level_of_reads(!transaction.tokens.empty());
  forward(route == Route::kWrite ? RequestKind::kWrite : level.kind, begin,
          may_be_long(row, args.size()));
  requests.requests.back().wait_until_ms = level.number;
}

void Session::State::run_local(const CommandSpec& row, Args args, RespWriter& reply, size_t room) {
  const size_t begin = reply.where();
  const uint64_t slots_before = slots.next_number();
  const int64_t began_ns = node.measures.now_ns();
  // What changes subscriptions is not refused for its reply, which its words bound.
  reply.set_room(row.role == SessionRole::kSubscribe ? RespWriter::kAnyRoom : room);
  try {
    if (has_no(row)) {
      reply.error(texts::kNoClusterHere);
    } else {
      row.local(*self, args, reply);
    }
    reply.set_room(RespWriter::kAnyRoom);
  } catch (const ReplyTooLarge&) {
    reply.set_room(RespWriter::kAnyRoom);
    reply.take_back(begin);
    reply.error("ERR the reply would be too large: ask for fewer things at a time");
  }
  const int64_t done_ns = node.measures.now_ns();
  const std::string_view error = reply.error_at(begin);
  const bool failed = !error.empty();
  node.measures.executed(row, done_ns - began_ns, info.id, args);
  if (in_block) {
    node.measures.called_inside(row, 1, failed ? 1 : 0);
    if (failed) {
      node.measures.count_error(error);
    }
  } else if (slots.next_number() == slots_before) {  // else it counts when its slot is answered
    node.measures.answered(node.measures.index_of(row), done_ns - arrival_ns, failed);
    tell_outcome(node.measures.index_of(row), error);
  }
}

bool may_be_long(const CommandSpec& row, size_t argc) {
  constexpr size_t kFewWords = 64;
  // What is fast looks at no more records than it has arguments, as a rule.
  const bool fast = (row.flags & kFast) != 0 && (row.flags & kMayBeLong) == 0;
  return row.cost != nullptr && (!fast || argc > kFewWords);
}

void Session::State::forward(RequestKind kind, size_t begin, bool may_be_long) {
  size_t size = requests.buffer.size() - begin;
  // One command is at most raft.max-entry-size (2 GiB) long, and few come before it in a batch.
  CHECK_INVARIANT(requests.buffer.size() <= UINT32_MAX);
  Request request;
  const bool pops = kind == RequestKind::kWrite || kind == RequestKind::kBlocking;
  request.slot = slots.open(size, is_silent(), !pops, asked());
  if (requests.requests.empty()) {
    requests.acl_version = node.accounts.version();
  }
  note_fault(request.slot);
  if (caching) {
    node.tracking.mark(info.id, request.slot, slots.first_number());
  }
  request.kind = kind;
  request.resp_version = static_cast<uint8_t>(resp_version);
  request.may_be_long = may_be_long;
  request.offset = static_cast<uint32_t>(begin);
  request.size = static_cast<uint32_t>(size);
  requests.requests.push_back(request);
}

void Session::State::block(const WaitFor& wait, size_t begin, bool may_be_long) {
  // Its words stand in its command, among its keys, and with those of all who wait for one of them;
  // a serve of it is counted by the router.
  constexpr size_t kCopies = 4;
  constexpr size_t kWaiterBytes = 1024;
  constexpr size_t kWaitedKeyBytes = 512;
  constexpr int64_t kAsGoodAsForEver = int64_t{1} << 52;
  forward(RequestKind::kBlocking, begin, may_be_long);
  Request& request = requests.requests.back();
  if (wait.timeout_ms != 0 && wait.timeout_ms < kAsGoodAsForEver) {
    request.wait_until_ms = now_ms + wait.timeout_ms;
  }
  blocked_bytes = kWaiterBytes + kCopies * size_t{request.size} +
                  wait.keys.size() * (kWaitedKeyBytes + 2 * wait.lane.size());
  barrier = Barrier{request.slot, Barrier::Kind::kBlocked};
}

void Session::State::unblock(ConnectionId connection, std::string_view how) {
  const std::string id = std::to_string(connection);
  const std::string_view argv[] = {"client", "unblock", id, how, "blocked"};
  bool blocked = false;
  node.sessions.with(connection, [&blocked](Session& target) { blocked = target.blocked(); });
  const size_t begin = requests.buffer.size();
  pack_command(requests.buffer, 0, Args(argv).first(blocked ? 5 : 4));
  forward(RequestKind::kUnblock, begin);
}

void Session::State::forward_write(Args argv) {
  const size_t begin = requests.buffer.size();
  begin_packed(true);
  pack_command(requests.buffer, 0, argv);
  forward(RequestKind::kWrite, begin);
}

LaterReply Session::State::defer() {
  return {&node, {info.id, slots.open(0, is_silent(), false, asked())}, resp_version};
}

void Session::State::reply_error(std::string_view text) {
  reply_now([&](ReplyWriter& reply) { reply.error(text); });
}

void Session::State::reject(const CommandSpec* row, std::string_view text) {
  if (row != nullptr) {
    node.measures.rejected(*row);
  }
  if (row != nullptr && row->role == SessionRole::kExec) {
    // EXEC itself was refused: the block is over.
    discard_transaction();
    std::string_view reason = text.substr(text.starts_with("ERR ") ? 4 : 0);
    return reply_error(texts::exec_aborted(reason));
  }
  transaction.broken = transaction.open;
  reply_error(text);
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

// Redis' containers have no reply of their own: their arity asks for a sub-command, and one that is
// not known is refused before any handler runs.
void subcommand_missing(Session&, Args args, ReplyWriter& reply) {
  reply.error("ERR wrong number of arguments for '" + std::string(args[0]) + "' command");
}

}  // namespace kiwi::resp::commands
