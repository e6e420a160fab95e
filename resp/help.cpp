#include "resp/help.hpp"

#include <string>

#include "config/base/check.hpp"

namespace kiwi::resp {

void reply_help(ReplyWriter& reply,
                std::string_view container,
                std::span<const std::string_view> lines) {
  CHECK_INVARIANT(!container.empty() && !lines.empty());
  reply.array(lines.size() + 3);
  reply.simple(std::string(container) +
               " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (std::string_view line : lines) {
    reply.simple(line);
  }
  reply.simple("HELP");
  reply.simple("    Prints this help.");
}

}  // namespace kiwi::resp
