// MODULE: tools ask for the list. A module's code could do something else on each node, so none is
// ever loaded.
#include "resp/help.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

void module_list(Session&, Args, ReplyWriter& reply) { reply.array(0); }

void module_refused(Session&, Args, ReplyWriter& reply) {
  reply.error("ERR MODULE command not allowed. This server loads no modules.");
}

void module_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "LIST",
      "    Return a list of loaded modules.",
      "LOAD <path> [<arg> ...]",
      "    Load a module library from <path>, passing to it any optional arguments.",
      "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
      "    Load a module library from <path>, while passing it module configurations and optional "
      "arguments.",
      "UNLOAD <name>",
      "    Unload a module.",
  };
  reply_help(reply, "MODULE", kLines);
}

}  // namespace kiwi::resp::commands
