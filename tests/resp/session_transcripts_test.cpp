// Replies byte for byte as a redis-server 7.0 gave them: tests/resp/transcripts/*.txt, written by
// record.py there. Each conversation runs twice: as sent, and a byte at a time.
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

int hex(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::string unescape(std::string_view text, std::string_view id) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("{id}")) {
      out += id;
      i += 3;
    } else if (text.substr(i).starts_with("{time}")) {  // TestNode's
      out += "1700000000.123456";
      i += 5;
    } else if (text.substr(i).starts_with("{address}")) {
      out += "127.0.0.1:5000" + std::string(id);
      i += 8;
    } else if (text[i] != '\\') {
      out += text[i];
    } else if (text[++i] == 'x') {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == 'r' ? '\r' : text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
    }
  }
  return out;
}

struct Exchange {
  std::string sent;
  std::string answered;
  bool closed = false;
};
struct Conversation {
  std::string name;
  bool password = false;
  bool debug = false;
  std::vector<Exchange> exchanges;
};

std::vector<Conversation> read_conversations(const std::string& file) {
  std::ifstream in(std::string(KIWI_SOURCE_DIR) + "/tests/resp/transcripts/" + file);
  REQUIRE(in.good());
  std::vector<Conversation> out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("= ")) {
      bool password = line.ends_with(" requirepass");
      out.push_back({line.substr(2), password, line.ends_with(" debug"), {}});
    } else if (line.starts_with("> ")) {
      out.back().exchanges.push_back({unescape(line.substr(2), "7"), "", false});
    } else if (line.starts_with("< ")) {
      out.back().exchanges.back().answered = unescape(line.substr(2), "7");
    } else if (line.starts_with("! closed")) {
      out.back().exchanges.back().closed = true;
    }
  }
  return out;
}

void replay(const Conversation& conversation, bool byte_by_byte, Face face) {
  TestNode node;
  node.options.requirepass = conversation.password ? "secret" : "";
  node.options.enable_debug_command =
      conversation.debug ? config::DebugAccess::kYes : config::DebugAccess::kNo;
  TestClient client(node, 7, face);
  for (const Exchange& exchange : conversation.exchanges) {
    CAPTURE(exchange.sent);
    std::string answered;
    if (byte_by_byte) {
      for (char c : exchange.sent) {
        answered += client.send(std::string(1, c));  // a fresh buffer each time: no view survives
      }
    } else {
      answered = client.send(exchange.sent);
    }
    CHECK(answered == exchange.answered);
    CHECK(client.session.closing() == exchange.closed);
    CHECK(client.forwarded().empty());
  }
}

void replay_file(const std::string& file, Face face = Face::kStandalone) {
  std::vector<Conversation> conversations = read_conversations(file);
  REQUIRE(!conversations.empty());
  for (const Conversation& conversation : conversations) {
    CAPTURE(conversation.name);
    replay(conversation, false, face);
    replay(conversation, true, face);
  }
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("connection, client, config and command answer as Redis 7.0 does") {
    replay_file("connection.txt");
  }
  TEST_CASE("the protocol's corners are those of Redis 7.0") { replay_file("protocol.txt"); }
  TEST_CASE("MULTI and EXEC of local commands answer as Redis 7.0 does") {
    replay_file("transaction.txt");
  }
  TEST_CASE("what does not depend on the cluster's shape is said as a Redis Cluster node says it") {
    replay_file("cluster.txt", Face::kCluster);
  }
  TEST_CASE("a Sentinel's port knows what redis-sentinel knows, and refuses what it refuses") {
    replay_file("sentinel.txt", Face::kSentinel);
  }
  TEST_CASE("subscribers and publishers of one connection are answered as by Redis 7.0") {
    replay_file("pubsub.txt");
  }
  TEST_CASE("SLOWLOG and LATENCY are answered as by Redis 7.0") { replay_file("latency.txt"); }
  TEST_CASE("MEMORY, MODULE and OBJECT answer tools as Redis 7.0 does") {
    replay_file("introspection.txt");
  }
  TEST_CASE("CLIENT TRACKING is answered as by Redis 7.0") { replay_file("tracking.txt"); }
  TEST_CASE("a monitor gets Redis 7.0's lines, behind its own replies") {
    replay_file("monitor.txt");
  }
  TEST_CASE("LOLWUT, DEBUG, and what operators ask wrongly are answered as by Redis 7.0") {
    replay_file("server.txt");
    replay_file("debug.txt");
  }
  TEST_CASE("COMMAND INFO and DOCS say of every command what Redis 7.0 says") {
    replay_file("command_table.txt");
  }
}

}  // namespace kiwi::resp
