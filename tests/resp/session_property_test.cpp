// Random pipelines against a model of what must come back, and garbage against the session's walls.
#include <algorithm>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

// A client that pipelines commands of both kinds while answers come late and in any order. The
// answer of "GET <n>" is made up as "+<n>"; inside MULTI, EXEC's is the array of those.
class Pipeline {
 public:
  explicit Pipeline(uint64_t seed) : random_(seed), client_(node_) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      if (random_.below(3) != 0) {
        receive_pieces(next_command());
      } else {
        answer_one();
      }
    }
    while (client_.session.state().slots.size() > 0 || !pending_.empty()) {
      answer_one();
    }
    CHECK(received_ == expected_);
    CHECK(client_.session.idle());
  }

 private:
  std::string next_command() {
    std::string n = std::to_string(next_++);
    if (in_block_) {
      return block_command(n);
    }
    switch (random_.below(8)) {
      case 0:
        in_block_ = true;
        block_replies_.clear();
        expected_ += "+OK\r\n";
        return "MULTI\r\n";
      case 1:
        expected_ += "$" + std::to_string(n.size()) + "\r\n" + n + "\r\n";
        return "ECHO " + n + "\r\n";
      case 2:
        expected_ += "-ERR unknown command 'x" + n + "', with args beginning with: \r\n";
        return "x" + n + "\r\n";
      case 3:
        expected_ += "+OK\r\n";
        return "WATCH a\r\n";
      case 4:
        return "CLIENT REPLY SKIP\r\nGET " + n + "\r\n";
      default:
        expected_ += "+" + n + "\r\n";
        return "GET " + n + "\r\n";
    }
  }

  std::string block_command(const std::string& n) {
    switch (random_.below(5)) {
      case 0:
        in_block_ = false;
        expected_ += "*" + std::to_string(block_replies_.size()) + "\r\n";
        for (const std::string& reply : block_replies_) {
          expected_ += reply;
        }
        return "EXEC\r\n";
      case 1:
        block_replies_.push_back("$" + std::to_string(n.size()) + "\r\n" + n + "\r\n");
        expected_ += "+QUEUED\r\n";
        return "ECHO " + n + "\r\n";
      default:
        block_replies_.push_back("+" + n + "\r\n");
        expected_ += "+QUEUED\r\n";
        return "GET " + n + "\r\n";
    }
  }

  void receive_pieces(std::string_view bytes) {
    while (!bytes.empty()) {
      size_t size = 1 + random_.below(bytes.size());
      received_ += client_.send(std::string(bytes.substr(0, size)));
      bytes.remove_prefix(size);
    }
    take_forwarded();
  }

  void take_forwarded() {
    for (const Request& request : client_.forwarded()) {
      pending_.push_back(request);
    }
  }

  void answer_one() {
    take_forwarded();
    if (pending_.empty()) {
      return;
    }
    size_t at = random_.below(pending_.size());
    Request request = pending_[at];
    pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(at));
    received_ += client_.answer(request.slot, answer_to(request));
    take_forwarded();
  }

  std::string answer_to(const Request& request) {
    if (request.kind == RequestKind::kWatch) {
      return "+OK\r\n";
    }
    PackedCommand command = client_.unpacked(request);
    if (command.kind == PackedKind::kPlain) {
      return "+" + std::string(command.args[1]) + "\r\n";
    }
    std::string out = "*" + std::to_string(command.commands.size()) + "\r\n";
    for (std::string_view packed : command.commands) {
      PackedCommand one;
      REQUIRE(unpack_command(packed, one));
      out += "+" + std::string(one.args[1]) + "\r\n";
    }
    return out;
  }

  Prng random_;
  TestNode node_;
  TestClient client_;
  std::vector<Request> pending_;
  std::vector<std::string> block_replies_;
  bool in_block_ = false;
  uint64_t next_ = 0;
  std::string expected_;
  std::string received_;
};

// Words that reach into every corner of the session, now and then broken.
std::string garbage(Prng& random) {
  const std::string_view kWords[] = {
      "MULTI",   "EXEC",    "DISCARD", "WATCH", "UNWATCH", "GET",    "SET",     "PING",   "ECHO",
      "CLIENT",  "LIST",    "KILL",    "ID",    "REPLY",   "SKIP",   "SETNAME", "CONFIG", "GET",
      "HELLO",   "2",       "3",       "AUTH",  "RESET",   "SELECT", "7",       "-1",     "a",
      "COMMAND", "GETKEYS", "INFO",    "raft",  "DOCS",    "\"",     "'x'",     "\r",     "\\x"};
  std::string out;
  for (size_t i = 0; i < 1 + random.below(6); ++i) {
    size_t argc = 1 + random.below(4);
    bool array = random.below(2) == 0;
    out += array ? "*" + std::to_string(argc) + "\r\n" : "";
    for (size_t arg = 0; arg < argc; ++arg) {
      std::string_view word = kWords[random.below(std::size(kWords))];
      out += array ? "$" + std::to_string(word.size()) + "\r\n" : "";
      out += word;
      out += array ? "\r\n" : " ";
    }
    out += array ? "" : "\r\n";
  }
  if (random.below(4) == 0) {
    out[random.below(out.size())] = static_cast<char>(random.next());
  }
  return out;
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("random pipelines get their replies in order, whatever comes late") {
    for (uint64_t seed = 1; seed <= 150; ++seed) {
      CAPTURE(seed);
      Pipeline(seed).run(200);
    }
  }

  TEST_CASE("whatever is sent, a session answers in whole replies or closes") {
    for (uint64_t seed = 1; seed <= 400; ++seed) {
      CAPTURE(seed);
      Prng random(seed);
      TestNode node;
      node.options.requirepass = random.below(4) == 0 ? "a" : "";
      TestClient client(node, 7);
      TestClient other(node, 8);
      std::string out;
      for (int i = 0; i < 20 && client.session.wants_more_input(); ++i) {
        out += client.send(garbage(random));
        for (const Request& request : client.forwarded()) {
          out += client.answer(request.slot, random.below(2) == 0 ? "$-1\r\n" : "-ERR no\r\n");
        }
      }
      while (!out.empty()) {
        size_t size = reply_size(out);
        REQUIRE(size > 0);
        out.erase(0, size);
      }
      CHECK((other.session.killed() || other.send("PING\r\n") != ""));
    }
  }
}

}  // namespace kiwi::resp
