// What entries tell the outside: PUBLISH in blocks, and events of keys as redis-server 7.0 was
// recorded to send them (recorded/key_events.txt, written by record_events.py).
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words(1);
  for (const char c : line) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back().push_back(c);
    }
  }
  return words;
}

const ReceiverCounter kOne = [](bool, std::string_view) { return uint64_t{1}; };

Listening everybody() { return {true, {}, true, true, &kOne}; }

std::string text_of(const std::vector<OutwardEvent>& events) {
  std::string text;
  for (const OutwardEvent& event : events) {
    text += (text.empty() ? "" : ", ") + std::to_string(event.database) + " " + event.channel +
            " " + event.message;
  }
  return text;
}

std::string block(const std::vector<std::vector<std::string>>& commands) {
  std::vector<std::string> bytes;
  for (const auto& argv : commands) {
    bytes.push_back(packed(argv));
  }
  std::string out;
  pack_transaction(out, 0, {}, bytes);
  return out;
}

struct Outside {
  Outside() {
    node.executor().listen(everybody());
    node.start();
  }
  // What one entry with this command tells.
  std::vector<OutwardEvent> events(const std::string& packed_command) {
    node.log().batch(node.next_number(), {packed_command});
    return node.deliver().outward;
  }
  void choose(const std::string& classes) {
    events(packed({"kiwi.setting", "notify-keyspace-events", classes}));
  }
  rocks::MemoryKeyspace keyspace;
  Node node{keyspace};
};

}  // namespace

TEST_CASE("a block's messages are told in order, once it is committed") {
  Outside outside;
  const auto events =
      outside.events(block({{"PUBLISH", "a", "1"}, {"SET", "k", "v"}, {"SPUBLISH", "b", "2"}}));
  REQUIRE(events.size() == 2);
  CHECK(events[0] == OutwardEvent{OutwardEvent::Kind::kPublish, 0, "a", "1", 0});
  CHECK(events[1] == OutwardEvent{OutwardEvent::Kind::kShardPublish, 0, "b", "2", 0});
}

TEST_CASE("what was undone is not told [F30]") {
  Outside outside;
  outside.choose("KEA");
  const auto events = outside.events(block({{"kiwi.test.fail", "k"}, {"SET", "l", "v"}}));
  CHECK(text_of(events) == "0 set l");
}

TEST_CASE("entries before the node served, and entries without listeners, tell nothing") {
  Outside outside;
  outside.choose("KEA");
  Listening listening = everybody();
  listening.after = outside.node.executor().applied() + 1;
  outside.node.executor().listen(listening);
  CHECK(outside.events(block({{"PUBLISH", "a", "1"}, {"SET", "k", "v"}})).empty());
  CHECK(outside.events(block({{"PUBLISH", "a", "1"}, {"SET", "k", "v"}})).size() == 2);
  listening.live = false;
  outside.node.executor().listen(listening);
  CHECK(outside.events(block({{"PUBLISH", "a", "1"}, {"SET", "k", "v"}})).empty());
  outside.node.executor().listen({true, {}, false, false, &kOne});
  CHECK(outside.events(block({{"PUBLISH", "a", "1"}, {"SET", "k", "v"}})).empty());
}

TEST_CASE("who listens changes nothing in the state [F34]") {
  Outside heard;
  Outside alone;
  alone.node.executor().listen({});
  for (Outside* outside : {&heard, &alone}) {
    outside->choose("KEA");
    outside->events(block({{"PUBLISH", "a", "1"}, {"SET", "k", "v"}, {"DEL", "k"}}));
  }
  CHECK(heard.node.executor().state_checksum() == alone.node.executor().state_checksum());
}

TEST_CASE("an event goes to the channels that the letters name") {
  Outside outside;
  outside.choose("K$");
  CHECK(outside.events(packed({"SET", "k", "v"}))[0].to == config::kKeyspaceChannel);
  CHECK(outside.events(packed({"DEL", "k"})).empty());
  outside.choose("Eg");
  CHECK(outside.events(packed({"SET", "k", "v"})).empty());
  CHECK(outside.events(packed({"DEL", "k"}))[0].to == config::kKeyeventChannel);
  outside.choose("g");
  CHECK(outside.events(packed({"DEL", "k"})).empty());
}

TEST_CASE("a read that finds nothing tells of it on its node, if somebody asked") {
  Outside outside;
  const auto read = [&](const std::string& key) {
    return outside.node.read_effects(packed({"GET", key})).outward;
  };
  outside.choose("KEA");
  CHECK(read("none").empty());  // m is not one of A
  outside.choose("Em");
  outside.events(packed({"SET", "k", "v"}));
  CHECK(text_of(read("none")) == "0 keymiss none");
  CHECK(read("k").empty());
  CHECK(text_of(outside.events(packed({"GETDEL", "none"}))) == "0 keymiss none");
  outside.node.executor().listen({true, {}, true, false, &kOne});
  CHECK(read("none").empty());
}

TEST_CASE("commands behind CONFIG SET in its entry tell as it says") {
  Outside outside;
  outside.node.log().batch(
      outside.node.next_number(),
      {packed({"SET", "j", "v"}), packed({"kiwi.setting", "notify-keyspace-events", "KEA"}),
       packed({"SET", "k", "v"})});
  CHECK(text_of(outside.node.deliver().outward) == "0 set k");
}

// The lines of redis-server 7.0.15's MONITOR for this script have these databases and words.
TEST_CASE("what a script calls is told where its client waits, if somebody monitors") {
  const std::vector<std::string> script{
      "EVAL",
      "redis.call('set','q','1'); redis.call('select',2); redis.pcall('get','x'); "
      "return redis.call('ping')",
      "0"};
  const auto calls_of = [](const std::vector<OutwardEvent>& events) {
    std::string text;
    for (const OutwardEvent& event : events) {
      CHECK(event.kind == OutwardEvent::Kind::kScriptCall);
      PackedCommand call;
      REQUIRE(unpack_command(event.message, call));
      text += "[" + std::to_string(event.database) + "]";
      for (const std::string_view word : call.args) {
        text += " " + std::string(word);
      }
      text += "\n";
    }
    return text;
  };
  Outside outside;
  Node& node = outside.node;
  const auto asked_here = [&] {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = node.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, 0}, RequestKind::kWrite, 2, {}});
    node.executor().expect(batch);
    node.log().batch(number, {packed(script)});
    return node.deliver().outward;
  };
  CHECK(asked_here().empty());  // nobody monitors
  Listening listening = everybody();
  listening.monitors = true;
  node.executor().listen(listening);
  CHECK(outside.events(packed(script)).empty());  // nobody waits
  CHECK(calls_of(asked_here()) == "[0] set q 1\n[2] select 2\n[2] get x\n[2] ping\n");
  CHECK(calls_of(
            node.read_effects(packed({"EVAL_RO", "return redis.call('get','q')", "0"})).outward) ==
        "[0] get q\n");
}

TEST_CASE("a key whose time is over is told of by the entry that removes it") {
  Outside outside;
  outside.choose("KEA");
  outside.events(packed({"SET", "k", "v", "PX", "10"}));
  outside.node.clock() += 11;
  CHECK(text_of(outside.events(packed({"kiwi.expire", "10"}))) == "0 expired k");
  outside.events(packed({"SET", "k", "v", "PX", "10"}));
  outside.node.clock() += 11;
  CHECK(text_of(outside.events(packed({"SADD", "k", "a"}))) == "0 expired k, 0 sadd k");
}

TEST_CASE("every command tells of its keys what redis-server 7.0 tells, in the same order") {
  std::ifstream in(std::string(KIWI_SOURCE_DIR) + "/tests/resp/recorded/key_events.txt");
  REQUIRE(in.is_open());
  Outside outside;
  outside.choose("KEAn");
  std::string command;
  std::vector<OutwardEvent> events;
  size_t checked = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(">")) {
      command = line.substr(2);
      events = outside.events(packed(words_of(command)));
    } else if (line.starts_with("!")) {
      CAPTURE(command);
      CHECK(text_of(events) == (line.size() > 2 ? line.substr(2) : ""));
      ++checked;
    }
  }
  CHECK(checked > 100);
}

}  // namespace kiwi::resp
