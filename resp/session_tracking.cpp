// Caches of clients: CLIENT TRACKING and its like, and who is told what.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "config/base/check.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

void Session::State::turn_tracking_off() {
  if (std::exchange(tracking, false)) {
    node.tracking.turn_off(info.id);
  }
  caching = false;
}

namespace {

Push make_push(PushMessage::Kind kind, std::string bytes, std::string push) {
  PushMessage message;
  message.kind = kind;
  message.bytes = std::move(bytes);
  message.push = std::move(push);
  return std::make_shared<const PushMessage>(std::move(message));
}

Push redirection_broken(ConnectionId redirect) {
  std::string bytes;
  RespWriter writer(&bytes, 3);
  writer.push(2);
  writer.bulk("tracking-redir-broken");
  writer.integer(static_cast<int64_t>(redirect));
  return make_push(PushMessage::Kind::kInvalidation, {}, std::move(bytes));
}

}  // namespace

void NodeContext::take_notices(Pushes& pushes) {
  if (!tracking.has_notices()) {
    return;
  }
  for (const Tracking::Notice& notice : tracking.take_notices()) {
    Push own;
    Push redirected;
    for (const ConnectionId id : notice.clients) {
      Tracking::Client* client = tracking.find(id);
      if (client == nullptr) {
        continue;
      }
      const ConnectionId redirect = client->mode.redirect;
      if (redirect == 0) {
        if (!own) {
          own = make_push(PushMessage::Kind::kInvalidation, {}, invalidation_push(notice));
        }
        pushes[id].push_back(own);
      } else if (sessions.contains(redirect)) {
        if (!redirected) {
          redirected = make_push(PushMessage::Kind::kRedirected, invalidation_message(notice),
                                 invalidation_push(notice));
        }
        pushes[redirect].push_back(redirected);
      } else {
        client->broken = true;
        pushes[id].push_back(redirection_broken(redirect));
      }
    }
  }
}

void NodeContext::look_after_caches(const Tracking::Sight& sight, int64_t now_ms) {
  if (!tracking.look(sight, now_ms)) {
    return;
  }
  Pushes pushes;
  take_notices(pushes);
  deliver_pushes(std::move(pushes));
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

namespace {

struct TrackingOptions {
  Tracking::Mode mode;
  std::vector<std::string> prefixes;
};

class TrackingReader {
 public:
  TrackingReader(const Session::State& session, Args args, ReplyWriter& reply)
      : session_(session), args_(args), reply_(reply) {}

  // nullopt: the error was answered.
  std::optional<TrackingOptions> read() {
    for (at_ = 3; at_ < args_.size(); ++at_) {
      if (!word()) {
        return std::nullopt;
      }
    }
    return options_;
  }

 private:
  bool refuse(std::string_view error) {
    reply_.error(error);
    return false;
  }

  bool word() {
    const std::string_view word = args_[at_];
    const bool more = at_ + 1 < args_.size();
    Tracking::Mode& mode = options_.mode;
    if (same_word(word, "redirect") && more) {
      return redirect(args_[++at_]);
    }
    if (same_word(word, "prefix") && more) {
      options_.prefixes.emplace_back(args_[++at_]);
      return true;
    }
    const std::pair<std::string_view, bool*> switches[] = {{"bcast", &mode.broadcast},
                                                           {"optin", &mode.opt_in},
                                                           {"optout", &mode.opt_out},
                                                           {"noloop", &mode.no_loop}};
    for (const auto& [name, value] : switches) {
      if (same_word(word, name)) {
        *value = true;
        return true;
      }
    }
    return refuse(texts::kSyntax);
  }

  bool redirect(std::string_view text) {
    if (options_.mode.redirect != 0) {
      return refuse("ERR A client can only redirect to a single other client");
    }
    const std::optional<int64_t> id = parse_integer(text);
    if (!id) {
      return refuse(texts::kNotInteger);
    }
    options_.mode.redirect = static_cast<ConnectionId>(*id);
    if (!session_.node.sessions.contains(options_.mode.redirect)) {
      return refuse("ERR The client ID you want redirect to does not exist");
    }
    return true;
  }

  const Session::State& session_;
  const Args args_;
  ReplyWriter& reply_;
  size_t at_ = 3;
  TrackingOptions options_;
};

bool overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

std::string overlap_text(std::string_view prefix, std::string_view which, std::string_view other) {
  return "ERR Prefix '" + std::string(prefix) + "' overlaps with " + std::string(which) +
         " prefix '" + std::string(other) + "'. Prefixes for a single client must not overlap.";
}

// The first of the new ones that overlaps with another one, new or known. In order of names what a
// name begins follows it at once.
std::optional<size_t> first_overlapping(const Tracking::Client* client,
                                        const std::vector<std::string>& prefixes) {
  constexpr size_t kKnown = SIZE_MAX;
  std::vector<std::pair<std::string_view, size_t>> names;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    names.emplace_back(prefixes[i], i);
  }
  if (client != nullptr) {
    for (const std::string& known : client->prefixes) {
      names.emplace_back(known, kKnown);
    }
  }
  std::ranges::sort(names);
  size_t first = kKnown;
  std::vector<std::pair<std::string_view, size_t>> begun;  // each begins the next; with the least
  for (const auto& [name, index] : names) {
    while (!begun.empty() && !name.starts_with(begun.back().first)) {
      begun.pop_back();
    }
    const size_t least = begun.empty() ? kKnown : begun.back().second;
    first = begun.empty() ? first : std::min({first, least, index});
    begun.emplace_back(name, std::min(least, index));
  }
  return first != kKnown ? std::optional(first) : std::nullopt;
}

// Why they cannot be added to those that the client has; empty: they can. There may be a million of
// them in a command.
std::string refuse_prefixes(const Tracking::Client* client,
                            const std::vector<std::string>& prefixes) {
  const std::optional<size_t> first = first_overlapping(client, prefixes);
  if (!first) {
    return {};
  }
  if (client != nullptr) {
    for (const std::string& known : client->prefixes) {
      if (overlap(known, prefixes[*first])) {
        return overlap_text(prefixes[*first], "an existing", known);
      }
    }
  }
  const auto other =
      std::find_if(prefixes.begin() + static_cast<std::ptrdiff_t>(*first) + 1, prefixes.end(),
                   [&](const std::string& one) { return overlap(prefixes[*first], one); });
  CHECK_INVARIANT(other != prefixes.end());
  return overlap_text(prefixes[*first], "another provided", *other);
}

// Why the client cannot be told in this way, or not now; empty: it can. In Redis' order.
std::string refuse_mode(const Tracking::Client* client, const TrackingOptions& options) {
  const Tracking::Mode& mode = options.mode;
  if (!mode.broadcast && !options.prefixes.empty()) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  if (client != nullptr && client->mode.broadcast != mode.broadcast) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and "
           "then re-enabling it with a different mode.";
  }
  if (mode.broadcast && (mode.opt_in || mode.opt_out)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (mode.opt_in && mode.opt_out) {
    return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  }
  if (client != nullptr &&
      ((mode.opt_in && client->mode.opt_out) || (mode.opt_out && client->mode.opt_in))) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
           "then re-enabling it with a different mode.";
  }
  return mode.broadcast ? refuse_prefixes(client, options.prefixes) : std::string();
}

}  // namespace

// CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
void client_tracking(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  const std::optional<TrackingOptions> options = TrackingReader(s, args, reply).read();
  if (!options) {
    return;
  }
  if (same_word(args[2], "off")) {
    s.turn_tracking_off();
    return reply.ok();
  }
  if (!same_word(args[2], "on")) {
    return reply.error(texts::kSyntax);
  }
  if (const std::string why = refuse_mode(s.node.tracking.find(s.info.id), *options);
      !why.empty()) {
    return reply.error(why);
  }
  s.node.tracking.turn_on(s.info.id, options->mode, options->prefixes);
  s.tracking = true;
  reply.ok();
}

void client_caching(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  const Tracking::Client* client = s.node.tracking.find(s.info.id);
  if (client == nullptr) {
    return reply.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  }
  const bool yes = same_word(args[2], "yes");
  if (!yes && !same_word(args[2], "no")) {
    return reply.error(texts::kSyntax);
  }
  if (yes && !client->mode.opt_in) {
    return reply.error(
        "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  }
  if (!yes && !client->mode.opt_out) {
    return reply.error(
        "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  }
  s.caching = true;
  reply.ok();
}

void client_getredir(Session& session, Args, ReplyWriter& reply) {
  const Tracking::Client* client = session.state().node.tracking.find(session.id());
  reply.integer(client != nullptr ? static_cast<int64_t>(client->mode.redirect) : -1);
}

void client_trackinginfo(Session& session, Args, ReplyWriter& reply) {
  const Tracking::Client* client = session.state().node.tracking.find(session.id());
  std::vector<std::string_view> flags{client != nullptr ? "on" : "off"};
  if (client != nullptr) {
    const Tracking::Mode& mode = client->mode;
    const bool caching = session.state().caching;
    const std::pair<bool, std::string_view> all[] = {{mode.broadcast, "bcast"},
                                                     {mode.opt_in, "optin"},
                                                     {mode.opt_in && caching, "caching-yes"},
                                                     {mode.opt_out, "optout"},
                                                     {mode.opt_out && caching, "caching-no"},
                                                     {mode.no_loop, "noloop"},
                                                     {client->broken, "broken_redirect"}};
    for (const auto& [is_set, name] : all) {
      if (is_set) {
        flags.push_back(name);
      }
    }
  }
  reply.map(3);
  reply.bulk("flags");
  reply.set(flags.size());
  for (const std::string_view flag : flags) {
    reply.bulk(flag);
  }
  reply.bulk("redirect");
  client_getredir(session, {}, reply);
  reply.bulk("prefixes");
  reply.array(client != nullptr ? client->prefixes.size() : 0);
  if (client != nullptr) {
    for (const std::string& prefix : client->prefixes) {
      reply.bulk(prefix);
    }
  }
}

}  // namespace kiwi::resp::commands
