// What may stand in front of a command. It makes the command count once: KIWI.ONCE token, KIWI.SEQ
// producer n AFTER m; as the first command of MULTI it is about the block. Or it says how old what
// is read may be: KIWI.READ; without a command it is about the connection.
#include "config/base/check.hpp"
#include "resp/numbers.hpp"
#include "resp/once_token.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kProducerNameBytes = 256;
constexpr size_t kTokenWords = 2;     // KIWI.ONCE token
constexpr size_t kProducerWords = 5;  // KIWI.SEQ producer n AFTER m

// Of a block: how many words of MULTI's first command say what it is about, WATCHED included.
constexpr size_t kWatchedWords = kTokenWords + 1;

std::optional<uint64_t> number(std::string_view word) {
  const std::optional<int64_t> value = parse_integer(word);
  return value && *value >= 0 ? std::optional(static_cast<uint64_t>(*value)) : std::nullopt;
}

// An error's text, or nothing.
std::string read_token(Args args, AskedOnce& asked) {
  std::optional<std::string> token = read_once_token(args[1]);
  if (!token) {
    return std::string(texts::kBadToken);
  }
  asked.form = OnceMark::Form::kToken;
  asked.name = std::move(*token);
  return {};
}

std::string read_producer(Args args, AskedOnce& asked) {
  if (args[1].empty() || args[1].size() > kProducerNameBytes) {
    return "ERR a producer's name has 1 to 256 bytes";
  }
  const auto own = number(args[2]);
  const auto after = number(args[4]);
  if (!own || !after) {
    return std::string(texts::kNotInteger);
  }
  if (!same_word(args[3], "after") || *after >= *own) {
    return std::string(texts::kSyntax);
  }
  asked.form = OnceMark::Form::kProducer;
  asked.name = args[1];
  asked.number = *own;
  asked.after = *after;
  return {};
}

}  // namespace

std::string Session::State::take_prefix(const CommandSpec& row, Args& args) {
  if (row.role == SessionRole::kPrefix) {
    args = args.subspan(1);
    return {};
  }
  return row.role == SessionRole::kOnce ? take_once(row, args) : take_read_level(args);
}

// LINEARIZABLE | ATLEAST index | STALE [MAXLAG milliseconds]
std::string Session::State::take_read_level(Args& args) {
  if (must_authenticate()) {
    return std::string(texts::kNoAuth);
  }
  if (transaction.open) {
    return "ERR Command not allowed inside a transaction";
  }
  args = args.subspan(1);
  const std::string_view word = args[0];
  ReadLevel level;
  size_t words = 1;
  const auto with_number = [&](RequestKind kind, size_t at) {
    const std::optional<uint64_t> value =
        args.size() > at ? number(args[at]) : std::optional<uint64_t>();
    level = {kind, static_cast<int64_t>(value.value_or(0))};
    words = at + 1;
    return value.has_value();
  };
  bool fits = true;
  if (same_word(word, "atleast")) {
    fits = with_number(RequestKind::kAtLeast, 1);
  } else if (same_word(word, "stale") && args.size() > 1 && same_word(args[1], "maxlag")) {
    fits = with_number(RequestKind::kMaxLag, 2) && level.number > 0;
  } else if (same_word(word, "stale")) {
    level.kind = RequestKind::kStaleRead;
  } else {
    fits = same_word(word, "linearizable");
  }
  if (!fits) {
    return std::string(texts::kSyntax);
  }
  args = args.subspan(words);
  read_level = level;
  return {};
}

void Session::State::set_read_level() {
  CHECK_INVARIANT(read_level.has_value());
  ++node.metrics.commands_processed;
  skip_this_reply = std::exchange(skip_next_reply, false);
  reads = *read_level;
  reply_now([](ReplyWriter& reply) { reply.ok(); });
}

std::string Session::State::take_once(const CommandSpec& row, Args& args) {
  const bool producer = row.name == "kiwi.seq";
  const size_t words = producer ? kProducerWords : kTokenWords;
  if (args.size() < words) {
    return arity_text(row);
  }
  if (must_authenticate()) {
    return std::string(texts::kNoAuth);
  }
  if (once) {
    return std::string(texts::kNotOnce);
  }
  // It would be the default user's token now, and no longer once the state knows the user: asked
  // again it would be executed again.
  if (Accounts::is_own(user->id)) {
    return std::string(texts::kUsersComing);
  }
  AskedOnce asked;
  if (std::string why = producer ? read_producer(args, asked) : read_token(args, asked);
      !why.empty()) {
    return why;
  }
  if (!transaction.open) {
    if (args.size() == words) {
      return arity_text(row);
    }
    once = std::make_unique<AskedOnce>(std::move(asked));
    args = args.subspan(words);
    return {};
  }
  const bool watched =
      !producer && args.size() == kWatchedWords && same_word(args.back(), "watched");
  if (transaction.count != 0 || (args.size() != words && !watched)) {
    return std::string(texts::kOnceNotFirst);
  }
  asked.watched = watched;
  transaction.once = std::make_unique<AskedOnce>(std::move(asked));
  args = {};
  return {};
}

// Its place in EXEC's array is filled where the block is executed.
void Session::State::begin_once_block() {
  ++node.metrics.commands_processed;
  skip_this_reply = std::exchange(skip_next_reply, false);
  transaction.count += 1;
  transaction.bytes += transaction.once->name.size() + sizeof(AskedOnce);
  reply_now([](ReplyWriter& reply) { reply.simple("QUEUED"); });
}

// Of a command behind the words that make it count once, or of one that wraps another: what would
// be refused of that one by itself.
std::string Session::State::refusal_to_count(const CommandSpec& row, Args args) const {
  if (!row.is_data()) {
    return once ? std::string(texts::kNotOnce) : std::string();
  }
  const CommandSpec* inner = &row;
  if ((row.flags & kWraps) != 0) {
    const Args inside = args.subspan(words_in_front(row));
    const Resolved found = resolve_for_client(node, inside, info.face);
    // What this node has another name for is unknown here by either.
    const auto meant = node.renames.real_name(inside[0]);
    if (found.row == nullptr || !meant || meant->data() != inside[0].data()) {
      return unknown_command_text(inside);
    }
    if (found.unknown_subcommand) {
      return unknown_subcommand_text(inside);
    }
    if (!found.row->is_data() || (found.row->flags & (kWraps | kChangesUsers)) != 0) {
      return "ERR this command cannot be executed inside another one";
    }
    if (std::string why = refusal_of(*found.row, inside.size()); !why.empty()) {
      return why;
    }
    inner = found.row;
  }
  const std::unique_ptr<AskedOnce>& asked = transaction.open ? transaction.once : once;
  const bool numbered = asked && asked->form == OnceMark::Form::kProducer;
  return numbered && (inner->flags & kTakes) != 0 ? std::string(texts::kOnceTakes) : std::string();
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

// They never run: the session takes them off the command behind them.
void kiwi_once(Session&, Args args, ReplyWriter& reply) {
  reply.error("ERR wrong number of arguments for '" + std::string(args[0]) + "' command");
}

}  // namespace kiwi::resp::commands
