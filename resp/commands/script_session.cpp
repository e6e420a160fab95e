// SCRIPT and FUNCTION, as far as a node answers by itself.
#include <string_view>

#include "resp/help.hpp"
#include "resp/session.hpp"
#include "resp/session_state.hpp"
#include "resp/texts.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

// What runs is in the log: every node executes it, and its budget ends it.
void script_kill(Session& session, Args, ReplyWriter& reply) {
  const NodeContext& node = session.state().node;
  reply.error(node.script_us && node.script_us() ? texts::kUnkillable : texts::kNoScriptRuns);
}

void script_debug(Session&, Args args, ReplyWriter& reply) {
  if (same_word(args[2], "no")) {
    return reply.ok();
  }
  if (same_word(args[2], "yes") || same_word(args[2], "sync")) {
    return reply.error("ERR scripts are not debugged: they run on every node at once");
  }
  reply.error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

void script_help(Session&, Args, ReplyWriter& reply) {
  static constexpr std::string_view kLines[] = {
      "DEBUG (YES|SYNC|NO)",
      "    Set the debug mode for subsequent scripts executed.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Return information about the existence of the scripts in the script cache.",
      "FLUSH [ASYNC|SYNC]",
      "    Flush the Lua scripts cache. Very dangerous on replicas.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the scripts cache.",
      "    * SYNC: Synchronously flush the scripts cache.",
      "KILL",
      "    Kill the currently executing Lua script.",
      "LOAD <script>",
      "    Load a script into the scripts cache without executing it."};
  reply_help(reply, "SCRIPT", kLines);
}

// What runs is in the log: every node executes it, and its budget ends it.
void function_kill(Session& session, Args, ReplyWriter& reply) {
  const NodeContext& node = session.state().node;
  reply.error(node.script_us && node.script_us() ? texts::kUnkillable : texts::kNoScriptRuns);
}

void function_help(Session&, Args, ReplyWriter& reply) {
  static constexpr std::string_view kLines[] = {
      "LOAD [REPLACE] <FUNCTION CODE>",
      "    Create a new library with the given library name and code.",
      "DELETE <LIBRARY NAME>",
      "    Delete the given library.",
      "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
      "    Return general information on all the libraries:",
      "    * Library name",
      "    * The engine used to run the Library",
      "    * Library description",
      "    * Functions list",
      "    * Library code (if WITHCODE is given)",
      "    It also possible to get only function that matches a pattern using LIBRARYNAME "
      "argument.",
      "STATS",
      "    Return information about the current function running:",
      "    * Function name",
      "    * Command used to run the function",
      "    * Duration in MS that the function is running",
      "    If no function is running, return nil",
      "    In addition, returns a list of available engines.",
      "KILL",
      "    Kill the current running function.",
      "FLUSH [ASYNC|SYNC]",
      "    Delete all the libraries.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the libraries.",
      "    * SYNC: Synchronously flush the libraries.",
      "DUMP",
      "    Return a serialized payload representing the current libraries, can be restored "
      "using FUNCTION RESTORE command",
      "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
      "    Restore the libraries represented by the given payload, it is possible to give a "
      "restore policy to",
      "    control how to handle existing libraries (default APPEND):",
      "    * FLUSH: delete all existing libraries.",
      "    * APPEND: appends the restored libraries to the existing libraries. On "
      "collision, abort.",
      "    * REPLACE: appends the restored libraries to the existing libraries, On "
      "collision, replace the old",
      "      libraries with the new libraries (notice that even on this option there is a "
      "chance of failure",
      "      in case of functions name collision with another library)."};
  reply_help(reply, "FUNCTION", kLines);
}

}  // namespace kiwi::resp::commands
