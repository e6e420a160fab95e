// CLIENT LIST, INFO and KILL: what concerns all connections of the node.
#include <set>

#include "config/limits.hpp"
#include "resp/numbers.hpp"
#include "resp/resp_writer.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// The other types exist and have no members.
enum class ClientType : uint8_t { kNormal, kPubSub, kOther };

ClientType type_of(const Session::State& s) {
  return s.is_subscriber() ? ClientType::kPubSub : ClientType::kNormal;
}

std::optional<ClientType> parse_type(std::string_view word) {
  if (same_word(word, "normal")) {
    return ClientType::kNormal;
  }
  if (same_word(word, "pubsub")) {
    return ClientType::kPubSub;
  }
  bool other = same_word(word, "slave") || same_word(word, "replica") || same_word(word, "master");
  return other ? std::optional(ClientType::kOther) : std::nullopt;
}

std::string unknown_type_text(std::string_view word) {
  return "ERR Unknown client type '" + std::string(word) + "'";
}

std::string flags_of(const Session::State& s) {
  const Tracking::Client* tracking = s.node.tracking.find(s.info.id);
  std::string flags;
  flags += s.monitoring ? "O" : "";
  flags += s.is_subscriber() ? "P" : "";
  flags += s.transaction.open ? "x" : "";
  flags += s.is_blocked() || s.held ? "b" : "";
  flags += tracking != nullptr ? "t" : "";
  flags += tracking != nullptr && tracking->broken ? "R" : "";
  flags += tracking != nullptr && tracking->mode.broadcast ? "B" : "";
  flags += s.close_after_replies ? "c" : "";
  flags += s.reads.kind == RequestKind::kStaleRead ? "r" : "";
  flags += s.no_evict ? "e" : "";
  flags += s.no_touch ? "T" : "";
  return flags.empty() ? "N" : flags;
}

std::string describe(const Session::State& s, int64_t now_ms) {
  return describe_client(s, now_ms) + "\n";
}

// While it is put together: the writer would only see the whole.
void refuse_too_large(const std::string& text) {
  if (text.size() > config::limits::kLocalReplyBytes) {
    throw ReplyTooLarge();
  }
}

struct KillFilter {
  std::optional<uint64_t> id;
  std::optional<ClientType> type;
  std::string_view address;
  std::string_view local_address;
  acl::Users::Ptr user;
  bool skip_me = true;

  bool takes(const Session::State& s) const {
    return (!id || *id == s.info.id) && (!type || *type == type_of(s)) &&
           (address.empty() || address == s.info.peer_address) &&
           (local_address.empty() || local_address == s.info.local_address) &&
           (user == nullptr || user->id == s.user->id);
  }
};

// One option of CLIENT KILL. The error's text; empty = taken.
std::string take_option(KillFilter& filter,
                        const acl::Users& users,
                        std::string_view option,
                        std::string_view value) {
  if (same_word(option, "id")) {
    std::optional<int64_t> id = parse_integer(value);
    if (!id || *id < 1) {
      return "ERR client-id should be greater than 0";
    }
    filter.id = static_cast<uint64_t>(*id);
  } else if (same_word(option, "type")) {
    filter.type = parse_type(value);
    return filter.type ? "" : unknown_type_text(value);
  } else if (same_word(option, "addr")) {
    filter.address = value;
  } else if (same_word(option, "laddr")) {
    filter.local_address = value;
  } else if (same_word(option, "user")) {
    filter.user = users.named(value);
    return filter.user != nullptr ? "" : "ERR No such user '" + std::string(value) + "'";
  } else if (same_word(option, "skipme") && same_word(value, "yes")) {
    filter.skip_me = true;
  } else if (same_word(option, "skipme") && same_word(value, "no")) {
    filter.skip_me = false;
  } else {
    return std::string(texts::kSyntax);
  }
  return "";
}

int64_t kill_matching(Session& me, const KillFilter& filter) {
  const ClientSessions& sessions = me.state().node.sessions;
  std::vector<ConnectionId> victims;
  sessions.each([&](Session& session) {
    const bool taken = filter.takes(session.state()) && !session.killed();
    if (taken && (session.id() != me.id() || !filter.skip_me)) {
      victims.push_back(session.id());
    }
  });
  for (const ConnectionId victim : victims) {
    if (victim == me.id()) {
      me.state().close_after_replies = true;  // it gets its reply first
    } else {
      sessions.with(victim, [](Session& session) { session.state().kill(); });
    }
  }
  return static_cast<int64_t>(victims.size());
}

}  // namespace

void client_info(Session& session, Args, ReplyWriter& reply) {
  reply.verbatim(describe(session.state(), session.state().now_ms));
}

void client_list(Session& session, Args args, ReplyWriter& reply) {
  const Session::State& me = session.state();
  std::string out;
  if (args.size() >= 4 && same_word(args[2], "id")) {
    std::vector<uint64_t> ids;
    std::set<uint64_t> named;  // ordered: clients choose the numbers (F63)
    for (std::string_view word : args.subspan(3)) {
      std::optional<int64_t> id = parse_integer(word);
      if (!id) {
        return reply.error("ERR Invalid client ID");
      }
      if (named.insert(static_cast<uint64_t>(*id)).second) {
        ids.push_back(static_cast<uint64_t>(*id));
      }
    }
    for (uint64_t id : ids) {
      me.node.sessions.with(id, [&](Session& other) { out += describe(other.state(), me.now_ms); });
      refuse_too_large(out);
    }
    return reply.verbatim(out);
  }
  std::optional<ClientType> type;
  if (args.size() == 4 && same_word(args[2], "type")) {
    std::optional<ClientType> wanted = parse_type(args[3]);
    if (!wanted) {
      return reply.error(unknown_type_text(args[3]));
    }
    type = wanted;
  } else if (args.size() != 2) {
    return reply.error(texts::kSyntax);
  }
  me.node.sessions.each([&](Session& other) {
    if (!type || *type == type_of(other.state())) {
      out += describe(other.state(), me.now_ms);
      refuse_too_large(out);
    }
  });
  reply.verbatim(out);
}

void client_kill(Session& session, Args args, ReplyWriter& reply) {
  KillFilter filter;
  if (args.size() == 3) {  // the form of Redis 2.4: an address, and one's own will do
    filter.address = args[2];
    filter.skip_me = false;
    if (filter.address.empty() || kill_matching(session, filter) == 0) {
      return reply.error("ERR No such client");
    }
    return reply.ok();
  }
  for (size_t i = 2; i < args.size(); i += 2) {
    std::string error =
        i + 1 < args.size()
            ? take_option(filter, session.state().node.accounts.users(), args[i], args[i + 1])
            : std::string(texts::kSyntax);
    if (!error.empty()) {
      return reply.error(error);
    }
  }
  reply.integer(kill_matching(session, filter));
}

}  // namespace kiwi::resp::commands

namespace kiwi::resp {

// The fields of Redis 7.0 and, as in 7.2, the library's name and version.
std::string describe_client(const Session::State& s, int64_t now_ms) {
  const Transaction& t = s.transaction;
  size_t buffered = s.parser.unread_bytes();
  size_t spare = s.parser.memory_bytes() - std::min(buffered, s.parser.memory_bytes());
  auto number = [](auto value) { return std::to_string(value); };
  std::string out = "id=" + number(s.info.id);
  out += " addr=" + s.info.peer_address + " laddr=" + s.info.local_address;
  out += " fd=" + number(s.info.file_descriptor) + " name=" + s.name;
  out += " age=" + number((now_ms - s.created_ms) / 1000);
  out += " idle=" + number((now_ms - s.last_active_ms) / 1000);
  out += " flags=" + commands::flags_of(s) + " db=" + number(s.database);
  out += " sub=" + number(s.subscriptions[Topic::kChannel]) +
         " psub=" + number(s.subscriptions[Topic::kPattern]) +
         " ssub=" + number(s.subscriptions[Topic::kShard]);
  out += " multi=" + (t.open ? number(t.count) : "-1");
  out += " qbuf=" + number(buffered) + " qbuf-free=" + number(spare);
  out += " argv-mem=" + number(s.slots.request_bytes()) + " multi-mem=" + number(t.memory_bytes());
  out += " rbs=0 rbp=0 obl=" + number(s.output.size() + s.unsent_bytes);
  out += " oll=" + number(s.slots.size()) + " omem=" + number(s.slots.held_bytes());
  out += " tot-mem=" + number(s.memory_bytes()) + " events=" + (s.paused ? "w" : "r") + " cmd=";
  out += s.last_command != nullptr ? s.last_command->name : "NULL";
  const Tracking::Client* tracking = s.node.tracking.find(s.info.id);
  out += " user=" + s.user->name +
         " redir=" + (tracking != nullptr ? number(tracking->mode.redirect) : std::string("-1")) +
         " resp=" + number(s.resp_version);
  out += " lib-name=" + s.library_name + " lib-ver=" + s.library_version;
  return out;
}

}  // namespace kiwi::resp
