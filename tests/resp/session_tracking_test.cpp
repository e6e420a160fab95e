// Client caches between sessions: who gets which invalidation, in which order, and which commands
// are followed. What CLIENT TRACKING answers is in transcripts/tracking.txt.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

constexpr char kOfA[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n";
constexpr char kMessageOfA[] =
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n";

struct World {
  World() {
    node.context.deliver = [this](ReplyBatch batch) { delivered.push_back(std::move(batch)); };
  }
  // A turn of the state machine: it read the key for one client, or changed it.
  void read(ConnectionId id, const std::string& key) { tracking().remember(id, key); }
  void change(const std::string& key, ConnectionId by = 0) { tracking().modified(key, by); }
  void end_turn(std::vector<ReplyBatch> replies = {}) {
    node.context.publish_outward({}, replies);
    for (ReplyBatch& batch : replies) {
      delivered.push_back(std::move(batch));
    }
  }
  std::string give(TestClient& client) {
    for (const ReplyBatch& batch : std::exchange(delivered, {})) {
      if (batch.connection == client.session.id()) {
        client.session.reply(batch, client.now_ms);
      } else {
        delivered.push_back(batch);
      }
    }
    return client.session.take_output();
  }
  Tracking& tracking() { return node.context.tracking; }

  TestNode node;
  std::vector<ReplyBatch> delivered;
};

}  // namespace

TEST_CASE("an invalidation leaves behind the reply that was cached [T2]") {
  World world;
  TestClient client(world.node, 1);
  client.send("HELLO 3\r\n");
  CHECK(client.send("CLIENT TRACKING ON\r\n") == "+OK\r\n");
  CHECK(world.node.context.listening().tracker == &world.tracking());
  client.send("GET a\r\nGET b\r\n");
  const std::vector<Request> reads = client.forwarded();
  REQUIRE(reads.size() == 2);
  world.read(1, "a");
  world.change("a");
  ReplyBatch reply;
  reply.connection = 1;
  reply.bytes = "$1\r\nx\r\n";
  reply.parts = {{reads[0].slot, 0, static_cast<uint32_t>(reply.bytes.size())}};
  world.end_turn({reply});
  CHECK(world.give(client) == "$1\r\nx\r\n" + std::string(kOfA));
  CHECK(client.answer(reads[1].slot, "_\r\n") == "_\r\n");
}

TEST_CASE("commands are followed as CLIENT CACHING says, a block as a whole") {
  for (const bool opt_in : {true, false}) {
    World world;
    TestClient client(world.node, 1);
    client.send(opt_in ? "CLIENT TRACKING ON OPTIN\r\n" : "CLIENT TRACKING ON OPTOUT\r\n");
    const std::string mark = opt_in ? "CLIENT CACHING YES\r\n" : "CLIENT CACHING NO\r\n";
    client.send("GET a\r\n" + mark + "CLIENT ID\r\nGET b\r\nGET c\r\n" + mark +
                "PING\r\nGET d\r\n" + mark + "MULTI\r\nGET e\r\nGET f\r\nEXEC\r\nGET g\r\n");
    std::string followed;
    for (const Request& request : client.forwarded()) {
      followed += world.tracking().follows(1, request.slot) == opt_in ? '+' : '-';
    }
    CHECK(followed == "-+--+-");
  }
}

// What a block does here is done when EXEC's answer comes, behind the reads that it should follow.
TEST_CASE("what is followed cannot be changed in a block: it says so") {
  constexpr char kRefused[] = "-ERR Command not allowed inside a transaction\r\n";
  for (const std::string command : {"CLIENT TRACKING ON\r\n", "CLIENT CACHING YES\r\n"}) {
    World world;
    TestClient client(world.node, 1);
    client.send("CLIENT TRACKING ON OPTIN\r\nMULTI\r\n");
    CHECK(client.send(command) == kRefused);
    CHECK(client.send("GET a\r\n") == "+QUEUED\r\n");
    CHECK(client.send("EXEC\r\n").starts_with("-EXECABORT"));
    CHECK(client.forwarded().empty());
  }
}

TEST_CASE("CLIENT TRACKING waits for what stands before it") {
  World world;
  TestClient client(world.node, 1);
  CHECK(client.send("GET a\r\nCLIENT TRACKING ON\r\nGET b\r\n").empty());
  const std::vector<Request> first = client.forwarded();
  REQUIRE(first.size() == 1);
  CHECK_FALSE(world.tracking().any());
  CHECK(client.answer(first[0].slot, "$-1\r\n") == "$-1\r\n+OK\r\n");
  CHECK(world.tracking().any());
  CHECK(client.forwarded().size() == 1);
}

TEST_CASE("prefixes that overlap are found among very many, the first one is named") {
  World world;
  TestClient client(world.node, 1);
  auto turn_on = [&](size_t begin, size_t end, const std::vector<std::string>& more) {
    std::vector<std::string> words{"CLIENT", "TRACKING", "ON", "BCAST"};
    auto add = [&words](const std::string& prefix) {
      words.insert(words.end(), {"PREFIX", prefix});
    };
    for (size_t i = begin; i < end; ++i) {
      add(std::to_string(i));
    }
    std::ranges::for_each(more, add);
    std::string command = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      command += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return client.send(command);
  };
  auto refusal = [](const std::string& one, const std::string& which, const std::string& other) {
    return "-ERR Prefix '" + one + "' overlaps with " + which + " prefix '" + other +
           "'. Prefixes for a single client must not overlap.\r\n";
  };
  // Compared each with each, this would take minutes.
  CHECK(turn_on(100'000, 200'000, {}) == "+OK\r\n");
  CHECK(turn_on(200'000, 300'000, {"2500001", "1500001"}) ==
        refusal("250000", "another provided", "2500001"));
  CHECK(turn_on(200'000, 300'000, {"1500001"}) == refusal("1500001", "an existing", "150000"));
  CHECK(turn_on(200'000, 200'001, {"x", "x"}) == refusal("x", "another provided", "x"));
  CHECK(turn_on(200'000, 200'001, {"15"}) == refusal("15", "an existing", "150000"));
  CHECK(turn_on(200'000, 200'001, {"3"}) == "+OK\r\n");
}

TEST_CASE("with REDIRECT another connection is told, in RESP2 as a subscriber") {
  World world;
  TestClient client(world.node, 1);
  TestClient listener(world.node, 2);
  CHECK(client.send("CLIENT TRACKING ON REDIRECT 2\r\nCLIENT GETREDIR\r\n") == "+OK\r\n:2\r\n");
  const auto invalidate = [&] {
    world.read(1, "a");
    world.change("a");
    world.end_turn();
    CHECK(world.give(client).empty());
    return world.give(listener);
  };
  CHECK(invalidate().empty());  // RESP2 has no place for it
  listener.send("SUBSCRIBE __redis__:invalidate\r\n");
  CHECK(invalidate() == kMessageOfA);
  listener.send("RESET\r\nHELLO 3\r\n");
  CHECK(invalidate() == kOfA);
  CHECK(listener.send("CLIENT LIST ID 1\r\n").find("flags=t db=0") != std::string::npos);
  CHECK(listener.send("CLIENT LIST ID 1\r\n").find("redir=2 resp=2") != std::string::npos);
}

TEST_CASE("a redirection to nobody is told once something is to be told") {
  World world;
  TestClient client(world.node, 1);
  client.send("HELLO 3\r\n");
  {
    TestClient listener(world.node, 2);
    CHECK(client.send("CLIENT TRACKING ON REDIRECT 2\r\n") == "+OK\r\n");
  }
  world.read(1, "a");
  world.change("a");
  world.end_turn();
  CHECK(world.give(client) == ">2\r\n$21\r\ntracking-redir-broken\r\n:2\r\n");
  CHECK(client.send("CLIENT TRACKINGINFO\r\n").find("broken_redirect") != std::string::npos);
  CHECK(client.send("CLIENT LIST\r\n").find("flags=tR db=0") != std::string::npos);
}

TEST_CASE("whoever resets or leaves is followed no more") {
  World world;
  TestClient client(world.node, 1);
  {
    TestClient other(world.node, 2);
    other.send("CLIENT TRACKING ON BCAST\r\n");
    client.send("HELLO 3\r\nCLIENT TRACKING ON\r\n");
    CHECK(world.tracking().clients() == 2);
    CHECK(client.send("INFO clients\r\n").find("tracking_clients:2") != std::string::npos);
    CHECK(client.send("CLIENT LIST ID 2\r\n").find("flags=tB db=0") != std::string::npos);
  }
  CHECK(world.tracking().clients() == 1);
  CHECK(client.send("RESET\r\n") == "+RESET\r\n");
  CHECK_FALSE(world.tracking().any());
  CHECK(world.node.context.listening().tracker == nullptr);
}

TEST_CASE(
    "in the middle of a turn nothing leaves but a flush, which is said again behind it [T2, T5]") {
  World world;
  TestClient client(world.node, 1);
  client.send("HELLO 3\r\n");
  client.send("CLIENT TRACKING ON\r\n");
  const auto reply = [&] {
    client.send("GET a\r\n");
    ReplyBatch batch;
    batch.connection = 1;
    batch.bytes = "$3\r\nold\r\n";
    batch.parts = {{client.forwarded().at(0).slot, 0, static_cast<uint32_t>(batch.bytes.size())}};
    return batch;
  };
  const std::string everything = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
  Tracking::Sight sight{true, true, LogIndex{6}, LogIndex{5}, 300, true};
  world.read(1, "a");
  world.change("a");
  world.node.context.look_after_caches(sight, 100);
  CHECK(world.give(client).empty());
  world.end_turn({reply()});
  CHECK(world.give(client) == "$3\r\nold\r\n" + std::string(kOfA));
  world.read(1, "a");
  world.node.context.look_after_caches(sight, 400);  // the entry takes longer than it may
  CHECK(world.give(client) == everything);
  world.end_turn({reply()});
  CHECK(world.give(client) == "$3\r\nold\r\n" + everything);
  sight.applied = LogIndex{6};
  sight.rests = false;
  world.node.context.look_after_caches(sight, 500);
  world.end_turn();
  CHECK(world.give(client).empty());
}

TEST_CASE("a node that lost its leader tells its clients that everything may have changed [T5]") {
  World world;
  TestClient client(world.node, 1);
  client.send("HELLO 3\r\n");
  client.send("CLIENT TRACKING ON\r\n");
  Tracking::Sight sight{true, true, LogIndex{5}, LogIndex{5}, 300};
  world.node.context.look_after_caches(sight, 100);
  CHECK(world.give(client).empty());
  sight.knows_leader = false;
  world.node.context.look_after_caches(sight, 200);
  CHECK(world.give(client) == ">2\r\n$10\r\ninvalidate\r\n_\r\n");
}

}  // namespace kiwi::resp
