// CLIENT HELP and the like: Redis' frame around the lines of a container's help.
#pragma once

#include <span>
#include <string_view>

#include "resp/reply.hpp"

namespace kiwi::resp {

void reply_help(ReplyWriter& reply,
                std::string_view container,
                std::span<const std::string_view> lines);

}  // namespace kiwi::resp
