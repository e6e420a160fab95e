// CLIENT and its sub-commands, except LIST, INFO and KILL (client_list.cpp), TRACKING
// (session_tracking.cpp) and PAUSE (session_pause.cpp).
#include "config/limits.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// ON or OFF; nullopt = neither.
std::optional<bool> parse_switch(std::string_view word) {
  if (same_word(word, "on")) {
    return true;
  }
  if (same_word(word, "off")) {
    return false;
  }
  return std::nullopt;
}

void set_switch(bool& value, std::string_view word, ReplyWriter& reply) {
  std::optional<bool> wanted = parse_switch(word);
  if (!wanted) {
    return reply.error(texts::kSyntax);
  }
  value = *wanted;
  reply.ok();
}

// True if the text may be kept for CLIENT LIST; answers otherwise.
bool fits(std::string_view text, ReplyWriter& reply) {
  if (text.size() <= config::limits::kClientNameBytes) {
    return true;
  }
  reply.error("ERR Client names and library names are limited to " +
              std::to_string(config::limits::kClientNameBytes) + " bytes");
  return false;
}

}  // namespace

void client_id(Session& session, Args, ReplyWriter& reply) {
  reply.integer(static_cast<int64_t>(session.id()));
}

void client_getname(Session& session, Args, ReplyWriter& reply) {
  const std::string& name = session.state().name;
  if (name.empty()) {
    reply.null();
  } else {
    reply.bulk(name);
  }
}

void client_setname(Session& session, Args args, ReplyWriter& reply) {
  if (!is_client_name(args[2])) {
    return reply.error(kBadClientName);
  }
  if (fits(args[2], reply)) {
    session.state().name = args[2];
    reply.ok();
  }
}

// Redis 7.2: drivers say who they are.
void client_setinfo(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  bool is_name = same_word(args[2], "lib-name");
  if (!is_name && !same_word(args[2], "lib-ver")) {
    return reply.error("ERR Unrecognized option '" + std::string(args[2]) + "'");
  }
  if (!is_client_name(args[3])) {
    return reply.error("ERR " + std::string(is_name ? "lib-name" : "lib-ver") +
                       " cannot contain spaces, newlines or special characters.");
  }
  if (fits(args[3], reply)) {
    (is_name ? s.library_name : s.library_version) = args[3];
    reply.ok();
  }
}

// Valkey 8: what a client can do that older ones cannot. Unknown capabilities are passed over.
void client_capa(Session& session, Args args, ReplyWriter& reply) {
  for (const std::string_view capability : args.subspan(2)) {
    session.state().redirects = session.state().redirects || same_word(capability, "redirect");
  }
  reply.ok();
}

void client_no_evict(Session& session, Args args, ReplyWriter& reply) {
  set_switch(session.state().no_evict, args[2], reply);
}

void client_no_touch(Session& session, Args args, ReplyWriter& reply) {
  set_switch(session.state().no_touch, args[2], reply);
}

void client_reply(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (same_word(args[2], "on")) {
    s.replies_off = false;
    s.skip_this_reply = false;
    reply.ok();
  } else if (same_word(args[2], "off")) {
    s.replies_off = true;
  } else if (same_word(args[2], "skip")) {
    s.skip_next_reply = !s.replies_off;
  } else {
    reply.error(texts::kSyntax);
  }
}

// Whether that client waits at all the executor knows.
void client_unblock(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 4) {
    return reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                       std::string(args[1]) + "'. Try CLIENT HELP.");
  }
  const bool error = args.size() == 4 && same_word(args[3], "error");
  if (args.size() == 4 && !error && !same_word(args[3], "timeout")) {
    return reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const auto id = parse_integer(args[2]);
  if (!id) {
    return reply.error(texts::kNotInteger);
  }
  if (*id <= 0) {
    return reply.integer(0);
  }
  session.state().unblock(static_cast<ConnectionId>(*id), error ? "ERROR" : "TIMEOUT");
}

void client_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "CAPA <option> [options...]",
      "    The client claims its some capability options. Options are:",
      "    * REDIRECT",
      "      The client can handle redirection during primary and replica failover in standalone "
      "mode.",
      "CACHING (YES|NO)",
      "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
      "GETREDIR",
      "    Return the client ID we are redirecting to when tracking is enabled.",
      "GETNAME",
      "    Return the name of the current connection.",
      "ID",
      "    Return the ID of the current connection.",
      "INFO",
      "    Return information about the current client connection.",
      "KILL <ip:port>",
      "    Kill connection made from <ip:port>.",
      "KILL <option> <value> [<option> <value> [...]]",
      "    Kill connections. Options are:",
      "    * ADDR (<ip:port>|<unixsocket>:0)",
      "      Kill connections made from the specified address",
      "    * LADDR (<ip:port>|<unixsocket>:0)",
      "      Kill connections made to specified local address",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "      Kill connections by type.",
      "    * USER <username>",
      "      Kill connections authenticated by <username>.",
      "    * SKIPME (YES|NO)",
      "      Skip killing current connection (default: yes).",
      "LIST [options ...]",
      "    Return information about client connections. Options:",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "      Return clients of specified type.",
      "UNPAUSE",
      "    Stop the current client pause, resuming traffic.",
      "PAUSE <timeout> [WRITE|ALL]",
      "    Suspend all, or just write, clients for <timeout> milliseconds.",
      "REPLY (ON|OFF|SKIP)",
      "    Control the replies sent to the current connection.",
      "SETINFO <option> <value>",
      "    Set client meta attr. Options are:",
      "    * LIB-NAME: the client lib name.",
      "    * LIB-VER: the client lib version.",
      "SETNAME <name>",
      "    Assign the name <name> to the current connection.",
      "UNBLOCK <clientid> [TIMEOUT|ERROR]",
      "    Unblock the specified blocked client.",
      "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
      "         [OPTIN] [OPTOUT] [NOLOOP]",
      "    Control server assisted client side caching.",
      "TRACKINGINFO",
      "    Report tracking status for the current connection.",
      "NO-EVICT (ON|OFF)",
      "    Protect current client connection from eviction.",
      "NO-TOUCH (ON|OFF)",
      "    Will not touch LRU/LFU stats when this mode is on.",
  };
  reply_help(reply, "CLIENT", kLines);
}

}  // namespace kiwi::resp::commands
