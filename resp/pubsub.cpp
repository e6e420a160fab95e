#include "resp/pubsub.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/glob.hpp"
#include "resp/resp_writer.hpp"

namespace kiwi::resp {

namespace {

// Beside its name, of a subscription: the name's node, the connection's in it, and the other way
// round, as if nobody else had subscribed to it.
constexpr size_t kSubscriptionBytes = 256;
// And of the first one of a connection.
constexpr size_t kSubscriberBytes = 256;

size_t bytes_of(std::string_view name) { return name.size() + kSubscriptionBytes; }

size_t at(Topic topic) { return static_cast<size_t>(topic); }

// Both kinds of channels of an event of a key begin so.
constexpr std::string_view kKeyChannels = "__key";

bool listens_to_keys(Topic topic, std::string_view name) {
  if (topic == Topic::kShard) {
    return false;
  }
  if (topic == Topic::kChannel) {
    return name.starts_with(kKeyChannels);
  }
  // A pattern whose literal beginning is another one matches no such channel.
  const std::string_view literal = name.substr(0, name.find_first_of("*?[\\"));
  const size_t common = std::min(literal.size(), kKeyChannels.size());
  return literal.substr(0, common) == kKeyChannels.substr(0, common);
}

}  // namespace

std::string message_bytes(const Publication& publication) {
  std::string out;
  out.reserve(publication.bytes() + 48);
  RespWriter writer(&out, 2);
  writer.push(3);
  writer.bulk(publication.sharded ? "smessage" : "message");
  writer.bulk(publication.channel);
  writer.bulk(publication.message);
  return out;
}

std::string pattern_message_bytes(std::string_view pattern, const Publication& publication) {
  CHECK_INVARIANT(!publication.sharded);
  std::string out;
  out.reserve(publication.bytes() + pattern.size() + 64);
  RespWriter writer(&out, 2);
  writer.push(4);
  writer.bulk("pmessage");
  writer.bulk(pattern);
  writer.bulk(publication.channel);
  writer.bulk(publication.message);
  return out;
}

std::vector<Publication> publications_of(OutwardEvent event) {
  if (event.kind != OutwardEvent::Kind::kKey) {
    return {{event.kind == OutwardEvent::Kind::kShardPublish, std::move(event.channel),
             std::move(event.message)}};
  }
  std::vector<Publication> out;
  const std::string database = "@" + std::to_string(event.database) + "__:";
  if ((event.to & config::kKeyspaceChannel) != 0) {
    out.push_back({false, "__keyspace" + database + event.message, event.channel});
  }
  if ((event.to & config::kKeyeventChannel) != 0) {
    out.push_back({false, "__keyevent" + database + event.channel, event.message});
  }
  return out;
}

bool PubSub::subscribe(ConnectionId connection, Topic topic, std::string_view name) {
  CHECK_INVARIANT(connection != 0);
  auto [mine, is_new] = connections_.try_emplace(connection);
  Names& names = topics_[at(topic)];
  auto found = names.lower_bound(name);
  if (found == names.end() || found->first != name) {
    found = names.emplace_hint(found, std::string(name), Receivers{});
    key_listeners_ += listens_to_keys(topic, name) ? 1 : 0;
  }
  if (!found->second.insert(connection).second) {
    CHECK_INVARIANT(!is_new && mine->second.names[at(topic)].contains(name));
    return false;
  }
  mine->second.names[at(topic)].insert(found->first);
  mine->second.bytes += bytes_of(name) + (is_new ? kSubscriberBytes : 0);
  return true;
}

bool PubSub::unsubscribe(ConnectionId connection, Topic topic, std::string_view name) {
  const auto mine = connections_.find(connection);
  if (mine == connections_.end() || mine->second.names[at(topic)].erase(name) == 0) {
    return false;
  }
  const size_t bytes = bytes_of(name);  // `name` may lie in what is erased next
  Names& names = topics_[at(topic)];
  const auto found = names.find(name);
  CHECK_INVARIANT(found != names.end() && found->second.contains(connection));
  found->second.erase(connection);
  if (found->second.empty()) {
    forget_name(topic, found);
  }
  CHECK_INVARIANT(mine->second.bytes >= bytes);
  mine->second.bytes -= bytes;
  if (mine->second.empty()) {
    connections_.erase(mine);
  }
  return true;
}

void PubSub::forget_name(Topic topic, Names::iterator name) {
  if (listens_to_keys(topic, name->first)) {
    CHECK_INVARIANT(key_listeners_ != 0);
    --key_listeners_;
  }
  topics_[at(topic)].erase(name);
}

void PubSub::connection_closed(ConnectionId connection) {
  const auto mine = connections_.find(connection);
  if (mine == connections_.end()) {
    return;
  }
  for (size_t topic = 0; topic < kTopics; ++topic) {
    for (const std::string_view name : mine->second.names[topic]) {
      const auto found = topics_[topic].find(name);
      CHECK_INVARIANT(found != topics_[topic].end());
      found->second.erase(connection);
      if (found->second.empty()) {
        forget_name(static_cast<Topic>(topic), found);
      }
    }
  }
  connections_.erase(mine);
}

PubSub::Counts PubSub::counts(ConnectionId connection) const {
  Counts counts;
  if (const auto mine = connections_.find(connection); mine != connections_.end()) {
    for (size_t topic = 0; topic < kTopics; ++topic) {
      counts.of[topic] = mine->second.names[topic].size();
    }
  }
  return counts;
}

bool PubSub::is_subscribed(ConnectionId connection, Topic topic, std::string_view name) const {
  const auto mine = connections_.find(connection);
  return mine != connections_.end() && mine->second.names[at(topic)].contains(name);
}

size_t PubSub::memory_bytes(ConnectionId connection) const {
  const auto mine = connections_.find(connection);
  return mine != connections_.end() ? mine->second.bytes : 0;
}

std::vector<std::string> PubSub::names(ConnectionId connection, Topic topic) const {
  const auto mine = connections_.find(connection);
  if (mine == connections_.end()) {
    return {};
  }
  const std::set<std::string_view>& names = mine->second.names[at(topic)];
  return {names.begin(), names.end()};
}

size_t PubSub::subscribers(Topic topic, std::string_view name) const {
  const auto found = topics_[at(topic)].find(name);
  return found != topics_[at(topic)].end() ? found->second.size() : 0;
}

void PubSub::visit(Topic topic,
                   std::optional<std::string_view> pattern,
                   const std::function<bool(std::string_view)>& visit) const {
  for (const auto& [name, receivers] : topics_[at(topic)]) {
    if ((!pattern || glob_match(*pattern, name)) && !visit(name)) {
      return;
    }
  }
}

uint64_t PubSub::receivers(bool sharded, std::string_view channel) const {
  uint64_t count = subscribers(sharded ? Topic::kShard : Topic::kChannel, channel);
  if (!sharded) {
    for (const auto& [pattern, receivers] : topics_[at(Topic::kPattern)]) {
      count += glob_match(pattern, channel) ? receivers.size() : 0;
    }
  }
  return count;
}

size_t PubSub::publish(const Publication& publication,
                       const std::function<void(ConnectionId, const Push&)>& give) const {
  size_t count = 0;
  const auto give_all = [&](Topic topic, const auto& named, std::string bytes) {
    const auto& [name, receivers] = named;
    const auto shared = std::make_shared<const PushMessage>(
        PushMessage{PushMessage::Kind::kMessage, topic, name, std::move(bytes), {}});
    for (const ConnectionId connection : receivers) {
      give(connection, shared);
    }
    count += receivers.size();
  };
  const Topic topic = publication.sharded ? Topic::kShard : Topic::kChannel;
  const Names& channels = topics_[at(topic)];
  if (const auto found = channels.find(publication.channel); found != channels.end()) {
    give_all(topic, *found, message_bytes(publication));
  }
  if (publication.sharded) {
    return count;
  }
  for (const auto& pattern : topics_[at(Topic::kPattern)]) {
    if (glob_match(pattern.first, publication.channel)) {
      give_all(Topic::kPattern, pattern, pattern_message_bytes(pattern.first, publication));
    }
  }
  return count;
}

}  // namespace kiwi::resp
