// CLIENT MAINT_NOTIFICATIONS, and who gets the messages (maintenance.hpp): clients that asked, in
// RESP3, and that neither block nor subscribe, for those are not moved by any client.
#include <map>
#include <utility>

#include "resp/addresses.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// It takes the host of a new place, and keeps the port that it has.
constexpr std::string_view kKeepsPort = "redis-py";

bool listens(const Session::State& client) {
  return client.maintenance && client.resp_version > 2 && !client.is_blocked() &&
         !client.is_subscriber() && !client.killed && !client.close_after_replies;
}

}  // namespace

void NodeContext::tell_of_failover(const Push& message) const {
  Pushes pushes;
  sessions.each([&](Session& session) {
    if (listens(session.state())) {
      pushes[session.state().info.id].push_back(message);
    }
  });
  deliver_pushes(std::move(pushes));
}

size_t NodeContext::move_clients(
    uint64_t sequence,
    int64_t seconds,
    const std::function<std::vector<MovingTarget>(Face, bool tls)>& targets_of) {
  Pushes pushes;
  std::map<std::pair<Face, bool>, std::vector<MovingTarget>> known;  // the same for many clients
  sessions.each([&](Session& session) {
    Session::State& client = session.state();
    if (!listens(client) || client.told_to_move) {
      return;
    }
    const ConnectionId id = client.info.id;
    const auto [at, is_new] = known.try_emplace({client.info.face, client.info.tls});
    if (is_new) {
      at->second = targets_of(client.info.face, client.info.tls);
    }
    const std::vector<MovingTarget>& targets = at->second;
    const bool keeps_port = client.library_name.starts_with(kKeepsPort);
    const uint16_t own_port = client.info.tls ? static_cast<uint16_t>(options.tls_port)
                                              : port_of(options, client.info.face);
    const MovingTarget* target =
        target_for(targets, id, keeps_port ? std::optional(own_port) : std::nullopt);
    if (target == nullptr) {
      return;  // it is parted with as others are
    }
    const bool wants_address = *client.maintenance != Endpoint::kNone;
    client.told_to_move = true;
    pushes[id].push_back(moving_message(
        sequence, seconds,
        wants_address ? std::optional(plain_address(target->host, target->port)) : std::nullopt));
  });
  const size_t told = pushes.size();
  deliver_pushes(std::move(pushes));
  return told;
}

size_t NodeContext::clients_moving() const {
  size_t count = 0;
  sessions.each([&count](Session& session) { count += session.state().told_to_move ? 1 : 0; });
  return count;
}

void NodeContext::clients_stay() const {
  sessions.each([](Session& session) { session.state().told_to_move = false; });
}

namespace commands {

// What later versions of Redis offer their own service's clients.
void client_maint_notifications(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (same_word(args[2], "off") && args.size() == 3) {
    s.maintenance.reset();
    return reply.ok();
  }
  if (!same_word(args[2], "on") || args.size() % 2 == 0) {
    return reply.error(texts::kSyntax);
  }
  Endpoint endpoint = Endpoint::kExternalIp;
  for (size_t i = 3; i < args.size(); i += 2) {
    const std::optional<Endpoint> given = parse_endpoint(args[i + 1]);
    if (!same_word(args[i], "moving-endpoint-type") || !given) {
      return reply.error(texts::kSyntax);
    }
    endpoint = *given;
  }
  if (s.resp_version < 3) {
    return reply.error("ERR CLIENT MAINT_NOTIFICATIONS needs RESP3: say HELLO 3 first");
  }
  s.maintenance = endpoint;
  reply.ok();
}

}  // namespace commands
}  // namespace kiwi::resp
