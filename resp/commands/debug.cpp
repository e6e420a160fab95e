// DEBUG, as far as it means something here. enable-debug-command says who may use it.
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

#include "config/base/log.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// Longer the other nodes would take this one for dead, and an operator would, too.
constexpr double kSleepSeconds = 600;

constexpr std::string_view kInBlock =
    "ERR this DEBUG sub-command is not allowed inside a transaction";

// Redis reads the number with strtod(): what is none is 0.
void sleep(Session& session, std::string_view seconds, ReplyWriter& reply) {
  const double wanted = std::strtod(std::string(seconds).c_str(), nullptr);
  if (std::isnan(wanted) || wanted > kSleepSeconds) {
    return reply.error("ERR a node sleeps for 600 seconds at most");
  }
  if (wanted > 0) {
    session.state().node.sleep_us(static_cast<int64_t>(wanted * 1e6));
  }
  reply.ok();
}

void object(Session& session, std::string_view key, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (s.in_block) {
    return reply.error(kInBlock);
  }
  const size_t begin = s.requests.buffer.size();
  s.begin_packed(true);
  pack_command(s.requests.buffer, s.database, std::array{std::string_view("kiwi.object"), key});
  s.forward(RequestKind::kRead, begin, true);
}

// The whole cluster's, as CONFIG SET active-expire.
void set_active_expire(Session& session, std::string_view number, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (s.in_block) {
    return reply.error(kInBlock);
  }
  const bool on = std::strtol(std::string(number).c_str(), nullptr, 10) != 0;
  s.forward_write(
      std::array<std::string_view, 3>{"kiwi.setting", "active-expire", on ? "yes" : "no"});
}

void three_numbers(ReplyWriter& reply) {
  for (int64_t number = 0; number < 3; ++number) {
    reply.integer(number);
  }
}

// A reply of each kind that the protocol has. What RESP2 has no words for it leaves out.
void protocol(std::string_view type, ReplyWriter& reply) {
  const bool resp3 = reply.version() > 2;
  auto& raw = static_cast<RespWriter&>(reply);  // sessions run local commands with their own only
  if (same_word(type, "string")) {
    reply.bulk("Hello World");
  } else if (same_word(type, "integer")) {
    reply.integer(12345);
  } else if (same_word(type, "double")) {
    reply.number_as(3.141, "3.141");
  } else if (same_word(type, "bignum")) {
    reply.big_number("1234567999999999999999999999999999999");
  } else if (same_word(type, "null")) {
    reply.null();
  } else if (same_word(type, "array")) {
    reply.array(3);
    three_numbers(reply);
  } else if (same_word(type, "set")) {
    reply.set(3);
    three_numbers(reply);
  } else if (same_word(type, "map")) {
    reply.map(3);
    for (int64_t number = 0; number < 3; ++number) {
      reply.integer(number);
      reply.boolean(number == 1);
    }
  } else if (same_word(type, "attrib")) {
    raw.raw(resp3 ? "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n" : "");
    reply.bulk("Some real reply following the attribute");
  } else if (same_word(type, "push") && !resp3) {
    reply.error("ERR RESP2 is not supported by this command");
  } else if (same_word(type, "push")) {
    raw.raw(">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n");
    reply.bulk("Some real reply following the push reply");
  } else if (same_word(type, "verbatim")) {
    reply.verbatim("This is a verbatim\nstring");
  } else if (same_word(type, "true") || same_word(type, "false")) {
    reply.boolean(same_word(type, "true"));
  } else {
    reply.error(
        "ERR Wrong protocol type name. Please use one of the following: "
        "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
  }
}

void debug_help(ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "ERROR <string>",
      "    Return a Redis protocol error with <string> as message. Useful for clients",
      "    unit tests to simulate Redis errors.",
      "LOG <message>",
      "    Write <message> to the server log.",
      "OBJECT <key>",
      "    Show low level info about `key` and associated value.",
      "PROTOCOL <type>",
      "    Reply with a test value of the specified type. <type> can be: string,",
      "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
      "    true, false.",
      "SET-ACTIVE-EXPIRE <0|1>",
      "    Setting it to 0 disables expiring keys in background when they are not",
      "    accessed (otherwise the Redis behavior), in the whole cluster. Setting it",
      "    to 1 reenables back the default.",
      "SLEEP <seconds>",
      "    Stop the server for <seconds>. Decimals allowed.",
  };
  reply_help(reply, "DEBUG", kLines);
}

}  // namespace

void debug(Session& session, Args args, ReplyWriter& reply) {
  const std::string_view what = args[1];
  if (args.size() == 2 && same_word(what, "help")) {
    debug_help(reply);
  } else if (args.size() == 3 && same_word(what, "sleep")) {
    sleep(session, args[2], reply);
  } else if (args.size() == 3 && same_word(what, "object")) {
    object(session, args[2], reply);
  } else if (args.size() == 3 && same_word(what, "set-active-expire")) {
    set_active_expire(session, args[2], reply);
  } else if (args.size() == 3 && same_word(what, "protocol")) {
    protocol(args[2], reply);
  } else if (args.size() == 3 && same_word(what, "error")) {
    reply.error(args[2]);
  } else if (args.size() == 3 && same_word(what, "log")) {
    log_warning("DEBUG LOG: " + std::string(args[2]));
    reply.ok();
  } else {
    reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                std::string(quoted_word(what.substr(0, 128))) + "'. Try DEBUG HELP.");
  }
}

}  // namespace kiwi::resp::commands
