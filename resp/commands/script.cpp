// EVAL, EVALSHA, their _RO forms, and SCRIPT.
#include <string>

#include "config/base/check.hpp"
#include "config/base/sha1.hpp"
#include "resp/commands/script_support.hpp"
#include "resp/script_engine.hpp"
#include "resp/script_source.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

enum class Reading : uint8_t { kMayWrite, kOnlyReads };

constexpr size_t kDigits = 40;  // of a SHA-1

// The digits in lower case and the bytes they stand for; nullopt: it is no SHA-1.
struct Sha1 {
  std::string hex;
  std::string bytes;
};
std::optional<Sha1> read_sha1(std::string_view text) {
  if (text.size() != kDigits) {
    return std::nullopt;
  }
  Sha1 sha1;
  unsigned half = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char digit = lower_case(text[i]);
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && !(digit >= 'a' && digit <= 'f')) {
      return std::nullopt;
    }
    const auto value = static_cast<unsigned>(decimal ? digit - '0' : digit - 'a' + 10);
    if (i % 2 == 1) {
      sha1.bytes.push_back(static_cast<char>(half * 16 + value));
    }
    half = value;
    sha1.hex.push_back(digit);
  }
  CHECK_INVARIANT(sha1.bytes.size() * 2 == kDigits);
  return sha1;
}

std::string compile_error(Context& context, const ScriptSource& source, std::string_view hex) {
  std::string error = context.scripts().machine().compile_error(source.code, hex);
  return error.empty() ? error : "ERR Error compiling script (new function): " + error;
}

void run(Context& context,
         std::string_view hex,
         const ScriptSource& source,
         const ScriptWords& words,
         Reading reading,
         ReplyWriter& reply) {
  const bool only_reads = (source.flags & lua::kNoWrites) != 0;
  if (reading == Reading::kOnlyReads && source.has_flags && !only_reads) {
    return reply.error(kWritesInReadOnly);
  }
  if (only_reads) {
    context.scripts().read_scripts().keep_reader(ReadScripts::Kind::kScript, hex);
  }
  lua::Call call;
  call.code = source.code;
  call.identity = hex;
  call.shown = hex;
  call.keys = words.keys;
  call.arguments = words.arguments;
  run_script(context, call, only_reads || reading == Reading::kOnlyReads, reply);
}

void evaluate(Context& context, Args args, Reading reading, ReplyWriter& reply) {
  const auto words = read_script_words(args, texts::kNotInteger, reply);
  if (!words) {
    return;
  }
  const std::string_view text = args[1];
  std::string error;
  const auto source = read_script(text, error);
  if (!source) {
    return reply.error(error);
  }
  const std::string sha1 = kiwi::sha1(text);
  const std::string hex = sha1_hex_of(sha1);
  count_compiling(context, source->code);
  if (error = compile_error(context, *source, hex); !error.empty()) {
    return reply.error(error);
  }
  // A read is executed on one node only, also between the writes of a block (F64).
  if (route_of(context.row(), args) == Route::kWrite) {
    context.state().scripts().evaluated(sha1, text);
    context.scripts().read_scripts().forget(hex);
  } else {
    context.scripts().read_scripts().keep(hex, text);
  }
  run(context, hex, *source, *words, reading, reply);
}

void evaluate_known(Context& context, Args args, Reading reading, ReplyWriter& reply) {
  const auto sha1 = read_sha1(args[1]);
  if (!sha1) {
    context.no_script();
    return reply.error(texts::kNoScript);
  }
  const auto words = read_script_words(args, texts::kNotInteger, reply);
  if (!words) {
    return;
  }
  std::optional<std::string> text = context.state().scripts().text(sha1->bytes);
  // What only this node knows must not decide what an entry does; EVALSHA may be one.
  if (!text && reading == Reading::kOnlyReads && !context.keeps_reply()) {
    text = context.scripts().read_scripts().find(sha1->hex);
  }
  if (!text) {
    context.no_script();
    return reply.error(texts::kNoScript);
  }
  std::string error;
  const auto source = read_script(*text, error);
  CHECK_INVARIANT(source.has_value());  // it was read before it was kept
  count_compiling(context, source->code);
  run(context, sha1->hex, *source, *words, reading, reply);
}

}  // namespace

// A script that says that it does not write is a read, on any node.
Route eval_route(Args args) {
  std::string error;
  const auto source = args.size() > 1 ? read_script(args[1], error) : std::nullopt;
  return source && (source->flags & lua::kNoWrites) != 0 ? Route::kRead : Route::kWrite;
}

void eval(Context& context, Args args, ReplyWriter& reply) {
  evaluate(context, args, Reading::kMayWrite, reply);
}

void eval_ro(Context& context, Args args, ReplyWriter& reply) {
  evaluate(context, args, Reading::kOnlyReads, reply);
}

void evalsha(Context& context, Args args, ReplyWriter& reply) {
  evaluate_known(context, args, Reading::kMayWrite, reply);
}

void evalsha_ro(Context& context, Args args, ReplyWriter& reply) {
  evaluate_known(context, args, Reading::kOnlyReads, reply);
}

// ---------------------------------------------------------------- SCRIPT

void script_load(Context& context, Args args, ReplyWriter& reply) {
  const std::string_view text = args[2];
  std::string error;
  const auto source = read_script(text, error);
  if (!source) {
    return reply.error(error);
  }
  const std::string sha1 = kiwi::sha1(text);
  const std::string hex = sha1_hex_of(sha1);
  count_compiling(context, source->code);
  if (error = compile_error(context, *source, hex); !error.empty()) {
    return reply.error(error);
  }
  if (!context.state().scripts().load(sha1, text)) {
    return reply.error("ERR the scripts that SCRIPT LOAD keeps would be larger than " +
                       std::to_string(Scripts::kLoadedBytes) + " bytes: SCRIPT FLUSH removes them");
  }
  reply.bulk(hex);
}

// Those that this node alone knows are there, too: EVALSHA finds them here.
void script_exists(Context& context, Args args, ReplyWriter& reply) {
  const Args wanted = args.subspan(2);
  reply.array(wanted.size());
  for (std::string_view name : wanted) {
    context.state().step();
    const auto sha1 = read_sha1(name);
    const bool known =
        sha1 &&
        (context.state().scripts().contains(sha1->bytes) ||
         (!context.keeps_reply() && context.scripts().read_scripts().find(sha1->hex).has_value()));
    reply.integer(known ? 1 : 0);
  }
}

void script_flush(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 3 ||
      (args.size() == 3 && !same_word(args[2], "sync") && !same_word(args[2], "async"))) {
    return reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  context.state().scripts().flush();
  context.scripts().read_scripts().clear();
  reply.ok();
}

}  // namespace kiwi::resp::commands
