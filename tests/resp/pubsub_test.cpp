// PubSub and Fanout: plain classes, without sessions and nodes.
#include "resp/pubsub.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/glob.hpp"
#include "config/base/prng.hpp"
#include "config/limits.hpp"
#include "resp/fanout.hpp"
#include "resp/fanout_inbox.hpp"

namespace kiwi::resp {
namespace {

using Got = std::vector<std::pair<ConnectionId, std::string>>;

Got publish(const PubSub& pubsub, const Publication& publication) {
  Got got;
  const size_t count =
      pubsub.publish(publication, [&](ConnectionId connection, const Push& message) {
        got.emplace_back(connection, message->bytes);
      });
  CHECK(count == got.size());
  CHECK(count == pubsub.receivers(publication.sharded, publication.channel));
  return got;
}

constexpr char kOfA[] = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
constexpr char kOfPattern[] = "*4\r\n$8\r\npmessage\r\n$2\r\n?*\r\n$1\r\na\r\n$1\r\nx\r\n";
constexpr char kOfShard[] = "*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\nx\r\n";

}  // namespace

TEST_CASE("a message goes once to each subscription that fits, channels before patterns") {
  PubSub pubsub;
  CHECK(pubsub.subscribe(1, Topic::kChannel, "a"));
  CHECK_FALSE(pubsub.subscribe(1, Topic::kChannel, "a"));
  CHECK(pubsub.subscribe(1, Topic::kPattern, "?*"));
  CHECK(pubsub.subscribe(2, Topic::kChannel, "a"));
  CHECK(pubsub.subscribe(3, Topic::kShard, "a"));
  CHECK(publish(pubsub, {false, "a", "x"}) == Got{{1, kOfA}, {2, kOfA}, {1, kOfPattern}});
  CHECK(publish(pubsub, {true, "a", "x"}) == Got{{3, kOfShard}});
  CHECK(publish(pubsub, {true, "b", "x"}).empty());
}

TEST_CASE("a connection that ends leaves nothing behind") {
  PubSub pubsub;
  for (ConnectionId connection = 1; connection <= 3; ++connection) {
    pubsub.subscribe(connection, Topic::kChannel, "a");
    pubsub.subscribe(connection, Topic::kPattern, "__key*");
    pubsub.subscribe(connection, Topic::kShard, "s" + std::to_string(connection));
  }
  CHECK(pubsub.hears_key_events());
  CHECK(pubsub.counts(2)[Topic::kShard] == 1);
  CHECK(pubsub.memory_bytes(2) > 0);
  for (ConnectionId connection = 1; connection <= 3; ++connection) {
    CHECK_FALSE(pubsub.empty());
    pubsub.connection_closed(connection);
  }
  CHECK(pubsub.empty());
  CHECK_FALSE(pubsub.hears_key_events());
  for (const Topic topic : {Topic::kChannel, Topic::kPattern, Topic::kShard}) {
    CHECK(pubsub.size(topic) == 0);
  }
  CHECK(pubsub.memory_bytes(2) == 0);
}

TEST_CASE("only who could get an event of a key makes the node write one") {
  const std::vector<std::pair<std::string, bool>> patterns = {
      {"*", true},        {"__key*", true},  {"_?key*", true},    {"__keyspace@0__:k", true},
      {"[_]_key*", true}, {"news.*", false}, {"__other*", false}, {"\\__key*", true}};
  for (const auto& [pattern, hears] : patterns) {
    CAPTURE(pattern);
    PubSub pubsub;
    pubsub.subscribe(1, Topic::kPattern, pattern);
    CHECK(pubsub.hears_key_events() == hears);
    pubsub.unsubscribe(1, Topic::kPattern, pattern);
    CHECK_FALSE(pubsub.hears_key_events());
  }
  PubSub pubsub;
  pubsub.subscribe(1, Topic::kChannel, "news");
  pubsub.subscribe(1, Topic::kShard, "__keyevent@0__:set");
  CHECK_FALSE(pubsub.hears_key_events());
  pubsub.subscribe(1, Topic::kChannel, "__keyevent@0__:set");
  CHECK(pubsub.hears_key_events());
}

TEST_CASE("the registry agrees with sets of names, whatever is done in whatever order") {
  Prng prng(3);
  PubSub pubsub;
  std::map<ConnectionId, std::set<std::pair<int, std::string>>> model;
  const std::vector<std::string> names = {"a", "ab", "b", "a*", "*b", "?", "__keyspace@0__:a"};
  for (int step = 0; step < 4000; ++step) {
    const ConnectionId connection = 1 + prng.below(4);
    const auto topic = static_cast<Topic>(prng.below(3));
    const std::string& name = names[prng.below(names.size())];
    auto& mine = model[connection];
    const std::pair<int, std::string> item{static_cast<int>(topic), name};
    switch (prng.below(5)) {
      case 0:
      case 1:
        CHECK(pubsub.subscribe(connection, topic, name) == mine.insert(item).second);
        break;
      case 2:
      case 3:
        CHECK(pubsub.unsubscribe(connection, topic, name) == (mine.erase(item) == 1));
        break;
      default:
        if (prng.below(8) == 0) {
          pubsub.connection_closed(connection);
          mine.clear();
        }
    }
    const bool sharded = prng.below(2) == 0;
    uint64_t receivers = 0;
    for (const auto& [id, items] : model) {
      for (const auto& [of, subscribed] : items) {
        const auto is = static_cast<Topic>(of);
        receivers += sharded ? is == Topic::kShard && subscribed == name
                             : (is == Topic::kChannel && subscribed == name) ||
                                   (is == Topic::kPattern && glob_match(subscribed, name));
      }
    }
    CHECK(publish(pubsub, {sharded, name, "m"}).size() == receivers);
    CHECK(pubsub.names(connection, topic).size() == pubsub.counts(connection)[topic]);
  }
}

// ---------------------------------------------------------------- between nodes

namespace {

// Three nodes whose frames a test carries by hand. Each has so many subscribers of everything.
struct Trio {
  explicit Trio(std::vector<uint64_t> subscribers) : subscribers_of(std::move(subscribers)) {
    for (size_t a = 0; a < 3; ++a) {
      nodes[a].set_subscribed(subscribers_of[a] != 0);
      nodes[a].tick(now_ms);
      for (size_t b = 0; b < 3; ++b) {
        if (a != b) {
          nodes[a].link_up(NodeId{b + 1});
        }
      }
    }
    carry();
  }
  void take(size_t node) {
    FanoutEffects effects = nodes[node].take_effects();
    for (FanoutEffects::Message& message : effects.send) {
      on_their_way.push_back({node, message.peer.value - 1, std::move(message.bytes)});
    }
    for (const PublishTicket& ticket : effects.answer) {
      answers.emplace_back(ticket.to.slot, ticket.receivers);
    }
    for (const ReplySlot& slot : effects.heard) {
      heard.push_back(slot.slot);
    }
  }
  void carry() {
    for (size_t node = 0; node < 3; ++node) {
      take(node);
    }
    while (!on_their_way.empty()) {
      const Way way = std::move(on_their_way.front());
      on_their_way.erase(on_their_way.begin());
      if (way.to == deaf) {
        continue;
      }
      ++carried;
      std::optional<FanoutBatch> batch;
      REQUIRE(nodes[way.to].receive(NodeId{way.from + 1}, way.bytes, batch));
      if (batch) {
        std::vector<uint64_t> counts;
        for (const Publication& publication : batch->publications) {
          got[way.to].push_back(publication);
          counts.push_back(subscribers_of[way.to]);
        }
        nodes[way.to].delivered(NodeId{way.from + 1}, batch->number, counts);
      }
      take(way.to);
    }
  }
  void publish(size_t node, const Publication& publication, uint64_t slot) {
    nodes[node].publish(publication, {{1, slot}, 2, subscribers_of[node]});
  }

  struct Way {
    size_t from;
    size_t to;
    std::string bytes;
  };
  int64_t now_ms = 1000;
  std::vector<uint64_t> subscribers_of;
  Fanout nodes[3];
  std::vector<Way> on_their_way;
  std::vector<Publication> got[3];
  std::vector<std::pair<uint64_t, uint64_t>> answers;  // slot, receivers
  std::vector<uint64_t> heard;
  size_t deaf = 3;  // what goes there is lost
  size_t carried = 0;
};

using Answers = std::vector<std::pair<uint64_t, uint64_t>>;

}  // namespace

TEST_CASE("a publication reaches the nodes that have subscribers, and is answered with the sum") {
  Trio trio({1, 2, 0});
  CHECK(trio.nodes[0].anyone_else());
  trio.publish(0, {false, "a", "first"}, 7);
  trio.publish(0, {true, "a", ""}, 8);
  CHECK(trio.answers.empty());
  trio.carried = 0;
  trio.nodes[0].flush(trio.now_ms);
  trio.carry();
  CHECK(trio.got[1] == std::vector<Publication>{{false, "a", "first"}, {true, "a", ""}});
  CHECK(trio.got[2].empty());  // it said that it has none
  CHECK(trio.carried == 2);    // one batch, one answer
  CHECK(trio.answers == Answers{{7, 3}, {8, 3}});
}

TEST_CASE("without subscribers elsewhere nothing is sent") {
  Trio trio({1, 0, 0});
  CHECK_FALSE(trio.nodes[0].anyone_else());
  CHECK(trio.nodes[1].anyone_else());
}

TEST_CASE("a peer that does not answer is waited for no longer than its link or 200 ms") {
  Trio trio({0, 1, 1});
  trio.deaf = 2;
  trio.publish(0, {false, "a", "x"}, 1);
  trio.nodes[0].flush(trio.now_ms);
  trio.carry();
  CHECK(trio.answers.empty());
  trio.nodes[0].tick(trio.now_ms + kFanoutWaitMs - 1);
  trio.carry();
  CHECK(trio.answers.empty());
  trio.nodes[0].tick(trio.now_ms + kFanoutWaitMs);
  trio.carry();
  CHECK(trio.answers == Answers{{1, 1}});
  trio.publish(0, {false, "a", "y"}, 2);
  trio.nodes[0].flush(trio.now_ms);
  trio.carry();
  trio.nodes[0].link_down(NodeId{3});
  trio.carry();
  CHECK(trio.answers == Answers{{1, 1}, {2, 1}});
}

TEST_CASE("an answer that comes too late, or twice, counts for nothing") {
  Trio trio({0, 1, 0});
  trio.publish(0, {false, "a", "x"}, 1);
  trio.nodes[0].flush(trio.now_ms);
  trio.nodes[0].tick(trio.now_ms + kFanoutWaitMs);
  trio.carry();
  CHECK(trio.answers == Answers{{1, 0}});
  CHECK(trio.got[1].size() == 1);
}

TEST_CASE("a batch that comes twice is given once, and a new link begins anew") {
  Trio trio({0, 1, 0});
  std::string first;
  for (uint64_t slot = 1; slot <= 2; ++slot) {
    trio.publish(0, {false, "a", "x"}, slot);
    trio.nodes[0].flush(trio.now_ms);
    first = first.empty() ? trio.nodes[0].take_effects().send.at(0).bytes : first;
  }
  trio.carry();
  std::optional<FanoutBatch> batch;
  CHECK(trio.nodes[1].receive(NodeId{1}, first, batch));
  CHECK_FALSE(batch.has_value());
  trio.nodes[1].link_down(NodeId{1});
  trio.nodes[1].link_up(NodeId{1});
  CHECK(trio.nodes[1].receive(NodeId{1}, first, batch));
  CHECK(batch.has_value());
}

TEST_CASE("the first subscriber of a node waits until the others have heard of it") {
  Trio trio({0, 0, 0});
  CHECK_FALSE(trio.nodes[2].want_interest({1, 5}, trio.now_ms));
  CHECK_FALSE(trio.nodes[0].anyone_else());
  trio.carry();
  CHECK(trio.heard == std::vector<uint64_t>{5});
  CHECK(trio.nodes[0].anyone_else());
  trio.nodes[2].set_subscribed(true);
  CHECK(trio.nodes[2].want_interest({1, 6}, trio.now_ms));  // it is known now
  trio.nodes[2].set_subscribed(false);
  trio.nodes[2].tick(trio.now_ms);  // whoever was told a moment ago may be about to subscribe
  trio.carry();
  CHECK(trio.nodes[0].anyone_else());
  trio.nodes[2].tick(trio.now_ms + 100);
  trio.carry();
  CHECK_FALSE(trio.nodes[0].anyone_else());
}

TEST_CASE("a subscriber waits 200 ms at most, and a lost word is said again") {
  Trio trio({0, 0, 0});
  trio.deaf = 1;
  CHECK_FALSE(trio.nodes[2].want_interest({1, 5}, trio.now_ms));
  trio.carry();
  CHECK(trio.heard.empty());
  trio.nodes[2].tick(trio.now_ms + kFanoutWaitMs);
  trio.carry();
  CHECK(trio.heard == std::vector<uint64_t>{5});
  trio.nodes[2].set_subscribed(true);
  CHECK_FALSE(trio.nodes[1].anyone_else());
  trio.deaf = 3;
  trio.nodes[2].tick(trio.now_ms + 2 * kFanoutWaitMs);
  trio.carry();
  CHECK(trio.nodes[1].anyone_else());
}

TEST_CASE("more than a batch holds goes in several, in order") {
  Trio trio({0, 1, 0});
  const std::string megabyte(1 << 20, 'x');
  for (uint64_t i = 0; i < 10; ++i) {
    trio.publish(0, {false, "c" + std::to_string(i), megabyte}, i);
  }
  trio.nodes[0].flush(trio.now_ms);
  for (const FanoutEffects::Message& message : trio.nodes[0].take_effects().send) {
    CHECK(message.bytes.size() <= config::limits::kPublicationBytes);
    trio.on_their_way.push_back({0, 1, message.bytes});
  }
  CHECK(trio.on_their_way.size() == 4);
  trio.carry();
  REQUIRE(trio.got[1].size() == 10);
  for (size_t i = 0; i < 10; ++i) {
    CHECK(trio.got[1][i].channel == "c" + std::to_string(i));
    CHECK(trio.answers[i] == std::pair<uint64_t, uint64_t>{i, 1});
  }
  CHECK(trio.nodes[0].anyone_else());
  for (uint64_t i = 0; i < 70'000; ++i) {
    trio.publish(0, {false, "", ""}, i);
  }
  trio.nodes[0].flush(trio.now_ms);
  CHECK(trio.nodes[0].take_effects().send.size() == 2);  // their counts are bounded, too
  CHECK(Fanout::too_large({false, "c", std::string(config::limits::kPublicationBytes, 'x')}));
}

TEST_CASE("what cannot be read is refused, and changes nothing") {
  Fanout fanout;
  fanout.link_up(NodeId{2});
  std::optional<FanoutBatch> batch;
  const std::string number(8, '\0');
  for (const std::string& bytes :
       {std::string(), std::string("\x01"), "\x01" + number, "\x01" + number + "\x07",
        "\x01" + number + "\x02" + "a\x05x", "\x03" + number, "\x03" + number + "\x01\x01",
        "\x04" + number + "x", "\x09" + number, std::string("\x02") + "123"}) {
    CAPTURE(bytes);
    CHECK_FALSE(fanout.receive(NodeId{2}, bytes, batch));
    CHECK_FALSE(batch.has_value());
  }
}

TEST_CASE("the bytes of messages between nodes are these [golden]") {
  Fanout fanout;
  fanout.link_up(NodeId{2});
  CHECK_FALSE(fanout.want_interest({1, 1}, 0));
  fanout.publish({true, "ab", "xyz"}, {{1, 2}, 2, 0});
  fanout.flush(0);
  fanout.delivered(NodeId{2}, 513, {0, 300});
  const FanoutEffects effects = fanout.take_effects();
  REQUIRE(effects.send.size() == 4);
  const std::string zeros(6, '\0');
  const auto number = [&](char low, char high) {
    return std::string(1, low) + std::string(1, high) + zeros;
  };
  CHECK(effects.send[0].bytes == "\x03" + number(0, 0) + std::string(1, '\0'));
  CHECK(effects.send[1].bytes == "\x03" + number(1, 0) + "\x01");
  CHECK(effects.send[2].bytes == "\x01" + number(1, 0) + "\x05" + "ab" + "\x03" + "xyz");
  CHECK(effects.send[3].bytes == "\x02" + number(1, 2) + std::string(1, '\0') + "\xac\x02");
}

TEST_CASE("what a fast peer publishes to a slow node is bounded, each peer for itself") {
  FanoutInbox inbox;
  const std::string message(1 << 20, 'x');
  const FanoutBatch batch{1, {{false, "a", message}, {false, "b", message}}};
  size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += inbox.push(NodeId{1}, batch) ? 1 : 0;
    CHECK(inbox.bytes(NodeId{1}) <= FanoutInbox::kPeerBytes);
  }
  CHECK(taken == 3);
  CHECK(inbox.push(NodeId{2}, {1, {{false, "a", std::string(9 << 20, 'x')}}}));  // its only one
  CHECK_FALSE(inbox.push(NodeId{2}, {2, {{false, "a", "x"}}}));
  size_t published = 0;
  size_t answered = 0;
  const FanoutInbox::Outlet outlet{
      [&](const Publication&) { return ++published; },
      [&](NodeId, uint64_t, const std::vector<uint64_t>&) { ++answered; }, [] { return true; }};
  inbox.deliver(outlet);
  CHECK(answered == 0);
  CHECK_FALSE(inbox.push(NodeId{1}, batch));  // half of one is all of it
  inbox.deliver(outlet);
  CHECK(answered == 1);
  CHECK(inbox.push(NodeId{1}, batch));
}

TEST_CASE(
    "publications of peers are delivered in slices, in order, and a batch is answered whole") {
  FanoutInbox inbox;
  CHECK(inbox.push(NodeId{1}, {7, {{false, "a", "1"}, {false, "a", "2"}, {false, "a", "3"}}}));
  CHECK(inbox.push(NodeId{2}, {4, {{false, "a", "4"}}}));
  CHECK(inbox.push(NodeId{1}, {8, {{false, "a", "5"}}}));
  std::string told;
  int left = 0;
  const FanoutInbox::Outlet outlet{
      [&](const Publication& publication) {
        told += publication.message;
        return publication.message[0] - uint64_t{'0'};
      },
      [&](NodeId peer, uint64_t number, const std::vector<uint64_t>& receivers) {
        told += " " + std::to_string(peer.value) + "/" + std::to_string(number) + ":";
        for (const uint64_t count : receivers) {
          told += std::to_string(count);
        }
        told += " ";
      },
      [&] { return --left <= 0; }};
  auto slice = [&](int publications) {
    left = publications;
    inbox.deliver(outlet);
    return std::exchange(told, {});
  };
  CHECK(slice(0) == "1");
  CHECK(slice(2) == "23 1/7:123 ");
  inbox.link_changed(NodeId{1});  // delivered all the same
  CHECK(slice(9) == "4 2/4:4 5");
  CHECK(inbox.empty());
  CHECK(inbox.bytes(NodeId{1}) == 0);
}

}  // namespace kiwi::resp
