// KIWI.TOKEN NEW: it asks nobody but this node, so it stands apart from what is executed at apply.
#include <algorithm>
#include <string>

#include "config/base/bytes.hpp"
#include "resp/numbers.hpp"
#include "resp/once_token.hpp"
#include "resp/session_state.hpp"
#include "resp/texts.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr int64_t kTokensAtOnce = 1000;

}  // namespace

// KIWI.TOKEN NEW [count]. By the cluster's clock as far as this node knows it: the larger of its
// own and the last stamp applied. An answer that is lost wastes tokens and nothing else.
void token_new(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(texts::kSyntax);
  }
  const std::optional<int64_t> count = args.size() == 3 ? parse_integer(args[2]) : 1;
  if (!count || *count < 1 || *count > kTokensAtOnce) {
    return reply.error("ERR count is not an integer from 1 to " + std::to_string(kTokensAtOnce));
  }
  NodeContext& node = session.state().node;
  node.refresh_status();
  const int64_t now_ms = std::max(node.wall_microseconds() / 1000, node.status.once.stamp_ms);
  const auto fresh = [now_ms, &node] {
    std::string random;
    put_le(random, node.random_number());
    put_le(random, node.random_number());
    return new_once_token(static_cast<uint64_t>(std::max<int64_t>(0, now_ms)), random);
  };
  if (args.size() == 2) {
    return reply.bulk(fresh());
  }
  reply.array(static_cast<size_t>(*count));
  for (int64_t i = 0; i < *count; ++i) {
    reply.bulk(fresh());
  }
}

}  // namespace kiwi::resp::commands
