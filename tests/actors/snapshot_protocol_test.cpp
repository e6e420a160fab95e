// Sender and receiver of a snapshot over links that lose, repeat, delay and reorder: who gets what,
// and how often.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/actors/snapshot_talk.hpp"

namespace kiwi::actors::test {

TEST_CASE("an empty node gets all files, once, in bounded chunks [F29]") {
  FakeState state(100, 50'000, 'a');
  Talk talk(state);
  CHECK(talk.run());
  CHECK(talk.installed == 1);
  CHECK(talk.sender->installed() == LogIndex{100});
  CHECK(talk.disk.written == state.files[0].size() + state.files[1].size() + state.files[2].size());
  CHECK(talk.sender->progress().bytes_sent < talk.disk.written + 2 * kChunk);
  CHECK(talk.chunk_bytes_max <= kChunk + kSnapshotHeaderBytes);
}

TEST_CASE("a state of another group is refused before any file of it is asked for") {
  FakeState state(100, 50'000, 'a');
  state.group = GroupId{2};
  Talk talk(state);
  CHECK_FALSE(talk.run());
  CHECK(talk.sender->over());
  CHECK(talk.installed == 0);
  CHECK(talk.disk.written == 0);
}

TEST_CASE("files are not asked for where the disk has no room for all of them [F60]") {
  FakeState state(100, 50'000, 'a');
  Talk talk(state);
  talk.room = 49'000;
  CHECK_FALSE(talk.run());
  CHECK(talk.asked_room == state.files[0].size() + state.files[1].size() + state.files[2].size());
  CHECK(talk.disk.written == 0);
  CHECK(talk.sender->over());
  // With what came before it is enough.
  talk.disk.files["f0.sst"] = state.files[0];
  talk.start_sender();
  CHECK(talk.run());
  CHECK(talk.installed == 1);
}

TEST_CASE("files that fill the disk go, so that it does not stay full [F60]") {
  FakeState state(100, 50'000, 'a');
  Talk talk(state);
  talk.disk.bytes_max = 30'000;
  CHECK_FALSE(talk.run());
  CHECK(talk.disk.written > 20'000);
  CHECK(talk.disk.files.empty());
  CHECK_FALSE(talk.receiver->report().receiving);
  talk.disk.bytes_max = UINT64_MAX;
  talk.start_sender();
  CHECK(talk.run());
  CHECK(talk.installed == 1);
}

TEST_CASE("files that came whole and are damaged go: another sender's may be sound [F17]") {
  FakeState state(100, 9000, 'a');
  state.files_damaged = true;
  Talk talk(state);
  CHECK_FALSE(talk.run());
  CHECK(talk.disk.files.empty());
  CHECK(talk.installed == 0);
  CHECK_FALSE(talk.receiver->report().receiving);
}

TEST_CASE("lost, late, repeated and reordered messages only cost time") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    FakeState state(100, 30'000, 'a');
    if (seed % 2 == 0) {
      for (int i = 0; i < 20; ++i) {
        state.delta.push_back("change " + std::to_string(i));
      }
    }
    Talk talk(state, seed % 2 == 0 ? 5 : 0, seed);
    talk.faults = {10, 10, 20};
    CHECK(talk.run());
    CHECK(talk.installed == 1);
  }
}

TEST_CASE("a broken link: the transfer goes on where it stopped [F32]") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 20; ++i) {
    talk.step();
  }
  const uint64_t before = talk.disk.written;
  CHECK(before > 10'000);
  talk.set_link(false);
  for (int i = 0; i < 300; ++i) {
    talk.step();
  }
  CHECK(talk.disk.written == before);
  talk.set_link(true);
  CHECK(talk.run());
  CHECK(talk.installed == 1);
  // What was on the way when the link broke is sent twice, and nothing else.
  CHECK(talk.sender->progress().bytes_sent < 100'000 + 8 * kChunk);
}

TEST_CASE("a receiver that starts anew goes on with the files it has") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 20; ++i) {
    talk.step();
  }
  const uint64_t before = talk.disk.written;
  CHECK(before > 10'000);
  talk.set_link(false);
  talk.start_receiver();
  talk.set_link(true);
  CHECK(talk.run());
  CHECK(talk.installed == 1);
  CHECK(talk.disk.written == state.files[0].size() + state.files[1].size() + state.files[2].size());
}

TEST_CASE("a sender that starts anew offers again, and what came is not sent twice") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 20; ++i) {
    talk.step();
  }
  const uint64_t before = talk.disk.written;
  talk.set_link(false);
  talk.start_sender();
  talk.set_link(true);
  CHECK(talk.run());
  CHECK(talk.installed == 1);
  CHECK(talk.sender->progress().bytes_acknowledged < 100'100 + kChunk - before);
}

TEST_CASE("a node with a state gets a delta; a broken link does not begin it anew [F17]") {
  FakeState state(100, 90'000, 'a');
  for (int i = 0; i < 30; ++i) {
    state.delta.push_back(std::string(900, static_cast<char>('a' + i % 26)));
  }
  Talk talk(state, 5);
  for (int i = 0; i < 6; ++i) {
    talk.step();
  }
  talk.set_link(false);
  talk.step();
  talk.set_link(true);
  CHECK(talk.run());
  CHECK(talk.installed == 1);
  CHECK(talk.disk.written == 0);
  CHECK(talk.receiver->report().last_mode == std::string("delta"));
  CHECK(talk.sender->progress().bytes_sent < 30 * 900 + 8 * 900);
}

TEST_CASE("a delta that cannot be had, or comes out wrong, becomes files [F17]") {
  FakeState refused(100, 9000, 'a');
  Talk first(refused, 5);
  CHECK(first.run());
  CHECK(first.receiver->report().last_mode == std::string("files"));

  FakeState wrong(100, 9000, 'a');
  wrong.delta = {"one", "two"};
  wrong.delta_wrong = true;
  Talk second(wrong, 5);
  CHECK(second.run());
  CHECK(second.installed == 1);
  CHECK(second.receiver->report().last_mode == std::string("files"));
}

TEST_CASE("the own state is copied for a delta when the own log is applied, not before [F17]") {
  FakeState state(100, 9000, 'a');
  state.delta = {"one"};
  Talk talk(state, 5);
  talk.receiver->set_applied(LogIndex{5}, LogIndex{9});
  CHECK_FALSE(talk.run());
  CHECK(talk.receiver->report().progress.mode == std::string("own copy"));
  talk.receiver->set_applied(LogIndex{9}, LogIndex{9});
  CHECK(talk.run());
  CHECK(talk.receiver->report().last_mode == std::string("delta"));
}

TEST_CASE("a sender that was busy itself sends nothing again") {
  FakeState state(100, 9000, 'a');
  Talk talk(state);
  while (talk.sender->progress().bytes_sent == 0) {
    talk.step();
  }
  talk.wire.clear();
  talk.sender->excuse(1500);
  talk.sender->tick(talk.now_ms += 1500);
  CHECK_FALSE(talk.sender->next(talk.rate, talk.now_ms).has_value());
  talk.sender->tick(talk.now_ms += 1000);  // and nothing comes
  CHECK(talk.sender->next(talk.rate, talk.now_ms).has_value());
}

// As SnapshotWorker tells it of a node that proves a state.
TEST_CASE("who is at work for minutes is neither given up nor sent anything again [F32]") {
  FakeState state(100, 9000, 'a');
  Talk talk(state);
  while (talk.sender->progress().bytes_sent == 0) {
    talk.step();
  }
  talk.wire.clear();
  const SnapshotMessage at_work{talk.sender->transfer(), SnapshotAck{}};
  for (int i = 0; i < 600; ++i) {  // five minutes
    talk.now_ms += 500;
    talk.sender->receive(at_work, talk.now_ms);
    talk.receiver->receive(NodeId{1}, at_work, talk.now_ms);
    talk.sender->tick(talk.now_ms);
    talk.receiver->tick(talk.now_ms);
    REQUIRE_FALSE(talk.sender->next(talk.rate, talk.now_ms).has_value());
  }
  CHECK_FALSE(talk.sender->over());
  CHECK(talk.receiver->report().receiving);
  CHECK(talk.run());  // what was lost is sent again afterwards
  CHECK(talk.installed == 1);
}

TEST_CASE("a receiver that was busy itself does not take it for the sender's silence") {
  FakeState state(100, 9000, 'a');
  Talk talk(state);
  while (!talk.receiver->report().receiving) {
    talk.step();
  }
  CHECK(talk.receiver->transfer()->second == talk.sender->transfer());
  talk.receiver->excuse(150'000);
  talk.receiver->tick(talk.now_ms += 150'000);
  CHECK(talk.receiver->report().receiving);
  talk.receiver->tick(talk.now_ms += 120'000);  // and nothing comes
  CHECK_FALSE(talk.receiver->report().receiving);
  CHECK_FALSE(talk.receiver->transfer().has_value());
}

TEST_CASE("a sender knows that its state is damaged from one that only failed [F17]") {
  FakeState state(100, 9000, 'a');
  for (const Errc code : {Errc::kCorrupt, Errc::kIo}) {
    Talk talk(state);
    talk.source->fails = Error{code, "block checksum mismatch"};
    CHECK_FALSE(talk.run());
    CHECK(talk.sender->state() == SnapshotSender::State::kFailed);
    CHECK(talk.sender->source_damaged() == (code == Errc::kCorrupt));
  }
}

TEST_CASE("who is there already says so, and gets nothing") {
  FakeState state(100, 9000, 'a');
  Talk talk(state, 150);
  CHECK(talk.run());
  CHECK(talk.installed == 0);
  CHECK(talk.sender->installed() == LogIndex{150});
  CHECK(talk.sender->progress().bytes_sent == 0);
}

TEST_CASE(
    "while one snapshot comes, another sender is told to wait; of no use, it makes way [F32]") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 10; ++i) {
    talk.step();
  }
  REQUIRE(talk.receiver->report().receiving);
  // A new leader offers its own: its log begins low enough for what is on its way.
  SnapshotMessage offer{77, SnapshotOffer{LogIndex{120}, LogIndex{90}, 1000}};
  talk.receiver->receive(NodeId{2}, offer, talk.now_ms);
  auto said = talk.receiver->take_messages();
  REQUIRE(!said.empty());
  CHECK(said.back().first == NodeId{2});
  CHECK(std::get<SnapshotBusy>(said.back().second.body).index == LogIndex{100});
  // It begins above: what is on its way is of no use.
  offer.body = SnapshotOffer{LogIndex{120}, LogIndex{110}, 1000};
  talk.receiver->receive(NodeId{2}, offer, talk.now_ms);
  said = talk.receiver->take_messages();
  REQUIRE(!said.empty());
  CHECK(std::holds_alternative<SnapshotWant>(said.back().second.body));
  CHECK(talk.receiver->report().from == NodeId{2});
}

TEST_CASE("a snapshot ends when the log made it unnecessary, whatever became of its sender [F22]") {
  FakeState state(100, 100'000, 'a');
  for (const uint64_t applied : {0, 5}) {  // files; the own state, for a delta
    Talk talk(state, applied);
    for (int i = 0; i < 10; ++i) {
      talk.step();
    }
    REQUIRE(talk.receiver->report().receiving);
    talk.receiver->take_messages();
    talk.receiver->set_applied(LogIndex{99}, LogIndex{120});
    CHECK(talk.receiver->report().receiving);
    talk.receiver->set_applied(LogIndex{101}, LogIndex{120});
    CHECK_FALSE(talk.receiver->report().receiving);
    CHECK_FALSE(talk.receiver->take_arrived().has_value());
    CHECK(talk.run());  // a sender that lives learns where the node is
    CHECK(talk.sender->installed() == LogIndex{101});
    CHECK(talk.installed == 0);
  }
}

TEST_CASE("a snapshot that was verified is Raft's to judge, however far the log is [F15]") {
  FakeState state(100, 9000, 'a');
  Talk talk(state);
  SnapshotReceiver& receiver = *talk.receiver;
  while (receiver.report().progress.mode != std::string("installing")) {
    for (const auto& [to, message] : receiver.take_messages()) {
      talk.sender->receive(message, talk.now_ms);
    }
    talk.now_ms += 10;
    while (auto message = talk.sender->next(talk.rate, talk.now_ms)) {
      receiver.receive(NodeId{1}, *message, talk.now_ms);
    }
  }
  receiver.set_applied(LogIndex{101}, LogIndex{120});
  CHECK(receiver.report().receiving);
  CHECK(receiver.take_arrived().has_value());
}

TEST_CASE("who is told that nothing more comes waits no longer [F22]") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 10; ++i) {
    talk.step();
  }
  REQUIRE(talk.receiver->report().receiving);
  talk.receiver->receive(NodeId{1}, {talk.sender->transfer(), SnapshotAbort{}}, talk.now_ms);
  CHECK_FALSE(talk.receiver->report().receiving);
}

TEST_CASE("a silent sender makes way for another after a while") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 10; ++i) {
    talk.step();
  }
  const SnapshotMessage offer{77, SnapshotOffer{LogIndex{120}, LogIndex{90}, 1000}};
  talk.receiver->receive(NodeId{2}, offer, talk.now_ms + 20'000);
  CHECK(talk.receiver->report().from == NodeId{2});
}

TEST_CASE("a sender that hears nothing gives up in the end") {
  FakeState state(100, 9000, 'a');
  Talk talk(state);
  talk.faults.dropped = 100;
  CHECK_FALSE(talk.run());
  CHECK(talk.sender->state() == SnapshotSender::State::kFailed);
}

TEST_CASE("the rate is kept, whatever the window allows") {
  FakeState state(100, 200'000, 'a');
  Talk talk(state);
  talk.rate = ByteRate(50'000);
  const int64_t begin = talk.now_ms;
  CHECK(talk.run());
  CHECK(talk.now_ms - begin > 3'500);  // 200 kB at 50 kB/s
  CHECK(talk.now_ms - begin < 8'000);
}

}  // namespace kiwi::actors::test
