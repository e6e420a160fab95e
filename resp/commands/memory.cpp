// MEMORY USAGE: what a key takes.
#include <limits>
#include <optional>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/stored_size.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr int64_t kSamples = 5;  // Redis' default

// nullopt: an error was answered.
std::optional<uint64_t> read_samples(Args args, ReplyWriter& reply) {
  int64_t samples = kSamples;
  for (size_t at = 3; at < args.size(); ++at) {
    if (!same_word(args[at], "samples") || at + 1 == args.size()) {
      reply.error(texts::kSyntax);
      return std::nullopt;
    }
    const auto number = parse_integer(args[++at]);
    if (!number || *number < 0) {
      reply.error(number ? texts::kSyntax : texts::kNotInteger);
      return std::nullopt;
    }
    samples = *number == 0 ? std::numeric_limits<int64_t>::max() : *number;
  }
  return static_cast<uint64_t>(samples);
}

}  // namespace

void memory_usage(Context& context, Args args, ReplyWriter& reply) {
  const auto samples = read_samples(args, reply);
  if (!samples) {
    return;
  }
  const Key key = context.read(args[2]);
  if (!key.live) {
    return reply.null();
  }
  reply.integer(static_cast<int64_t>(stored_size(context.state(), key, *samples)));
}

}  // namespace kiwi::resp::commands
