// Fragments: long messages in parts, urgent ones between them, bounded memory (F29).
#include "actors/peers/fragments.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "config/base/prng.hpp"

namespace kiwi::actors {
namespace {

constexpr GroupId kGroup{7};

constexpr FragmentLimits kSmall{100, 200, 5000, 3000};

std::string filled(size_t size, char c) { return std::string(size, c); }

// Delivers what the sender lets go, acks included, until nothing moves.
std::vector<std::string> pump(LinkSender& sender, LinkReceiver& receiver) {
  std::vector<std::string> arrived;
  while (auto frame = sender.next()) {
    auto outcome = receiver.receive(std::move(*frame));
    REQUIRE_FALSE(outcome.broken);
    if (outcome.message) {
      arrived.push_back(std::move(*outcome.message));
    }
    if (outcome.ack) {
      const auto received = decode_ack(encode_ack(*outcome.ack));
      REQUIRE(received.has_value());
      sender.acked(*received);
    }
  }
  return arrived;
}

}  // namespace

TEST_CASE("messages of any size arrive whole and in order [F29]") {
  LinkSender sender(kSmall);
  LinkReceiver receiver(kSmall);
  Prng prng(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> sent;
    for (int i = 0; i < 3; ++i) {
      std::string message = filled(1 + prng.below(900), static_cast<char>('a' + i));
      sent.push_back(message);
      REQUIRE(sender.queue(kGroup, std::move(message), false));
    }
    CHECK(pump(sender, receiver) == sent);
    CHECK(sender.queued_bytes() == 0);
  }
}

TEST_CASE("an urgent message overtakes a long one between two of its parts [F29]") {
  LinkSender sender(kSmall);
  LinkReceiver receiver(kSmall);
  REQUIRE(sender.queue(kGroup, filled(1000, 'x'), false));
  auto first = sender.next();
  REQUIRE(first.has_value());
  CHECK(first->kind == FrameKind::kFirstPart);
  REQUIRE(sender.queue(kGroup, "heartbeat", true));
  auto second = sender.next();
  REQUIRE(second.has_value());
  CHECK(second->kind == FrameKind::kWhole);
  CHECK(second->bytes == "heartbeat");
  receiver.receive(*first);
  auto outcome = receiver.receive(*second);
  CHECK(outcome.message == "heartbeat");
  sender.acked(first->bytes.size() + second->bytes.size());
  CHECK(pump(sender, receiver) == std::vector<std::string>{filled(1000, 'x')});
}

TEST_CASE("an urgent message does not wait for a long one, however wide the window [F29]") {
  LinkSender sender({100, 10'000, 50'000, 30'000});
  REQUIRE(sender.queue(kGroup, filled(1000, 'x'), false));
  REQUIRE(sender.next()->kind == FrameKind::kFirstPart);
  REQUIRE(sender.queue(kGroup, "heartbeat", true));
  CHECK(sender.next()->bytes == "heartbeat");
  CHECK(sender.next()->kind == FrameKind::kPart);
}

TEST_CASE("without a long message under way nothing is reordered") {
  LinkSender sender(kSmall);
  LinkReceiver receiver(kSmall);
  REQUIRE(sender.queue(kGroup, "entries", false));
  REQUIRE(sender.queue(kGroup, "heartbeat", true));
  REQUIRE(sender.queue(kGroup, "more entries", false));
  CHECK(pump(sender, receiver) == std::vector<std::string>{"entries", "heartbeat", "more entries"});
}

TEST_CASE("a peer that acknowledges nothing gets two frames and urgent messages, no more [F29]") {
  LinkSender sender(kSmall);
  REQUIRE(sender.queue(kGroup, filled(1000, 'x'), false));
  size_t parts = 0;
  while (sender.next()) {
    ++parts;
  }
  CHECK(parts <= 2);
  REQUIRE(sender.queue(kGroup, "heartbeat", true));
  auto urgent = sender.next();
  REQUIRE(urgent.has_value());
  CHECK(urgent->bytes == "heartbeat");
}

TEST_CASE("what a stopped peer leaves unsent is bounded, but one message always fits [F28]") {
  LinkSender sender(kSmall);
  CHECK(sender.queue(kGroup, filled(2900, 'x'), false));
  CHECK(sender.queue(kGroup, filled(2000, 'y'), false));
  CHECK_FALSE(sender.queue(kGroup, filled(500, 'z'), false));
  CHECK(sender.queued_bytes() <= kSmall.queue_bytes);
  LinkSender other(kSmall);
  CHECK(other.queue(kGroup, filled(100'000, 'x'), false));
}

TEST_CASE("a receiver closes on frames that break the rules and keeps no announced memory [F29]") {
  std::string huge;
  put_le<uint64_t>(huge, uint64_t{1} << 60);
  LinkReceiver receiver(kSmall);
  CHECK(receiver.receive({FrameKind::kFirstPart, kGroup, huge + "x"}).broken);
  LinkReceiver lone;
  CHECK(lone.receive({FrameKind::kPart, kGroup, "x"}).broken);
  LinkReceiver empty(kSmall);
  CHECK(empty.receive({FrameKind::kFirstPart, kGroup, ""}).broken);
  LinkReceiver overlong(kSmall);
  CHECK(overlong.receive({FrameKind::kWhole, kGroup, filled(500, 'x')}).broken);
  LinkReceiver overflow(kSmall);
  std::string start;
  put_le<uint64_t>(start, 10);
  CHECK_FALSE(overflow.receive({FrameKind::kFirstPart, kGroup, start + "12345"}).broken);
  CHECK(overflow.receive({FrameKind::kPart, kGroup, "678901"}).broken);
}

TEST_CASE("an ack of more than was sent is ignored") {
  LinkSender sender(kSmall);
  REQUIRE(sender.queue(kGroup, filled(1000, 'x'), false));
  while (sender.next()) {
  }
  sender.acked(1'000'000);
  CHECK_FALSE(sender.next().has_value());
  sender.acked(100);  // the honest ones still count
  CHECK(sender.next().has_value());
  CHECK_FALSE(decode_ack("short").has_value());
}

TEST_CASE("of a snapshot at most one frame is ahead of a heartbeat [F29]") {
  LinkSender sender;
  const size_t frame = config::limits::kFrameBytes;
  for (int i = 0; i < 4; ++i) {
    sender.queue_snapshot(kGroup, std::string(frame, static_cast<char>('a' + i)));
  }
  auto first = sender.next();
  REQUIRE(first.has_value());
  CHECK(first->kind == FrameKind::kSnapshot);
  CHECK_FALSE(sender.next().has_value());  // the rest waits for the ack
  CHECK(sender.queue(kGroup, "heartbeat", true));
  auto urgent = sender.next();
  REQUIRE(urgent.has_value());
  CHECK(urgent->bytes == "heartbeat");
  CHECK(
      sender.queue(kGroup, std::string(frame, 'e'), false));  // entries go before the snapshot, too
  CHECK_FALSE(sender.next().has_value());                     // the window is full
  sender.acked(frame + 9);
  const auto entries = sender.next();
  REQUIRE(entries.has_value());
  CHECK(entries->kind == FrameKind::kWhole);
  CHECK_FALSE(sender.next().has_value());
  sender.acked(frame + 9 + frame);
  const auto second = sender.next();
  REQUIRE(second.has_value());
  CHECK(second->kind == FrameKind::kSnapshot);
  CHECK(second->bytes.front() == 'b');
}

TEST_CASE("frames of snapshots and notes arrive as what they are") {
  LinkReceiver receiver;
  auto outcome = receiver.receive(
      {FrameKind::kSnapshot, kGroup, std::string(config::limits::kFrameBytes + 100, 's')});
  CHECK_FALSE(outcome.broken);
  REQUIRE(outcome.message.has_value());
  CHECK(outcome.ack.has_value());
  CHECK(receiver.receive({FrameKind::kNote, kGroup, "note"}).message == "note");
  CHECK(receiver
            .receive(
                {FrameKind::kSnapshot, kGroup, std::string(2 * config::limits::kFrameBytes, 's')})
            .broken);
}

TEST_CASE("every part names the group of its message, and parts of two groups are never mixed") {
  LinkSender sender(kSmall);
  LinkReceiver receiver(kSmall);
  REQUIRE(sender.queue(GroupId{1}, filled(150, 'x'), false));
  REQUIRE(sender.queue(GroupId{2}, "heartbeat", true));
  const auto first = sender.next();
  const auto urgent = sender.next();
  const auto last = sender.next();
  REQUIRE((first && urgent && last));
  CHECK(first->group == GroupId{1});
  CHECK(urgent->group == GroupId{2});
  CHECK(last->group == GroupId{1});
  CHECK_FALSE(receiver.receive(*first).broken);
  CHECK(receiver.receive(*urgent).message == "heartbeat");
  LinkReceiver confused = receiver;
  CHECK(receiver.receive(*last).message == filled(150, 'x'));
  CHECK(confused.receive({FrameKind::kPart, GroupId{2}, last->bytes}).broken);
  CHECK(LinkReceiver().receive({FrameKind::kWhole, GroupId{}, "of no group"}).broken);
}

TEST_CASE("publications come whole and in order, between the parts of other messages") {
  LinkSender sender(kSmall);
  LinkReceiver receiver(kSmall);
  Prng prng(8);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> publications;
    std::vector<std::string> messages;
    for (int i = 0; i < 3; ++i) {
      publications.push_back(filled(1 + prng.below(700), static_cast<char>('A' + i)));
      CHECK(sender.queue_fanout(kGroup, publications.back()) == 0);
      messages.push_back(filled(1 + prng.below(700), static_cast<char>('a' + i)));
      REQUIRE(sender.queue(kGroup, messages.back(), false));
    }
    std::vector<std::string> came_publications;
    std::vector<std::string> came_messages;
    for (std::string& one : pump(sender, receiver)) {
      (one[0] < 'a' ? came_publications : came_messages).push_back(std::move(one));
    }
    CHECK(came_publications == publications);
    CHECK(came_messages == messages);
    CHECK_FALSE(sender.waits_for_ack());
  }
}

TEST_CASE("publications wait behind all messages, and for most of the window [F29]") {
  LinkSender sender(kSmall);
  sender.queue_fanout(kGroup, filled(250, 'P'));
  sender.queue_snapshot(kGroup, "snapshot");
  REQUIRE(sender.queue(kGroup, "entries", false));
  CHECK(sender.next()->bytes == "entries");
  const auto first = sender.next();
  REQUIRE(first.has_value());
  CHECK(first->kind == FrameKind::kFanout);
  CHECK(first->bytes == "\x01" + filled(100, 'P'));
  CHECK_FALSE(sender.next().has_value());  // more than a quarter is unacknowledged
  CHECK(sender.waits_for_ack());
  REQUIRE(sender.queue(kGroup, "heartbeat", true));
  CHECK(sender.next()->bytes == "heartbeat");
  sender.acked(7 + 101 + 9);
  CHECK(sender.next()->bytes == "\x01" + filled(100, 'P'));
  sender.acked(7 + 101 + 9 + 101);
  CHECK(sender.next()->bytes == std::string(1, '\0') + filled(50, 'P'));
  sender.acked(7 + 101 + 9 + 101 + 51);
  CHECK(sender.next()->kind == FrameKind::kSnapshot);
}

TEST_CASE("of publications that nobody takes the oldest go, but not one that was begun [F28]") {
  FragmentLimits limits = kSmall;
  limits.fanout_bytes = 500;
  LinkSender sender(limits);
  LinkReceiver receiver(limits);
  sender.queue_fanout(kGroup, filled(200, 'A'));
  const auto begun = sender.next();
  REQUIRE(begun.has_value());
  CHECK(sender.queue_fanout(kGroup, filled(200, 'B')) == 0);
  CHECK(sender.queue_fanout(kGroup, filled(200, 'C')) == 1);
  CHECK(sender.queue_fanout(kGroup, filled(400, 'D')) == 1);
  CHECK_FALSE(receiver.receive(*begun).message.has_value());
  sender.acked(begun->bytes.size());
  CHECK(pump(sender, receiver) == std::vector<std::string>{filled(200, 'A'), filled(400, 'D')});
}

TEST_CASE("parts of publications that break the rules end the link") {
  FragmentLimits limits = kSmall;
  limits.fanout_bytes = 150;
  CHECK(LinkReceiver(limits).receive({FrameKind::kFanout, kGroup, ""}).broken);
  CHECK(LinkReceiver(limits).receive({FrameKind::kFanout, kGroup, "\x01"}).broken);
  CHECK(LinkReceiver(limits).receive({FrameKind::kFanout, kGroup, "\x02x"}).broken);
  LinkReceiver full(limits);
  CHECK_FALSE(full.receive({FrameKind::kFanout, kGroup, "\x01" + filled(100, 'x')}).broken);
  CHECK(full.receive({FrameKind::kFanout, kGroup, "\x01" + filled(51, 'x')}).broken);
}

}  // namespace kiwi::actors
