// MULTI, EXEC and WATCH of one session. The block becomes one Request and one log entry; local
// commands in it are executed when its answer comes, and their replies join the others'.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/cluster_settings.hpp"
#include "config/limits.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kQueuedOverhead = 64;  // what a queued command costs beside its bytes
constexpr size_t kShortReply = 256;     // as +OK, a number, what HELLO says
constexpr size_t kTokenOverhead = 40;   // what a token costs in the packed block beside its key

}  // namespace

size_t reply_size(std::string_view bytes) {
  size_t at = 0;
  for (uint64_t elements = 1; elements > 0; --elements) {
    size_t end = bytes.find("\r\n", at);
    if (end == std::string_view::npos) {
      return 0;
    }
    char type = bytes[at];
    std::string_view line = bytes.substr(at + 1, end - at - 1);
    at = end + 2;
    bool bulk = type == '$' || type == '=' || type == '!';
    bool aggregate = type == '*' || type == '~' || type == '>' || type == '%' || type == '|';
    if (!bulk && !aggregate) {
      continue;
    }
    std::optional<int64_t> length = parse_integer(line);
    if (!length) {
      return 0;
    }
    auto count = static_cast<uint64_t>(std::max<int64_t>(*length, 0));
    if (aggregate) {
      elements += type == '%' || type == '|' ? 2 * count : count;
      elements += type == '|' ? 1 : 0;  // an attribute precedes the reply it belongs to
    } else if (*length >= 0) {
      if (bytes.size() - at < count + 2) {
        return 0;
      }
      at += count + 2;
    }
  }
  return at;
}

// Out of range, SELECT fails and nothing changes.
std::optional<uint32_t> Session::State::database_selected(std::string_view number) const {
  const std::optional<int64_t> value = parse_integer(number);
  const bool there = value && *value >= 0 && *value < node.options.databases;
  return there ? std::optional(static_cast<uint32_t>(*value)) : std::nullopt;
}

void Session::State::queue(const CommandSpec& row, Args args) {
  Transaction& t = transaction;
  if (row.role == SessionRole::kConfig &&
      (config::whose_options(args.subspan(2)) != config::Whose::kNode ||
       names_password(args.subspan(2)))) {
    return reject(&row, texts::kSettingInBlock);
  }
  // What a block's local commands do is done when EXEC's answer comes: too late for its reads.
  const bool too_late = row.role == SessionRole::kTracking || row.name == "client|caching";
  if (row.role == SessionRole::kAlone || row.role == SessionRole::kWaitsAlone || too_late) {
    return reject(&row, "ERR Command not allowed inside a transaction");
  }
  t.acl_version = std::min(t.acl_version, node.accounts.version());
  size_t bytes = 0;
  if (!row.is_data()) {
    t.locals.push_back({t.count, &row, {args.begin(), args.end()}});
    bytes = sizeof(QueuedLocal) + args.size() * sizeof(std::string);
    for (std::string_view arg : args) {
      bytes += arg.size();
    }
    if (row.role == SessionRole::kSelect) {
      t.database = database_selected(args[1]).value_or(t.database);
    }
  } else {
    pack_command(t.packed.emplace_back(), t.database, args);
    bytes = t.packed.back().size();
    t.writes = t.writes || route_of(row, args) == Route::kWrite;
    t.may_be_long = t.may_be_long || resp::may_be_long(row, args.size());
  }
  t.count += 1;
  t.bytes += bytes + kQueuedOverhead;
  // F50: the tokens travel in the same entry. None can be added from here on.
  if (t.bytes + t.token_bytes > static_cast<size_t>(node.options.raft_max_entry_size)) {
    std::vector<std::string>().swap(t.packed);  // the block cannot be executed any more
    std::vector<QueuedLocal>().swap(t.locals);
    t.bytes = 0;
    return reject(&row, "ERR transaction is larger than raft.max-entry-size");
  }
  reply_now([](ReplyWriter& reply) { reply.simple("QUEUED"); });
}

void Session::State::exec(RespWriter& reply) {
  if (!transaction.open) {
    return reply.error("ERR EXEC without MULTI");
  }
  Transaction block = std::exchange(transaction, {});
  if (block.broken) {
    return reply.error(texts::kExecAborted);
  }
  if (block.once && block.once->watched && !block.writes && block.tokens.empty()) {
    return reply.error(texts::kExpectsWatch);
  }
  if (block.tokens_lost && block.once && block.writes) {
    // An earlier attempt may have counted, so it is looked for; a new one needs its WATCH.
    block.once->watched = true;
    block.tokens.clear();
  } else if (block.tokens_lost) {
    return reply.null_array();
  }
  if (block.packed.empty() && block.tokens.empty()) {
    reply.array(block.count);
    if (block.once) {
      reply.ok();
    }
    size_t room = config::limits::kLocalReplyBytes + block.bytes;
    for (const QueuedLocal& local : block.locals) {
      run_queued(local, reply, room);
    }
    return;
  }
  std::vector<WatchToken> tokens;
  tokens.reserve(block.tokens.size());
  while (!block.tokens.empty()) {
    tokens.push_back(std::move(block.tokens.extract(block.tokens.begin()).value()));
  }
  size_t begin = requests.buffer.size();
  begin_packed();
  if (block.once) {
    pack_once(requests.buffer, block.once->mark(resp_version));
  }
  pack_transaction(requests.buffer, database, tokens, block.packed);
  if (node.faults.any() && fault_before("exec")) [[unlikely]] {
    requests.buffer.resize(begin);
    return reply.error(texts::kTimeout);
  }
  // Tokens are worth nothing against a state that may be old.
  const ReadLevel level = level_of_reads(!tokens.empty());
  forward(block.writes ? RequestKind::kWrite : level.kind, begin, block.may_be_long);
  requests.acl_version = std::min(requests.acl_version, block.acl_version);
  requests.requests.back().wait_until_ms = level.number;
  if (!block.locals.empty()) {
    barrier = Barrier{requests.requests.back().slot, Barrier::Kind::kExec};
    exec_locals = std::move(block.locals);
    exec_count = block.count;
    exec_bytes = block.bytes;
  }
}

void Session::State::run_queued(const QueuedLocal& local, RespWriter& reply, size_t& room) {
  const std::vector<std::string_view> args(local.args.begin(), local.args.end());
  const size_t begin = reply.where();
  // What is short is never refused: it may have done something already.
  in_block = true;
  const std::string why = limited != nullptr ? denial_of(*local.row, args) : std::string();
  if (why.empty()) {
    run_local(*local.row, args, reply, std::max(room, kShortReply));
  } else {
    reply.error(why);
  }
  in_block = false;
  if (reply.where() == begin) {
    reply.ok();  // CLIENT REPLY OFF is silent; the array of EXEC has a place to fill all the same
  }
  room -= std::min(room, reply.where() - begin);
}

// F50: what cannot be proposed later is refused now, while the client can be told why.
void Session::State::watch(Args args, ReplyWriter& reply) {
  const auto most = static_cast<size_t>(node.options.raft_max_entry_size);
  auto bytes_of = [&](bool known_too) {
    size_t bytes = 0;
    for (std::string_view key : args.subspan(1)) {
      const bool counts =
          known_too || !transaction.tokens.contains(TokenOrder::Place{database, key});
      bytes += counts ? key.size() + kTokenOverhead : 0;
    }
    return bytes;
  };
  if (bytes_of(true) > most || (transaction.token_bytes + bytes_of(true) > most &&
                                transaction.token_bytes + bytes_of(false) > most)) {
    transaction.tokens_lost = true;  // who takes this error for success must not commit
    return reply.error(
        "ERR the watched keys are larger than raft.max-entry-size together: EXEC will do nothing; "
        "UNWATCH, then watch fewer");
  }
  constexpr size_t kFewKeys = 64;  // more are looked at beside the entries (F44), not among them
  size_t begin = requests.buffer.size();
  begin_packed();
  pack_command(requests.buffer, database, args);
  forward(RequestKind::kWatch, begin, args.size() > kFewKeys);
  barrier = Barrier{requests.requests.back().slot, Barrier::Kind::kWatch};
}

void Session::State::discard_transaction() { transaction = {}; }

void Session::State::forget_tokens() {
  transaction.tokens.clear();
  transaction.token_bytes = 0;
  transaction.tokens_lost = false;
}

void Session::State::answer_barrier(const ReplyBatch& batch, std::string_view bytes) {
  CHECK_INVARIANT(barrier.has_value());
  Barrier passed = *std::exchange(barrier, std::nullopt);
  std::string joined;
  if (passed.kind == Barrier::Kind::kWatch) {
    if (bytes.starts_with('-')) {
      transaction.tokens_lost = true;
    }
    keep_tokens(batch.tokens);
  } else if (passed.kind == Barrier::Kind::kBlocked) {
    blocked_bytes = 0;
    ending_wait = false;
  } else if (passed.kind == Barrier::Kind::kInterest) {
    joined = run_subscribing();
    bytes = joined;
  } else if (passed.kind == Barrier::Kind::kLogin) {
    joined = run_login();
    bytes = joined;
  } else if (passed.kind == Barrier::Kind::kExec) {
    std::vector<QueuedLocal> locals = std::exchange(exec_locals, {});
    const size_t room = config::limits::kLocalReplyBytes + std::exchange(exec_bytes, 0);
    // Neither for a block that was not executed (nil, error) nor for an answer that is no array.
    if (bytes.starts_with('*') && !bytes.starts_with("*-")) {
      joined = join_replies(locals, room, bytes);
      bytes = joined;
    }
  }
  answer(passed.slot, bytes);
}

// A key that is watched twice keeps its first token: anything since then must show.
void Session::State::keep_tokens(const std::vector<WatchToken>& tokens) {
  for (const WatchToken& token : tokens) {
    if (transaction.tokens.insert(token).second) {
      transaction.token_bytes += token.key.size() + kTokenOverhead;
    }
  }
}

std::string Session::State::join_replies(const std::vector<QueuedLocal>& locals,
                                         size_t room,
                                         std::string_view bytes) {
  std::string out;
  RespWriter reply(&out, resp_version);
  reply.array(exec_count);
  bytes.remove_prefix(bytes.find("\r\n") + 2);
  auto local = locals.begin();
  for (size_t position = 0; position < exec_count; ++position) {
    if (local != locals.end() && local->position == position) {
      run_queued(*local++, reply, room);
      continue;
    }
    size_t size = reply_size(bytes);
    CHECK_INVARIANT(size > 0);
    reply.raw(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  CHECK_INVARIANT(bytes.empty());
  return out;
}

}  // namespace kiwi::resp
