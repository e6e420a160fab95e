#include "resp/commands/random_options.hpp"

#include <limits>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

std::optional<RandomOptions> read_random_options(Args args,
                                                 std::string_view word,
                                                 ReplyWriter& reply) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (args.size() == 2) {
    return RandomOptions{};
  }
  const auto count = parse_integer(args[2]);
  if (!count) {
    reply.error(texts::kNotInteger);
    return std::nullopt;
  }
  if (*count < -kMost) {
    reply.error(kCountOutOfRange);
    return std::nullopt;
  }
  if (args.size() > 4 || (args.size() == 4 && !same_word(args[3], word))) {
    reply.error(texts::kSyntax);
    return std::nullopt;
  }
  const bool pairs = args.size() == 4;
  if (pairs && (*count < -kMost / 2 || *count > kMost / 2)) {
    reply.error("ERR value is out of range");
    return std::nullopt;
  }
  return RandomOptions{*count, pairs};
}

}  // namespace kiwi::resp::commands
