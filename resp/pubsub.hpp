// PubSub: which connections of this node subscribed to what. A plain class, owned by NodeContext,
// client loop only; it knows neither sessions nor nodes. Who publishes asks receivers() and hands
// them the message; what is between nodes is fanout.hpp's.
//
// Subscriptions end with their connection and are no part of the state. What they hold is counted
// with their connection's memory, so maxmemory-clients bounds all of them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "resp/push.hpp"
#include "resp/request.hpp"
#include "resp/types/outward.hpp"

namespace kiwi::resp {

struct Publication {
  bool sharded = false;
  std::string channel;
  std::string message;

  size_t bytes() const { return channel.size() + message.size(); }
  bool operator==(const Publication&) const = default;
};

class PubSub {
 public:
  struct Counts {
    size_t of[kTopics] = {};
    size_t operator[](Topic topic) const { return of[static_cast<size_t>(topic)]; }
  };

  // False: it was subscribed already.
  bool subscribe(ConnectionId connection, Topic topic, std::string_view name);
  // False: it was not.
  bool unsubscribe(ConnectionId connection, Topic topic, std::string_view name);
  void connection_closed(ConnectionId connection);

  Counts counts(ConnectionId connection) const;
  bool is_subscribed(ConnectionId connection, Topic topic, std::string_view name) const;
  size_t memory_bytes(ConnectionId connection) const;
  // What the connection subscribed to, in the order of the names.
  std::vector<std::string> names(ConnectionId connection, Topic topic) const;

  // ---- what the node has
  bool empty() const { return connections_.empty(); }
  size_t size(Topic topic) const { return topics_[static_cast<size_t>(topic)].size(); }
  size_t subscribers(Topic topic, std::string_view name) const;
  // Names with subscribers that the pattern matches, in order, until visit() says no.
  void visit(Topic topic,
             std::optional<std::string_view> pattern,
             const std::function<bool(std::string_view)>& visit) const;
  uint64_t receivers(bool sharded, std::string_view channel) const;  // of a message
  // Could anybody get an event of a key? Never no where the answer is yes.
  bool hears_key_events() const { return key_listeners_ != 0; }

  // ---- publishing
  // Calls give(connection, message) for each receipt: those of the channel first, then pattern by
  // pattern, a connection once for each. Returns how many there were. give() changes no
  // subscription.
  size_t publish(const Publication& publication,
                 const std::function<void(ConnectionId, const Push&)>& give) const;

 private:
  using Receivers = std::set<ConnectionId>;
  // Ordered by name: clients choose the names (F63).
  using Names = std::map<std::string, Receivers, std::less<>>;
  struct Subscriptions {
    std::set<std::string_view> names[kTopics];  // of the keys of topics_
    size_t bytes = 0;
    bool empty() const { return names[0].empty() && names[1].empty() && names[2].empty(); }
  };

  void forget_name(Topic topic, Names::iterator name);

  Names topics_[kTopics];
  size_t key_listeners_ = 0;  // names whose subscribers may get events of keys
  std::unordered_map<ConnectionId, Subscriptions> connections_;
};

// What goes out for one: the message, or up to two for an event of a key.
std::vector<Publication> publications_of(OutwardEvent event);

// The bytes of a message for those of its channel, and for those of a pattern.
std::string message_bytes(const Publication& publication);
std::string pattern_message_bytes(std::string_view pattern, const Publication& publication);

}  // namespace kiwi::resp
