// Publish/subscribe of one session: its subscriptions, and its publications in their turn.
#include <utility>

#include "config/base/check.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kWaitingOverhead = 64;  // of a publication whose turn has not come

}  // namespace

// ---------------------------------------------------------------- subscriptions

void Session::State::change_subscriptions(const CommandSpec& row, Args args) {
  const bool begins =
      !is_subscriber() && !is_sentinel() && row.name.find("unsubscribe") == std::string_view::npos;
  if (begins && !node.fanout.want_interest({info.id, slots.next_number()}, now_ms)) {
    size_t bytes = kWaitingOverhead;
    for (const std::string_view arg : args) {
      bytes += arg.size() + kWaitingOverhead;
    }
    const uint64_t slot = slots.open(bytes, false, false);
    barrier = Barrier{slot, Barrier::Kind::kInterest};
    subscribing = QueuedLocal{0, &row, {args.begin(), args.end()}};
    node.fanout_has_work();
    return;
  }
  reply_now([&](RespWriter& reply) { run_local(row, args, reply, RespWriter::kAnyRoom); }, true);
}

std::string Session::State::run_subscribing() {
  CHECK_INVARIANT(subscribing.has_value());
  const QueuedLocal local = *std::exchange(subscribing, std::nullopt);
  const std::vector<std::string_view> args(local.args.begin(), local.args.end());
  std::string bytes;
  RespWriter reply(&bytes, resp_version);
  if (const std::string why = limited != nullptr ? denial_of(*local.row, args) : std::string();
      !why.empty()) {  // while it waited
    reply.error(why);
    return bytes;
  }
  run_local(*local.row, args, reply, RespWriter::kAnyRoom);
  return bytes;
}

namespace {

// What a reply says of: channels and patterns together, shard channels apart.
size_t told_count(const PubSub::Counts& counts, Topic topic) {
  return topic == Topic::kShard ? counts[Topic::kShard]
                                : counts[Topic::kChannel] + counts[Topic::kPattern];
}

void write_change(ReplyWriter& reply,
                  std::string_view word,
                  std::optional<std::string_view> name,
                  size_t count) {
  reply.push(3);
  reply.bulk(word);
  if (name) {
    reply.bulk(*name);
  } else {
    reply.null();
  }
  reply.integer(static_cast<int64_t>(count));
}

constexpr std::string_view kSubscribeWords[] = {"subscribe", "psubscribe", "ssubscribe"};
constexpr std::string_view kUnsubscribeWords[] = {"unsubscribe", "punsubscribe", "sunsubscribe"};

}  // namespace

// Of this node, in what others publish. Events of a Sentinel are made on each.
void Session::State::tell_interest() {
  if (!is_sentinel()) {
    node.fanout.set_subscribed(!node.pubsub.empty());
  }
}

void Session::State::subscribe(Topic topic, std::string_view channel, ReplyWriter& reply) {
  if (pubsub().subscribe(info.id, topic, channel)) {
    ++subscriptions.of[static_cast<size_t>(topic)];
    tell_interest();
    if (node.fanout.has_work()) {  // a block does not wait until the others have heard
      node.fanout_has_work();
    }
  }
  write_change(reply, kSubscribeWords[static_cast<size_t>(topic)], channel,
               told_count(subscriptions, topic));
}

void Session::State::unsubscribe(Topic topic, std::string_view channel, ReplyWriter& reply) {
  if (pubsub().unsubscribe(info.id, topic, channel)) {
    size_t& count = subscriptions.of[static_cast<size_t>(topic)];
    CHECK_INVARIANT(count != 0);
    --count;
    tell_interest();
  }
  write_change(reply, kUnsubscribeWords[static_cast<size_t>(topic)], channel,
               told_count(subscriptions, topic));
}

void Session::State::unsubscribe_all(Topic topic, ReplyWriter& reply) {
  const std::vector<std::string> names = pubsub().names(info.id, topic);
  for (const std::string& channel : names) {
    unsubscribe(topic, channel, reply);
  }
  if (names.empty()) {
    write_change(reply, kUnsubscribeWords[static_cast<size_t>(topic)], std::nullopt,
                 told_count(subscriptions, topic));
  }
}

void Session::State::forget_subscriptions() {
  if (is_subscriber()) {
    subscriptions = {};
    pubsub().connection_closed(info.id);
    tell_interest();
  }
}

// ---------------------------------------------------------------- publications

void Session::State::publish(const CommandSpec& row, Args args) {
  Publication publication{row.name.front() == 's', std::string(args[1]), std::string(args[2])};
  if (Fanout::too_large(publication) && node.fanout.anyone_else()) {
    return reply_error(
        "ERR the channel and the message are longer than what the nodes of a "
        "cluster send to each other");
  }
  const uint64_t slot =
      slots.open(publication.bytes() + kWaitingOverhead, is_silent(), false, asked());
  publications.push_back({slot, std::move(publication)});
  run_publications();
}

void Session::State::run_publications() {
  while (!publications.empty() && !killed && slots.may_run(publications.front().slot)) {
    const uint64_t slot = publications.front().slot;
    Publication publication = std::move(publications.front().publication);
    publications.pop_front();
    if (const auto receivers = run_publication(std::move(publication), slot)) {
      std::string bytes;
      RespWriter(&bytes, resp_version).integer(static_cast<int64_t>(*receivers));
      answer(slot, bytes);
    } else {
      slots.let_pass(slot);
    }
  }
}

void Session::State::deliver_published() {
  if (!published.empty()) {
    node.deliver_pushes(std::exchange(published, {}));
  }
}

std::optional<uint64_t> Session::State::run_publication(Publication publication, uint64_t slot) {
  const uint64_t here = node.publish(publication, published);
  if (const auto mine = published.extract(info.id)) {  // as in Redis 7.0, before the reply
    for (const Push& message : mine.mapped()) {
      push(*message);
    }
  }
  // A peer may have said meanwhile that it has subscribers; too late for what it cannot get.
  if (!node.fanout.anyone_else() || Fanout::too_large(publication)) {
    return here;
  }
  node.fanout.publish(publication, {{info.id, slot}, static_cast<uint8_t>(resp_version), here});
  node.fanout_has_work();
  return std::nullopt;
}

// It may have unsubscribed meanwhile, and a RESP2 client would take what comes now for a reply.
bool Session::State::wants(const PushMessage& message) const {
  switch (message.kind) {
    case PushMessage::Kind::kMessage:
      return pubsub().is_subscribed(info.id, message.topic, message.name);
    case PushMessage::Kind::kInvalidation:
      return resp_version > 2;
    case PushMessage::Kind::kRedirected:
      return resp_version > 2 || is_subscriber();
    case PushMessage::Kind::kMaintenance:
      return resp_version > 2 && maintenance.has_value();
  }
  return false;
}

void Session::State::push(const PushMessage& message) {
  const bool resp3 = resp_version > 2;
  std::string_view bytes = resp3 && !message.push.empty() ? message.push : message.bytes;
  CHECK_INVARIANT(bytes.starts_with('*') || bytes.starts_with('>'));
  slots.push(resp3 ? '>' : '*', bytes.substr(1), output);
}

void Session::State::take_pushes(const std::vector<Push>& messages) {
  for (const Push& message : messages) {
    if (!close_after_replies && wants(*message)) {
      push(*message);
    }
  }
}

// ---------------------------------------------------------------- the node

size_t NodeContext::publish(const Publication& publication, Pushes& pushes) const {
  return pubsub.publish(publication, [&](ConnectionId connection, const Push& message) {
    CHECK_INVARIANT(sessions.contains(connection));  // it would have left the registry
    pushes[connection].push_back(message);
  });
}

void NodeContext::publish_sentinel(const std::vector<Publication>& events) const {
  Pushes pushes;
  for (const Publication& event : events) {
    sentinel_pubsub.publish(event, [&](ConnectionId connection, const Push& message) {
      CHECK_INVARIANT(sessions.contains(connection));
      pushes[connection].push_back(message);
    });
  }
  deliver_pushes(std::move(pushes));
}

void NodeContext::deliver_pushes(Pushes pushes) const {
  for (auto& [connection, messages] : pushes) {
    ReplyBatch batch;
    batch.connection = connection;
    batch.pushes = std::move(messages);
    deliver(std::move(batch));
  }
}

void NodeContext::publish_outward(std::vector<OutwardEvent> events,
                                  std::vector<ReplyBatch>& replies) {
  tracking.end_turn();
  if (events.empty() && !tracking.has_notices()) {
    return;
  }
  Pushes pushes;
  for (OutwardEvent& event : events) {
    if (event.kind == OutwardEvent::Kind::kScriptCall) {
      show_script_call(event);
      continue;
    }
    for (const Publication& publication : publications_of(std::move(event))) {
      publish(publication, pushes);
    }
  }
  take_notices(pushes);
  for (auto batch = replies.rbegin(); batch != replies.rend() && !pushes.empty(); ++batch) {
    if (auto found = pushes.extract(batch->connection)) {
      batch->pushes = std::move(found.mapped());
    }
  }
  for (auto& [connection, messages] : pushes) {
    ReplyBatch& batch = replies.emplace_back();
    batch.connection = connection;
    batch.pushes = std::move(messages);
  }
}

std::vector<FanoutEffects::Message> NodeContext::take_fanout() {
  FanoutEffects effects = fanout.take_effects();
  for (const PublishTicket& ticket : effects.answer) {
    LaterReply{this, ticket.to, ticket.resp_version}.answer(
        [&](ReplyWriter& reply) { reply.integer(static_cast<int64_t>(ticket.receivers)); });
  }
  for (const ReplySlot& slot : effects.heard) {
    ReplyBatch batch;
    batch.connection = slot.connection;
    batch.parts.push_back({slot.slot, 0, 0});
    deliver(std::move(batch));
  }
  return std::move(effects.send);
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

namespace {

void subscribe_to(Topic topic, Session& session, Args args, ReplyWriter& reply) {
  for (std::string_view name : args.subspan(1)) {
    session.state().subscribe(topic, name, reply);
  }
}

void unsubscribe_from(Topic topic, Session& session, Args args, ReplyWriter& reply) {
  if (args.size() == 1) {
    return session.state().unsubscribe_all(topic, reply);
  }
  for (std::string_view name : args.subspan(1)) {
    session.state().unsubscribe(topic, name, reply);
  }
}

}  // namespace

void subscribe(Session& session, Args args, ReplyWriter& reply) {
  subscribe_to(Topic::kChannel, session, args, reply);
}

void psubscribe(Session& session, Args args, ReplyWriter& reply) {
  subscribe_to(Topic::kPattern, session, args, reply);
}

void ssubscribe(Session& session, Args args, ReplyWriter& reply) {
  if (session.state().in_block) {
    return reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  subscribe_to(Topic::kShard, session, args, reply);
}

void unsubscribe(Session& session, Args args, ReplyWriter& reply) {
  unsubscribe_from(Topic::kChannel, session, args, reply);
}

void punsubscribe(Session& session, Args args, ReplyWriter& reply) {
  unsubscribe_from(Topic::kPattern, session, args, reply);
}

void sunsubscribe(Session& session, Args args, ReplyWriter& reply) {
  unsubscribe_from(Topic::kShard, session, args, reply);
}

}  // namespace kiwi::resp::commands
