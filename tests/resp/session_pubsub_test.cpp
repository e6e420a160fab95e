// Publish/subscribe between sessions: order, silence, limits, and what other nodes have to say.
// What one connection sees by itself is in transcripts/pubsub.txt.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "config/base/prng.hpp"
#include "resp/reply_slots.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

constexpr char kMessage[] = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
constexpr char kSubscribed[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";

// Messages to peers are dropped here: tests say what the peers answer.
struct World {
  World() {
    node.context.deliver = [this](ReplyBatch batch) { delivered.push_back(std::move(batch)); };
  }
  std::vector<FanoutEffects::Message> flush(int64_t now_ms = 1000) {
    node.context.fanout.flush(now_ms);
    return node.context.take_fanout();
  }
  // What was delivered to the client, as its shell does it. How many batches it was.
  size_t hand(TestClient& client) {
    // What that makes others do comes behind what is under way to them.
    std::vector<ReplyBatch> its;
    std::vector<ReplyBatch> of_others;
    for (ReplyBatch& batch : delivered) {
      (batch.connection == client.session.id() ? its : of_others).push_back(std::move(batch));
    }
    delivered = std::move(of_others);
    for (const ReplyBatch& batch : its) {
      client.session.reply(batch, client.now_ms);
    }
    return its.size();
  }
  std::string give(TestClient& client) {
    hand(client);
    return client.session.take_output();
  }
  void hear(uint64_t number, bool interested) {  // node 2 says it
    std::string bytes("\x03", 1);
    put_le(bytes, number);
    put_u8(bytes, interested ? 1 : 0);
    receive(bytes);
  }
  void receive(const std::string& bytes) {
    std::optional<FanoutBatch> batch;
    REQUIRE(node.context.fanout.receive(NodeId{2}, bytes, batch));
  }
  static std::string with_number(char kind, uint64_t number) {
    std::string bytes(1, kind);
    put_le(bytes, number);
    return bytes;
  }

  TestNode node;
  std::vector<ReplyBatch> delivered;
};

}  // namespace

TEST_CASE("messages go to other sessions, those of one read together") {
  World world;
  TestClient subscriber(world.node, 1);
  TestClient publisher(world.node, 2);
  CHECK(subscriber.send("SUBSCRIBE a\r\n") == kSubscribed);
  CHECK(publisher.send("PUBLISH a x\r\nPUBLISH a x\r\n") == ":1\r\n:1\r\n");
  CHECK(world.delivered.size() == 1);  // what a turn published, at once
  CHECK(world.give(subscriber) == std::string(kMessage) + kMessage);
  publisher.send("SET k v\r\nPUBLISH a x\r\nPUBLISH a x\r\n");
  publisher.answer(publisher.forwarded()[0].slot, "+OK\r\n");
  CHECK(world.hand(subscriber) == 1);
  CHECK(subscriber.session.take_output() == std::string(kMessage) + kMessage);
}

TEST_CASE("PUBLISH waits for what its connection wrote before, and not for other publications") {
  World world;
  TestClient subscriber(world.node, 1);
  TestClient publisher(world.node, 2);
  subscriber.send("SUBSCRIBE a\r\n");
  CHECK(publisher.send("SET k v\r\nPUBLISH a x\r\nPUBLISH a x\r\nSET k w\r\nPUBLISH a x\r\n")
            .empty());
  const std::vector<Request> writes = publisher.forwarded();
  REQUIRE(writes.size() == 2);
  CHECK(world.give(subscriber).empty());
  CHECK(publisher.answer(writes[0].slot, "+OK\r\n") == "+OK\r\n:1\r\n:1\r\n");
  CHECK(world.give(subscriber) == std::string(kMessage) + kMessage);
  CHECK(publisher.answer(writes[1].slot, "+OK\r\n") == "+OK\r\n:1\r\n");
  CHECK(world.give(subscriber) == kMessage);
}

TEST_CASE("a push leaves behind what was answered before it, and never inside a reply [C5]") {
  World world;
  TestClient subscriber(world.node, 1);
  TestClient publisher(world.node, 2);
  subscriber.send("HELLO 3\r\n");
  subscriber.send("SUBSCRIBE a\r\n");
  CHECK(subscriber.send("GET k\r\nGET l\r\n").empty());
  const std::vector<Request> reads = subscriber.forwarded();
  REQUIRE(reads.size() == 2);
  CHECK(subscriber.answer(reads[1].slot, "$1\r\nl\r\n").empty());
  publisher.send("PUBLISH a x\r\n");
  CHECK(world.give(subscriber).empty());  // behind the second reply
  const std::string push = ">" + std::string(kMessage).substr(1);
  CHECK(subscriber.answer(reads[0].slot, "$1\r\nk\r\n") == "$1\r\nk\r\n$1\r\nl\r\n" + push);
}

TEST_CASE("slots and pushes agree with a model, whatever comes in whatever order [C5]") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Prng prng(seed);
    ReplySlots slots;
    std::string output;
    std::vector<std::string> model;  // of slots that are not sent: empty = not answered
    std::vector<uint64_t> open;
    std::string expected;
    uint64_t next = 0;
    const auto drain = [&] {
      while (!model.empty() && !model.front().empty()) {
        expected += model.front();
        model.erase(model.begin());
        ++next;
      }
    };
    for (int step = 0; step < 300; ++step) {
      const uint64_t draw = prng.below(3);
      if (draw == 0 || open.empty()) {
        open.push_back(slots.open(1, false, true));
        model.emplace_back();
      } else if (draw == 1) {
        const size_t which = prng.below(open.size());
        const uint64_t slot = open[which];
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
        const std::string bytes = "[" + std::to_string(slot) + "]";
        slots.answer(slot, bytes, output);
        model[slot - next] = bytes;
        drain();
      } else {
        const std::string push = "p" + std::to_string(step) + ";";
        slots.push(push[0], std::string_view(push).substr(1), output);
        auto last = model.rbegin();
        while (last != model.rend() && last->empty()) {
          ++last;
        }
        (last != model.rend() ? *last : expected) += push;
      }
      REQUIRE(output == expected);
    }
  }
}

TEST_CASE("a subscriber that reads nothing is closed by the limit of its class") {
  World world;
  world.node.options.client_output_buffer_limit.pubsub = {1000, 0, 0};
  TestClient subscriber(world.node, 1);
  TestClient publisher(world.node, 2);
  subscriber.send("SUBSCRIBE a\r\n");
  for (int i = 0; i < 100 && !subscriber.session.killed(); ++i) {
    publisher.send("PUBLISH a x\r\n");
    world.hand(subscriber);
  }
  CHECK(subscriber.session.killed());
  CHECK(world.node.closed == std::vector<ConnectionId>{1});
  CHECK(publisher.send("PING\r\n") == "+PONG\r\n");
}

TEST_CASE("a session that ends leaves the registry, and its memory is given back") {
  World world;
  {
    TestClient subscriber(world.node, 1);
    subscriber.send("SUBSCRIBE a\r\nPSUBSCRIBE *\r\n");
    CHECK(world.node.context.pubsub.receivers(false, "a") == 2);
  }
  CHECK(world.node.context.pubsub.empty());
  CHECK(world.node.context.client_memory.used() == 0);
  TestClient publisher(world.node, 2);
  CHECK(publisher.send("PUBLISH a x\r\n") == ":0\r\n");
}

TEST_CASE("CLIENT LIST shows subscribers as such") {
  World world;
  TestClient subscriber(world.node, 1);
  TestClient admin(world.node, 2);
  subscriber.send("SUBSCRIBE a b\r\nPSUBSCRIBE *\r\nSSUBSCRIBE s\r\n");
  const std::string list = admin.send("CLIENT LIST TYPE pubsub\r\n");
  CHECK(list.find("flags=P db=0 sub=2 psub=1 ssub=1") != std::string::npos);
  CHECK(list.find("id=2 ") == std::string::npos);
  CHECK(admin.send("CLIENT LIST TYPE normal\r\n").find("id=1 ") == std::string::npos);
  const std::string info = admin.send("INFO stats\r\n");
  CHECK(info.find("\r\npubsub_channels:2\r\npubsub_patterns:1\r\npubsubshard_channels:1\r\n") !=
        std::string::npos);
}

TEST_CASE("PUBLISH is answered when the other nodes have counted, or did not in time") {
  World world;
  world.node.context.fanout.link_up(NodeId{2});
  world.hear(1, true);
  TestClient publisher(world.node, 2);
  CHECK(publisher.send("PUBLISH a x\r\nPUBLISH a y\r\nPING\r\n").empty());
  world.flush();
  world.receive(World::with_number('\x02', 1) + "\x03\x04");
  world.flush();
  CHECK(world.give(publisher) == ":3\r\n:4\r\n+PONG\r\n");
  CHECK(publisher.send("PUBLISH a x\r\n").empty());
  world.flush(2000);
  world.node.context.fanout.tick(2000 + kFanoutWaitMs);
  world.flush();
  CHECK(world.give(publisher) == ":0\r\n");
  world.hear(2, false);
  CHECK(publisher.send("PUBLISH a x\r\n") == ":0\r\n");  // nobody to ask
}

TEST_CASE("the first SUBSCRIBE waits for the other nodes, and what follows waits for it") {
  World world;
  world.node.context.fanout.link_up(NodeId{2});
  TestClient subscriber(world.node, 1);
  CHECK(subscriber.send("SUBSCRIBE a\r\nPING\r\n").empty());
  CHECK(world.node.context.pubsub.empty());
  CHECK_FALSE(subscriber.session.wants_more_input());
  world.flush();
  world.receive(World::with_number('\x04', 1));
  world.flush();
  CHECK(world.give(subscriber) == std::string(kSubscribed) + "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  TestClient second(world.node, 3);
  CHECK(second.send("SUBSCRIBE a\r\n") == kSubscribed);
}

TEST_CASE("who unsubscribed gets nothing that was still on its way") {
  World world;
  TestClient subscriber(world.node, 1);
  TestClient publisher(world.node, 2);
  subscriber.send("SUBSCRIBE a b\r\n");
  publisher.send("PUBLISH a x\r\n");
  subscriber.send("UNSUBSCRIBE a\r\n");
  CHECK(world.give(subscriber).empty());
  publisher.send("PUBLISH b x\r\n");
  subscriber.send("RESET\r\n");
  CHECK(world.give(subscriber).empty());
}

TEST_CASE("subscriptions change behind what their connection published before") {
  World world;
  TestClient client(world.node, 1);
  client.send("HELLO 3\r\n");
  client.send("SUBSCRIBE a\r\n");
  CHECK(client.send("SET k v\r\nPUBLISH a x\r\nUNSUBSCRIBE a\r\nPUBLISH a y\r\n").empty());
  CHECK_FALSE(client.session.wants_more_input());
  const std::string push = ">" + std::string(kMessage).substr(1);
  CHECK(client.answer(client.forwarded()[0].slot, "+OK\r\n") ==
        "+OK\r\n" + push + ":1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n:0\r\n");
  CHECK(client.session.wants_more_input());
}

TEST_CASE("a block changes subscriptions behind what was published before it") {
  World world;
  TestClient client(world.node, 1);
  client.send("HELLO 3\r\n");
  client.send("SUBSCRIBE a\r\n");
  client.send("SET k v\r\nPUBLISH a x\r\nMULTI\r\nUNSUBSCRIBE a\r\nEXEC\r\n");
  const std::string push = ">" + std::string(kMessage).substr(1);
  const std::string out = client.answer(client.forwarded()[0].slot, "+OK\r\n");
  const size_t told = out.find(push);
  const size_t ended = out.find("unsubscribe");
  CHECK(told != std::string::npos);
  CHECK(ended != std::string::npos);
  CHECK(told < ended);
  CHECK(world.node.context.pubsub.empty());
}

TEST_CASE("what an entry tells comes behind the replies of its turn [C5]") {
  World world;
  TestClient writer(world.node, 1);
  TestClient other(world.node, 2);
  writer.send("HELLO 3\r\n");
  writer.send("SUBSCRIBE a\r\n");
  other.send("SUBSCRIBE a\r\n");
  writer.send("MULTI\r\nPUBLISH a x\r\nEXEC\r\nPUBLISH a y\r\n");
  ReplyBatch reply;
  reply.connection = 1;
  reply.bytes = "*1\r\n:2\r\n";
  reply.parts = {{writer.forwarded()[0].slot, 0, static_cast<uint32_t>(reply.bytes.size())}};
  std::vector<ReplyBatch> replies{reply};
  world.node.context.publish_outward({{OutwardEvent::Kind::kPublish, 0, "a", "x", 0}}, replies);
  REQUIRE(replies.size() == 2);
  for (ReplyBatch& batch : replies) {
    world.delivered.push_back(std::move(batch));
  }
  const std::string push = ">" + std::string(kMessage).substr(1);
  const std::string last = ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\ny\r\n";
  CHECK(world.give(writer) == "*1\r\n:2\r\n" + push + last + ":2\r\n");
  CHECK(world.give(other) == std::string(kMessage) + "*" + last.substr(1));
}

TEST_CASE("a block that subscribes tells the other nodes at once") {
  World world;
  world.node.context.fanout.link_up(NodeId{2});
  world.flush();
  TestClient client(world.node, 1);
  client.send("MULTI\r\nSUBSCRIBE a\r\nEXEC\r\n");
  const auto said = world.flush();
  REQUIRE(said.size() == 1);
  CHECK(said[0].bytes == World::with_number('\x03', 1) + "\x01");
}

TEST_CASE("PUBLISH in a block is one of its writes") {
  World world;
  TestClient client(world.node, 1);
  client.send("MULTI\r\nPUBLISH a x\r\nSPUBLISH a y\r\nEXEC\r\n");
  const std::vector<Request> requests = client.forwarded();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].kind == RequestKind::kWrite);
  CHECK(client.unpacked(requests[0]).commands.size() == 2);
}

}  // namespace kiwi::resp
