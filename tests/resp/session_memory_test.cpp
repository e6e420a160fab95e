// What clients can make a node hold: together (maxmemory-clients), one by what it asks, and in
// blocks and watched keys.
#include <ctime>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

constexpr size_t kMiB = 1 << 20;

std::string as_array(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return out;
}

// A SET whose value never ends.
std::string half_command(size_t bytes) {
  return "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n" + std::string(bytes, 'v');
}

struct Limited {
  explicit Limited(int64_t bytes) { node.options.maxmemory_clients = {bytes, 0}; }

  TestClient& client(ConnectionId id) {
    return *clients.emplace_back(std::make_unique<TestClient>(node, id));
  }
  uint64_t used() const { return node.context.client_memory.used(); }

  TestNode node;
  std::vector<std::unique_ptr<TestClient>> clients;
};

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("what idle connections cost is little, whatever they did before [F47]") {
    Limited limited(0);
    constexpr ConnectionId kClients = 1000;
    for (ConnectionId id = 1; id <= kClients; ++id) {
      TestClient& client = limited.client(id);
      std::string pings;
      for (int i = 0; i < 300; ++i) {
        pings += as_array({"PING", std::string(200, 'p')});
      }
      client.send(as_array({"GET", "k"}) + pings);
      client.answer(client.forwarded()[0].slot, "$-1\r\n");
      client.send(pings.substr(0, pings.size() - 1));  // ends in the middle of a line
      client.send("\n");
    }
    for (auto& client : limited.clients) {
      client->session.tick(client->now_ms + 3000);
    }
    CHECK(limited.used() / kClients < 2048);
    limited.clients.clear();
    CHECK(limited.used() == 0);
  }

  TEST_CASE("many clients, each below its own bounds, stay below the node's together [F47]") {
    constexpr size_t kLimit = 4 * kMiB;
    Limited limited(kLimit);
    TestClient& small = limited.client(1);
    TestClient& heavy = limited.client(2);
    small.send(as_array({"SET", "k", "v"}));
    heavy.send(half_command(kMiB));
    for (ConnectionId id = 3; id < 50; ++id) {
      limited.client(id).send(half_command(200'000));
      CHECK(limited.used() <= kLimit);
    }
    REQUIRE(!limited.node.closed.empty());
    CHECK(limited.node.closed[0] == 2);  // it held most
    CHECK(heavy.session.killed());
    CHECK(!small.session.killed());
    CHECK(small.answer(small.forwarded()[0].slot, "+OK\r\n") == "+OK\r\n");
    CHECK(limited.node.metrics.evicted_clients == limited.node.closed.size());
    CHECK(limited.used() > kLimit / 2);  // no more were closed than had to be
  }

  TEST_CASE("unanswered commands, replies, blocks and tokens count for the node's bound [F47]") {
    Limited limited(2 * kMiB);
    TestClient& other = limited.client(1);
    TestClient& client = limited.client(2);
    const std::string big(kMiB - 200'000, 'x');
    other.send(half_command(kMiB + 300'000));
    SUBCASE("a command that waits for its answer") { client.send(as_array({"SET", "k", big})); }
    SUBCASE("a reply that waits for its turn") {
      client.send(as_array({"GET", "a"}) + as_array({"GET", "b"}));
      client.answer(client.forwarded()[1].slot,
                    "$" + std::to_string(big.size()) + "\r\n" + big + "\r\n");
    }
    SUBCASE("a reply that the socket does not take") {
      client.session.set_unsent_bytes(big.size());
    }
    SUBCASE("a block") { client.send("MULTI\r\n" + as_array({"SET", "k", big})); }
    SUBCASE("local commands of a block that is executed") {
      client.send("MULTI\r\nSET k v\r\n" + as_array({"PING", big}) + "EXEC\r\n");
    }
    SUBCASE("watched keys") {
      client.send(as_array({"WATCH", big}));
      client.answer(client.forwarded()[0].slot, "+OK\r\n", {{0, 1, big, true, 1}});
    }
    CHECK(limited.node.closed == std::vector<ConnectionId>{1});
    CHECK(!client.session.killed());
    CHECK(limited.used() > big.size());
  }

  TEST_CASE("who said CLIENT NO-EVICT on stays, the others go instead [F47]") {
    Limited limited(kMiB);
    TestClient& kept = limited.client(1);
    CHECK(kept.send("CLIENT NO-EVICT on\r\n") == "+OK\r\n");
    kept.send(half_command(900'000));
    limited.client(2).send(half_command(400'000));
    CHECK(!kept.session.killed());
    CHECK(limited.node.closed == std::vector<ConnectionId>{2});
    kept.send(std::string(400'000, 'v'));  // nobody else is left
    CHECK(!kept.session.killed());
  }

  TEST_CASE("when room is scarce deep pipelines wait for answers, small ones do not [F47]") {
    Limited limited(4 * kMiB);
    TestClient& greedy = limited.client(1);
    TestClient& deep = limited.client(2);
    TestClient& small = limited.client(3);
    greedy.send(half_command(3 * kMiB + 200'000));
    std::string stream;
    for (int i = 0; i < 200; ++i) {
      stream += as_array({"SET", "k" + std::to_string(i), std::string(2000, 'v')});
    }
    size_t forwarded = 0;
    size_t most = 0;
    for (int turns = 0; forwarded < 200; ++turns) {
      REQUIRE(turns < 200);
      if (deep.session.wants_more_input() && !stream.empty()) {
        const std::string piece = stream.substr(0, 64 << 10);
        stream.erase(0, piece.size());
        deep.send(piece);
      }
      const std::vector<Request> requests = deep.forwarded();
      most = std::max(most, requests.size());
      forwarded += requests.size();
      for (const Request& request : requests) {
        deep.answer(request.slot, "+OK\r\n");
      }
    }
    CHECK(most <= 34);  // 64 KiB of them
    small.send(as_array({"GET", "a"}));
    CHECK(small.session.wants_more_input());
    CHECK(limited.node.closed.empty());
  }

  TEST_CASE("CONFIG SET puts a smaller bound into force, and INFO shows it") {
    Limited limited(0);
    TestClient& client = limited.client(1);
    limited.client(2).send(half_command(3 * kMiB));
    CHECK(client.send("INFO memory\r\n").find("maxmemory_clients:0\r\n") != std::string::npos);
    CHECK(client.send("CONFIG SET maxmemory-clients 2mb\r\n") == "+OK\r\n");
    CHECK(limited.node.closed == std::vector<ConnectionId>{2});
    CHECK(client.send("INFO memory\r\n").find("maxmemory_clients:2097152\r\n") !=
          std::string::npos);
    limited.node.context.machine_bytes = 200 * kMiB;
    CHECK(client.send("CONFIG SET maxmemory-clients 5%\r\n") == "+OK\r\n");
    CHECK(client.send("INFO memory\r\n").find("maxmemory_clients:10485760\r\n") !=
          std::string::npos);
    CHECK(client.send("INFO stats\r\n").find("evicted_clients:1\r\n") != std::string::npos);
  }

  TEST_CASE("a command of a million empty arguments counts with what it holds [F47]") {
    TestNode node;
    node.options.client_query_buffer_limit = 8 * kMiB;
    TestClient client(node);
    client.send("*1048576\r\n$3\r\nSET\r\n");
    std::string arguments;
    for (int i = 0; i < 10'000; ++i) {
      arguments += "$0\r\n\r\n";
    }
    for (int i = 0; i < 100 && !client.session.killed(); ++i) {
      client.send(arguments);
    }
    CHECK(client.session.killed());
    CHECK(node.metrics.query_limit_disconnections == 1);
  }

  TEST_CASE("what the session itself answers is bounded, whatever is asked for [F45]") {
    TestNode node;
    TestClient client(node);
    std::vector<std::string> words{"COMMAND", "INFO"};
    words.insert(words.end(), 200'000, "cluster");
    const std::string_view refused = "-ERR the reply would be too large";
    SUBCASE("COMMAND INFO") { CHECK(client.send(as_array(words)).starts_with(refused)); }
    SUBCASE("COMMAND INFO, a few times the same") {
      words.resize(5);
      CHECK(client.send(as_array(words)).starts_with("*3\r\n"));
    }
    SUBCASE("behind a command that is not answered yet") {
      CHECK(client.send(as_array({"GET", "k"}) + as_array(words)).empty());
      CHECK(client.session.state().slots.held_bytes() < kMiB);
      CHECK(client.answer(client.forwarded()[0].slot, "$-1\r\n")
                .starts_with("$-1\r\n" + std::string(refused)));
    }
    SUBCASE("COMMAND DOCS: each once") {
      words[1] = "DOCS";
      const std::string many = client.send(as_array(words));
      CHECK(many == client.send("COMMAND DOCS cluster\r\n"));
    }
    SUBCASE("CLIENT LIST: each once") {
      words.assign({"CLIENT", "LIST", "ID"});
      words.insert(words.end(), 200'000, "7");
      CHECK(client.send(as_array(words)).size() < 1000);
    }
    SUBCASE("a large ECHO is not refused") {
      CHECK(client.send(as_array({"ECHO", std::string(17 * kMiB, 'e')})).size() > 17 * kMiB);
    }
    SUBCASE("a block") {
      client.send("MULTI\r\n");
      std::string block;
      for (int i = 0; i < 1000; ++i) {
        block += "COMMAND\r\n";
      }
      client.send(block + "CLIENT SETNAME me\r\n");
      const std::string all = client.send("EXEC\r\n");
      CHECK(all.size() < 17 * kMiB);
      CHECK(all.size() > kMiB);
      CHECK(all.find(refused) != std::string::npos);
      CHECK(all.ends_with("\r\n+OK\r\n"));
      CHECK(client.send("CLIENT GETNAME\r\n") == "$2\r\nme\r\n");
    }
    SUBCASE("a block with other commands") {
      client.send("MULTI\r\nGET k\r\n");
      std::string block;
      for (int i = 0; i < 1000; ++i) {
        block += "COMMAND\r\n";
      }
      client.send(block + "EXEC\r\n");
      const std::string all = client.answer(client.forwarded()[0].slot, "*1\r\n$-1\r\n");
      CHECK(all.size() < 17 * kMiB);
      CHECK(all.starts_with("*1001\r\n$-1\r\n"));
      CHECK(all.find(refused) != std::string::npos);
    }
  }

  TEST_CASE("local commands of a block count with what they hold [F47][F50]") {
    Limited limited(0);
    TestClient& client = limited.client(1);
    std::vector<std::string> words{"COMMAND", "INFO"};
    words.resize(200'000);
    client.send("MULTI\r\n");
    const uint64_t before = limited.used();
    CHECK(client.send(as_array(words)) == "+QUEUED\r\n");
    CHECK(limited.used() - before >= words.size() * sizeof(std::string));
    limited.node.options.raft_max_entry_size = kMiB;  // and for the block's own bound
    CHECK(client.send(as_array(words)).starts_with("-ERR transaction is larger"));
    CHECK(limited.used() <= before + 1000);
  }

  TEST_CASE("inline arguments in quotes count, and are given back [F47]") {
    Limited limited(0);
    TestClient& client = limited.client(1);
    std::string line = "GET";
    for (int i = 0; i < 20'000; ++i) {
      line += " \"\"";
    }
    client.send(line + "\r\n");
    RequestParser parser;
    const std::string quoted = "GET \"" + std::string(60'000, 'x') + "\"\r\n";
    parser.feed(quoted);
    CHECK(parser.next() == RequestParser::Event::kCommand);
    CHECK(parser.held_bytes() >= 60'000);
    parser.keep_rest();
    CHECK(parser.held_bytes() < 1000);
  }

  TEST_CASE("watched keys that no entry could hold are refused, and EXEC does nothing then [F50]") {
    TestNode node;
    node.options.raft_max_entry_size = kMiB;
    TestClient client(node);
    const std::string a(600'000, 'a');
    const std::string b(600'000, 'b');
    auto watch = [&](const std::string& key) {
      client.send(as_array({"WATCH", key}));
      const std::vector<Request> requests = client.forwarded();
      REQUIRE(requests.size() == 1);
      CHECK(client.answer(requests[0].slot, "+OK\r\n", {{0, 1, key, true, 1}}) == "+OK\r\n");
    };
    watch(a);
    watch(a);  // known: nothing is added
    SUBCASE("WATCH says why") {
      CHECK(client.send(as_array({"WATCH", b}))
                .starts_with("-ERR the watched keys are larger than raft.max-entry-size"));
      CHECK(client.forwarded().empty());
      CHECK(client.send("MULTI\r\nSET k v\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n*-1\r\n");
      CHECK(client.forwarded().empty());
    }
    SUBCASE("UNWATCH makes room") {
      client.send(as_array({"WATCH", b}));
      CHECK(client.send("UNWATCH\r\n") == "+OK\r\n");
      watch(b);
      client.send("MULTI\r\nSET k v\r\nEXEC\r\n");
      CHECK(client.forwarded().size() == 1);
    }
    SUBCASE("the block counts with its tokens") {
      CHECK(client.send("MULTI\r\n") == "+OK\r\n");
      CHECK(client.send(as_array({"SET", "k", b}))
                .starts_with("-ERR transaction is larger than raft.max-entry-size"));
      CHECK(client.send("EXEC\r\n").starts_with("-EXECABORT"));
      CHECK(client.forwarded().empty());
    }
    SUBCASE("one WATCH of too much") {
      CHECK(client.send(as_array({"WATCH", b, "c", std::string(600'000, 'c')}))
                .starts_with("-ERR the watched keys"));
      CHECK(client.forwarded().empty());
    }
  }

  TEST_CASE("to watch one more key costs the same whatever is watched already [F50]") {
    TestNode node;
    TestClient client(node);
    constexpr int kKeys = 100'000;
    std::vector<std::string> words{"WATCH"};
    std::vector<WatchToken> tokens;
    for (int i = 0; i < kKeys; ++i) {
      words.push_back("key:" + std::to_string(i));
      tokens.push_back({0, 1, words.back(), true, 1});
    }
    client.send(as_array(words));
    client.answer(client.forwarded()[0].slot, "+OK\r\n", tokens);
    const std::clock_t begin = std::clock();
    for (int i = 0; i < 500; ++i) {
      client.send(as_array({"WATCH", "key:7"}));
      client.answer(client.forwarded()[0].slot, "+OK\r\n", {{0, 1, "key:7", true, 2}});
    }
    CHECK((std::clock() - begin) / (CLOCKS_PER_SEC / 1000) < 1000);
    client.send("MULTI\r\nSET k v\r\nEXEC\r\n");
    const PackedCommand block = client.unpacked(client.forwarded()[0]);
    CHECK(block.tokens.size() == kKeys);
    CHECK(std::ranges::all_of(block.tokens, [](const WatchToken& t) { return t.counter == 1; }));
  }

  TEST_CASE("used_memory sees what the process takes, from whichever allocator it comes") {
    const ProcessUsage before = read_process_usage();
    CHECK(!before.allocator.empty());
    const std::string held(100 * kMiB, 'x');
    const ProcessUsage after = read_process_usage();
    CHECK(after.heap_bytes - before.heap_bytes >= held.size());
    CHECK(after.heap_bytes - before.heap_bytes < held.size() + 10 * kMiB);
    // And it is what the operating system gave: every page of the string was written.
    const uint64_t resident = after.resident_bytes - before.resident_bytes;
    CHECK(resident > held.size() - 10 * kMiB);
    CHECK(resident < held.size() + 10 * kMiB);
    CHECK(machine_memory_bytes() > held.size());
    CHECK(machine_memory_bytes() <= after.system_bytes);
  }
}

}  // namespace kiwi::resp
