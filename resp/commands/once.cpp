// Commands about what counts once, and how it is told: KIWI.TOKEN, KIWI.PRODUCER, KIWI.INDEX,
// KIWI.FENCE. What stands in front of a command: session_once.cpp; what it does: executor_once.cpp.
#include <algorithm>
#include <string>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "resp/context.hpp"
#include "resp/numbers.hpp"
#include "resp/once_token.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr size_t kProducersAtOnce = 1000;
constexpr int64_t kAheadMs = 300'000;  // as executor_once.cpp

int64_t as_integer(uint64_t value) { return static_cast<int64_t>(value); }

void write_fate(const OnceRecord& record, ReplyWriter& reply) {
  reply.map(5);
  reply.bulk("state");
  reply.bulk(record.closed ? "closed" : "applied");
  reply.bulk("index");
  reply.integer(as_integer(record.index.value));
  reply.bulk("revision");
  reply.integer(as_integer(record.revision));
  reply.bulk("unix-ms");
  reply.integer(record.stamp_ms);
  reply.bulk("kept");
  reply.integer(record.kept ? 1 : 0);
}

// nullopt: the error was answered. Views into `token`.
std::optional<Once::Name> name_of(Context& context,
                                  std::string_view text,
                                  std::string& token,
                                  ReplyWriter& reply) {
  std::optional<std::string> read = read_once_token(text);
  if (!read) {
    reply.error(texts::kBadToken);
    return std::nullopt;
  }
  token = std::move(*read);
  return Once::Name{once_token_ms(token), context.user_number(), once_token_name(token)};
}

}  // namespace

// ---------------------------------------------------------------- tokens

void token_get(Context& context, Args args, ReplyWriter& reply) {
  std::string token;
  const auto name = name_of(context, args[2], token, reply);
  if (!name) {
    return;
  }
  const std::optional<OnceRecord> record = context.state().once().find(*name);
  if (!record || record->unused) {
    return reply.null();
  }
  write_fate(*record, reply);
}

// Afterwards its fate is final: what is under way finds the record, and what was taken for a client
// that had left stays with the token (give_back.cpp), since this one was told that it is there.
void token_close(Context& context, Args args, ReplyWriter& reply) {
  std::string token;
  const auto name = name_of(context, args[2], token, reply);
  if (!name) {
    return;
  }
  Once& once = context.state().once();
  std::optional<OnceRecord> known = once.find(*name);
  if (known && !known->unused) {
    if (known->takes && !known->claimed) {
      known->claimed = true;
      known->changed = context.state().index_now();
      once.put(*name, *known);
    }
    return write_fate(*known, reply);
  }
  const auto token_ms = static_cast<int64_t>(name->ms);
  if (token_ms > context.now_ms() + kAheadMs) {
    return reply.error(texts::once_clock(token_ms - context.now_ms()));
  }
  if (const int64_t until_ms = once.forgotten_until_ms(context.now_ms()); token_ms <= until_ms) {
    return reply.error(texts::once_expired(until_ms));
  }
  OnceRecord closed;
  closed.changed = closed.index = context.state().index_now();
  closed.revision = context.state().record().mutation_counter;
  closed.stamp_ms = context.now_ms();
  closed.closed = true;
  once.put(*name, closed);
  reply.simple("CLOSED");
}

// ---------------------------------------------------------------- producers

void producer_get(Context& context, Args args, ReplyWriter& reply) {
  const auto row = context.state().producers().find(context.user_number(), args[2]);
  if (!row) {
    return reply.null();
  }
  reply.map(4);
  reply.bulk("last");
  reply.integer(as_integer(row->number));
  reply.bulk("index");
  reply.integer(as_integer(row->last.index.value));
  reply.bulk("revision");
  reply.integer(as_integer(row->last.revision));
  reply.bulk("unix-ms");
  reply.integer(row->last.stamp_ms);
}

void producer_drop(Context& context, Args args, ReplyWriter& reply) {
  reply.integer(context.state().producers().drop(context.user_number(), args[2]) ? 1 : 0);
}

// KIWI.PRODUCER LIST [AFTER name] [COUNT n]
void producer_list(Context& context, Args args, ReplyWriter& reply) {
  std::string_view after;
  size_t most = kProducersAtOnce;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) {
      return reply.error(texts::kSyntax);
    }
    if (same_word(args[i], "after")) {
      after = args[i + 1];
      continue;
    }
    const std::optional<int64_t> count =
        same_word(args[i], "count") ? parse_integer(args[i + 1]) : std::nullopt;
    if (!count || *count < 1) {
      return reply.error(texts::kSyntax);
    }
    most = std::min(kProducersAtOnce, static_cast<size_t>(*count));
  }
  const std::vector<std::string> names =
      context.state().producers().names(context.user_number(), after, most);
  reply.array(names.size());
  for (const std::string& name : names) {
    context.state().step();
    reply.bulk(name);
  }
}

// ---------------------------------------------------------------- index and fence

void kiwi_index(Context& context, Args, ReplyWriter& reply) {
  reply.array(2);
  reply.integer(as_integer(context.state().index_now().value));
  reply.integer(as_integer(context.state().record().mutation_counter));
}

namespace {

const CommandSpec* inside(Args args) {
  const Resolved found = resolve_command(args.subspan(1), kAnyVersion);
  const bool known = found.row != nullptr && !found.unknown_subcommand && found.row->is_data() &&
                     (found.row->flags & (kWraps | kChangesUsers)) == 0 &&
                     !found.row->is_internal();
  return known && arity_fits(*found.row, args.size() - 1) ? found.row : nullptr;
}

}  // namespace

Route fence_route(Args args) {
  const CommandSpec* row = args.size() > 1 ? inside(args) : nullptr;
  return row == nullptr ? Route::kWrite : route_of(*row, args.subspan(1));
}

uint64_t fence_cost(Context& context, Args args) {
  const CommandSpec* row = inside(args);
  return row == nullptr || row->cost == nullptr ? 0 : row->cost(context, args.subspan(1));
}

// KIWI.FENCE command...: [reply, [index, revision]]. The revision of a command that changed
// something is larger than any before it, and smaller than any behind.
void kiwi_fence(Context& context, Args args, ReplyWriter& reply) {
  const CommandSpec* row = inside(args);
  if (row == nullptr || row->cluster_version > context.state().settings().cluster_version()) {
    return reply.error("ERR this command cannot be executed here");
  }
  const Context::Frame outer = context.frame();
  Context::Frame inner = outer;
  inner.command = row;
  reply.array(2);
  context.enter(inner);
  row->data(context, args.subspan(1), reply);
  context.end();
  context.enter(outer);
  kiwi_index(context, args, reply);
}

}  // namespace kiwi::resp::commands
