// PING, ECHO, QUIT, RESET, HELLO, AUTH, SELECT, READONLY, READWRITE, ASKING.
#include "config/version.hpp"
#include "resp/commands/cluster_view.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

struct HelloOptions {
  std::optional<int64_t> protocol;
  std::optional<std::pair<std::string_view, std::string_view>> login;
  std::optional<std::string_view> name;
};

// Answers and returns false if an option is wrong.
bool parse_hello(Args args, HelloOptions& options, ReplyWriter& reply) {
  if (args.size() > 1) {
    options.protocol = parse_integer(args[1]);
    if (!options.protocol) {
      reply.error("ERR Protocol version is not an integer or out of range");
      return false;
    }
    if (*options.protocol < 2 || *options.protocol > 3) {
      reply.error(texts::kNoProto);
      return false;
    }
  }
  for (size_t i = 2; i < args.size(); ++i) {
    size_t more = args.size() - 1 - i;
    if (same_word(args[i], "auth") && more >= 2) {
      options.login.emplace(args[i + 1], args[i + 2]);
      i += 2;
    } else if (same_word(args[i], "setname") && more >= 1) {
      if (!is_client_name(args[i + 1])) {
        reply.error(kBadClientName);
        return false;
      }
      options.name = args[i + 1];
      i += 1;
    } else {
      reply.error("ERR Syntax error in HELLO option '" + std::string(args[i]) + "'");
      return false;
    }
  }
  return true;
}

void write_hello(const Session::State& s, ReplyWriter& reply) {
  const bool sentinel = s.is_sentinel();
  reply.map(sentinel ? 6 : 7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(config::kRedisVersion);
  reply.bulk("proto");
  reply.integer(s.resp_version);
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(s.info.id));
  reply.bulk("mode");
  reply.bulk(mode_of(s.info.face));
  if (!sentinel) {
    reply.bulk("role");
    reply.bulk(shows_replica(s.node, s.info.face) ? "replica" : "master");
  }
  reply.bulk("modules");
  reply.array(0);
}

}  // namespace

void ping(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 2) {
    reply.error("ERR wrong number of arguments for 'ping' command");
  } else if (session.state().takes_few_commands()) {
    reply.array(2);
    reply.bulk("pong");
    reply.bulk(args.size() == 2 ? args[1] : std::string_view());
  } else if (args.size() == 2) {
    reply.bulk(args[1]);
  } else {
    reply.simple("PONG");
  }
}

void echo(Session&, Args args, ReplyWriter& reply) { reply.bulk(args[1]); }

void quit(Session& session, Args, ReplyWriter& reply) {
  reply.ok();
  session.state().close_after_replies = true;
}

void reset(Session& session, Args, ReplyWriter& reply) {
  Session::State& s = session.state();
  s.discard_transaction();
  s.forget_subscriptions();
  s.turn_tracking_off();
  s.stop_monitoring();
  s.database = 0;
  s.resp_version = 2;
  s.reads = {};
  s.no_touch = false;
  s.redirects = false;
  s.maintenance.reset();
  s.replies_off = false;
  s.skip_this_reply = false;
  s.name.clear();
  s.belong_as_new();
  reply.set_version(2);
  reply.simple("RESET");
}

void hello(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  HelloOptions options;
  if (!parse_hello(args, options, reply)) {
    return;
  }
  if (options.login && !s.log_in(options.login->first, options.login->second)) {
    if (!s.ask_login(*find_command("hello"), args)) {
      reply.error(s.login_refused(options.login->first, args[0]));
    }
    return;
  }
  if (s.must_authenticate()) {
    return reply.error(texts::kHelloNoAuth);
  }
  if (options.name) {
    s.name = *options.name;
  }
  if (options.protocol) {
    s.resp_version = static_cast<int>(*options.protocol);
    reply.set_version(s.resp_version);
  }
  write_hello(s, reply);
}

void auth(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (args.size() > 3) {
    return reply.error(texts::kSyntax);
  }
  const acl::User& unnamed = s.node.accounts.users().default_user()->rights;
  if (args.size() == 2 && unnamed.needs_no_password()) {
    return reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const std::string_view user = args.size() == 3 ? args[1] : acl::kDefaultName;
  if (s.log_in(user, args.back())) {
    return reply.ok();
  }
  if (!s.ask_login(*find_command("auth"), args)) {
    reply.error(s.login_refused(user, args[0]));
  }
}

void select(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  std::optional<int64_t> number = parse_integer(args[1]);
  if (!number) {
    return reply.error(texts::kNotInteger);
  }
  if (*number < INT32_MIN || *number > INT32_MAX) {
    return reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*number < 0 || *number >= s.node.options.databases) {
    return reply.error("ERR DB index is out of range");
  }
  s.database = static_cast<uint32_t>(*number);
  reply.ok();
}

void readonly(Session& session, Args, ReplyWriter& reply) {
  session.state().reads = {RequestKind::kStaleRead, 0};
  reply.ok();
}

// No slot ever moves, so nothing is ever asked for in vain.
void asking(Session&, Args, ReplyWriter& reply) { reply.ok(); }

void readwrite(Session& session, Args, ReplyWriter& reply) {
  session.state().reads = {};
  reply.ok();
}

}  // namespace kiwi::resp::commands
