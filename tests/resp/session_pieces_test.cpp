// Replies in pieces at a session: in whose turn they leave, what they let through, what is told.
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/limits.hpp"
#include "resp/reply_slots.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/session pieces");

namespace {

constexpr size_t kPiece = config::limits::kReplyPieceBytes;

ReplyBatch piece(uint64_t slot, std::string bytes, bool more = true) {
  ReplyBatch batch;
  batch.connection = 7;
  batch.parts = {{slot, 0, static_cast<uint32_t>(bytes.size())}};
  batch.bytes = std::move(bytes);
  batch.more = more;
  batch.read = 99;
  return batch;
}

struct World {
  TestNode node;
  TestClient client{node};
  std::vector<Request> ask(const std::string& commands) {
    client.send(commands);
    return client.forwarded();
  }
  std::string give(const ReplyBatch& batch) {
    client.session.reply(batch, client.now_ms);
    return client.session.take_output();
  }
};

}  // namespace

TEST_CASE("pieces leave at once in their turn, and wait for it before [F45]") {
  World w;
  const auto requests = w.ask("GET a\r\nSMEMBERS s\r\nGET b\r\n");
  REQUIRE(requests.size() == 3);
  CHECK(w.give(piece(requests[1].slot, "*2\r\n")).empty());
  CHECK(w.client.answer(requests[2].slot, "$1\r\nb\r\n").empty());
  CHECK(w.client.answer(requests[0].slot, "$1\r\na\r\n") == "$1\r\na\r\n*2\r\n");
  CHECK(w.give(piece(requests[1].slot, "$1\r\n")) == "$1\r\n");
  CHECK(w.client.send("PING\r\n").empty());  // stands behind them
  CHECK(w.give(piece(requests[1].slot, "-\r\n$0\r\n\r\n", false)) ==
        "-\r\n$0\r\n\r\n$1\r\nb\r\n+PONG\r\n");
  CHECK(w.node.metrics.error_replies == 0);  // a piece may begin with any byte
  CHECK(w.client.session.idle());
}

TEST_CASE("a push never stands inside a reply [C5]") {
  ReplySlots slots;
  std::string output;
  const uint64_t first = slots.open(1, false, true);
  const uint64_t second = slots.open(1, false, true);
  slots.push('>', "0", output);
  CHECK(slots.piece(first, "aa", output));
  slots.push('>', "1", output);
  CHECK(slots.piece(first, "bb", output));
  CHECK(output == ">0aabb");
  CHECK(slots.piece(second, "cc", output));  // not its turn
  slots.push('>', "2", output);
  slots.answer(first, "dd", output);
  CHECK(output == ">0aabbdd>1>2cc");
  CHECK(slots.held_bytes() == 0);
  slots.push('>', "3", output);
  slots.answer(second, "ee", output);
  CHECK(output == ">0aabbdd>1>2ccee>3");
  slots.push('>', "4", output);
  CHECK(output == ">0aabbdd>1>2ccee>3>4");
  CHECK(slots.empty());
  // Nothing of a silent one leaves, so pushes need not wait for it.
  const uint64_t silent = slots.open(1, true, true);
  CHECK_FALSE(slots.piece(silent, "ff", output));
  slots.push('>', "5", output);
  slots.answer(silent, "gg", output);
  CHECK(output == ">0aabbdd>1>2ccee>3>4>5");
}

TEST_CASE("who makes a long reply hears what of it has left, not more and not less [F45]") {
  World w;
  const auto requests = w.ask("GET a\r\nSMEMBERS s\r\n");
  Session& session = w.client.session;
  CHECK_FALSE(session.take_taken());
  CHECK(w.give(piece(requests[1].slot, std::string(kPiece, 'x'))).empty());
  session.set_unsent_bytes(0);
  CHECK_FALSE(session.take_taken());  // it waits in its slot
  size_t unsent = w.client.answer(requests[0].slot, "$1\r\na\r\n").size();
  CHECK(unsent == kPiece + 7);
  session.set_unsent_bytes(unsent);
  CHECK_FALSE(session.take_taken());
  unsent += w.give(piece(requests[1].slot, std::string(kPiece, 'y'))).size();
  session.set_unsent_bytes(unsent - 1000);
  CHECK_FALSE(session.take_taken());  // too little to be told
  session.set_unsent_bytes(kPiece / 2);
  std::optional<ReplyTaken> taken = session.take_taken();
  REQUIRE(taken);
  CHECK(taken->read == 99);
  CHECK(taken->bytes == kPiece + kPiece / 2);
  session.set_unsent_bytes(0);
  taken = session.take_taken();
  REQUIRE(taken);
  CHECK(taken->bytes == kPiece / 2);
  CHECK_FALSE(session.take_taken());
  w.give(piece(requests[1].slot, "z", false));
  session.set_unsent_bytes(0);
  CHECK_FALSE(session.take_taken());  // it is over
}

TEST_CASE("what waits behind a long reply is not taken for the reply itself [F45]") {
  World w;
  const auto requests = w.ask("SMEMBERS s\r\n");
  Session& session = w.client.session;
  const std::string word(600'000, 'e');
  CHECK(w.client.send("*2\r\n$4\r\nECHO\r\n$600000\r\n" + word + "\r\n").empty());
  size_t unsent = w.give(piece(requests[0].slot, std::string(kPiece, 'x'))).size();
  CHECK(unsent == kPiece);
  session.set_unsent_bytes(unsent);
  CHECK_FALSE(session.take_taken());
  session.set_unsent_bytes(0);  // the client has read it, and what waits behind cannot leave
  const std::optional<ReplyTaken> taken = session.take_taken();
  REQUIRE(taken);
  CHECK(taken->bytes == kPiece);
  CHECK(w.give(piece(requests[0].slot, "z", false)) == "z$600000\r\n" + word + "\r\n");
}

TEST_CASE("a blocking command that finds much is answered in pieces, too [F45]") {
  World w;
  const auto requests = w.ask("XREAD BLOCK 0 STREAMS s 0\r\n");
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].kind == RequestKind::kBlocking);
  CHECK(w.client.send("PING\r\n").empty());  // not parsed yet
  CHECK(w.give(piece(requests[0].slot, "*1\r\n")) == "*1\r\n");
  CHECK(w.give(piece(requests[0].slot, "-rest\r\n", false)) == "-rest\r\n+PONG\r\n");
  CHECK(w.node.metrics.error_replies == 0);
  CHECK_FALSE(w.client.session.killed());
}

TEST_CASE("a reply that nobody wants has left at once") {
  World w;
  w.client.send("CLIENT REPLY OFF\r\n");
  const auto requests = w.ask("SMEMBERS s\r\n");
  REQUIRE(requests.size() == 1);
  CHECK(w.give(piece(requests[0].slot, std::string(kPiece, 'x'))).empty());
  const std::optional<ReplyTaken> taken = w.client.session.take_taken();
  REQUIRE(taken);
  CHECK(taken->bytes == kPiece);
  CHECK(w.give(piece(requests[0].slot, "z", false)).empty());
  CHECK(w.client.session.idle());
}

TEST_CASE("a reply that cannot be finished ends its connection [F45]") {
  World w;
  const auto requests = w.ask("SMEMBERS s\r\n");
  w.give(piece(requests[0].slot, "*2\r\n"));
  ReplyBatch lost;
  lost.connection = 7;
  lost.lost = true;
  w.client.session.reply(lost, w.client.now_ms);
  CHECK(w.client.session.killed());
}

TEST_SUITE_END();

}  // namespace kiwi::resp
