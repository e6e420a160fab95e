// Sender and receiver of a snapshot over a link that loses, repeats, delays and reorders, with
// either end starting anew. The disk is a stand-in that keeps the real one's rules.
#include <algorithm>
#include <deque>
#include <map>

#include <doctest/doctest.h>

#include "actors/snapshots/snapshot_receiver.hpp"
#include "actors/snapshots/snapshot_sender.hpp"
#include "config/base/prng.hpp"

namespace kiwi::actors {
namespace {

constexpr size_t kChunk = 1000;

// The files of a state, or what changed of it, as plain strings.
struct FakeState {
  rocks::SnapshotInfo info;
  std::vector<std::string> files;
  std::vector<std::string> delta;  // chunks; empty: refused
  bool delta_wrong = false;        // its digest does not fit

  explicit FakeState(uint64_t index, size_t bytes, uint8_t fill) {
    info.applied.index = LogIndex{index};
    info.applied.term = Term{3};
    for (size_t i = 0; i < 3; ++i) {
      files.emplace_back(bytes / 3 + i, static_cast<char>(fill + i));
    }
  }
};

class FakeDelta final : public rocks::DeltaStream {
 public:
  explicit FakeDelta(const FakeState& state) : state_(state) {}
  Result<std::optional<std::string>> next() override {
    return at_ < state_.delta.size() ? std::optional(state_.delta[at_++]) : std::nullopt;
  }

 private:
  const FakeState& state_;
  size_t at_ = 0;
};

class FakeSource final : public rocks::SnapshotSource {
 public:
  explicit FakeSource(const FakeState& state) : state_(state) {
    manifest_.sender.bytes.fill(1);
    manifest_.checkpoint.bytes.fill(2);
    manifest_.index = state.info.applied.index;
    manifest_.term = state.info.applied.term;
    for (size_t i = 0; i < state.files.size(); ++i) {
      Hasher128 hasher;
      hasher.add(state.files[i]);
      manifest_.files.push_back(
          {"f" + std::to_string(i) + ".sst", state.files[i].size(), hasher.sum()});
    }
  }
  const rocks::SnapshotInfo& info() const override { return state_.info; }
  const std::string& directory() const override { return directory_; }
  uint64_t bytes() const override { return manifest_.bytes(); }
  Result<rocks::Manifest> manifest() override { return manifest_; }
  Result<std::string> read(uint32_t file, uint64_t offset, size_t bytes_max) override {
    return state_.files.at(file).substr(offset, bytes_max);
  }
  Result<std::unique_ptr<rocks::DeltaStream>> delta(const rocks::AppliedRecord&) override {
    if (state_.delta.empty()) {
      return Error{Errc::kInvalid, "no delta"};
    }
    return std::unique_ptr<rocks::DeltaStream>(std::make_unique<FakeDelta>(state_));
  }
  Checksum128 digest() override { return {}; }

 private:
  const FakeState& state_;
  rocks::Manifest manifest_;
  std::string directory_ = "checkpoint";
};

// What survives the receiver's process: files as far as they came.
struct FakeDisk {
  std::map<std::string, std::string> files;
  uint64_t written = 0;
};

class FakeFull final : public rocks::FullTarget {
 public:
  FakeFull(FakeDisk& disk, const FakeState& state, const rocks::Manifest& manifest)
      : disk_(disk), state_(state), manifest_(manifest) {
    for (const rocks::SnapshotFile& file : manifest_.files) {
      reused_ += disk_.files[file.name].size();
    }
  }
  const rocks::Manifest& manifest() const override { return manifest_; }
  const std::string& directory() const override { return directory_; }
  std::vector<Missing> missing() const override {
    std::vector<Missing> out;
    for (uint32_t i = 0; i < manifest_.files.size(); ++i) {
      const uint64_t here = disk_.files[manifest_.files[i].name].size();
      if (here < manifest_.files[i].size) {
        out.push_back({i, here, manifest_.files[i].size - here});
      }
    }
    return out;
  }
  uint64_t bytes_missing() const override {
    uint64_t bytes = 0;
    for (const Missing& one : missing()) {
      bytes += one.bytes;
    }
    return bytes;
  }
  uint64_t bytes_reused() const override { return reused_; }
  Result<void> write(uint32_t file, uint64_t offset, std::string_view bytes) override {
    std::string& here = disk_.files[manifest_.files.at(file).name];
    if (offset > here.size()) {
      return Error{Errc::kInvalid, "a gap"};
    }
    if (offset == here.size()) {
      here.append(bytes);
      disk_.written += bytes.size();
    }
    return {};
  }
  Result<rocks::SnapshotInfo> finish() override {
    for (size_t i = 0; i < state_.files.size(); ++i) {
      if (disk_.files[manifest_.files[i].name] != state_.files[i]) {
        return Error{Errc::kCorrupt, "a file differs"};
      }
    }
    return state_.info;
  }

 private:
  FakeDisk& disk_;
  const FakeState& state_;
  rocks::Manifest manifest_;
  uint64_t reused_ = 0;
  std::string directory_ = "incoming";
};

class FakeDeltaTarget final : public rocks::DeltaTarget {
 public:
  explicit FakeDeltaTarget(const FakeState& state) : state_(state) {
    base_.index = LogIndex{5};
    base_.term = Term{2};
  }
  const rocks::AppliedRecord& base() const override { return base_; }
  const std::string& directory() const override { return directory_; }
  Result<void> apply(std::string_view chunk) override {
    if (applied_ >= state_.delta.size() || state_.delta[applied_] != chunk) {
      return Error{Errc::kCorrupt, "out of order"};
    }
    ++applied_;
    return {};
  }
  bool complete() const override { return applied_ == state_.delta.size(); }
  Result<rocks::SnapshotInfo> finish() override {
    if (!complete() || state_.delta_wrong) {
      return Error{Errc::kCorrupt, "the digests differ"};
    }
    return state_.info;
  }

 private:
  const FakeState& state_;
  rocks::AppliedRecord base_;
  size_t applied_ = 0;
  std::string directory_ = "own-copy";
};

struct Faults {
  uint64_t dropped = 0, repeated = 0, delayed = 0;  // in a hundred
};

struct Talk {
  explicit Talk(FakeState& state_in, uint64_t applied = 0, uint64_t seed = 1)
      : state(state_in), prng(seed), receiver_applied(applied) {
    start_sender();
    start_receiver();
  }

  void start_sender() {
    source = std::make_unique<FakeSource>(state);
    SnapshotSenderOptions options;
    options.chunk_bytes = kChunk;
    options.window_bytes = 4 * kChunk;
    options.give_up_ms = 120'000;
    sender = std::make_unique<SnapshotSender>(options, prng.next(), *source, LogIndex{10}, now_ms);
    sender->set_term(Term{4});
    sender->set_link(link, now_ms);
  }
  void start_receiver() {
    SnapshotDisk access;
    access.open_full =
        [this](const rocks::Manifest& m) -> Result<std::unique_ptr<rocks::FullTarget>> {
      return std::unique_ptr<rocks::FullTarget>(std::make_unique<FakeFull>(disk, state, m));
    };
    access.open_delta = [this]() -> Result<std::unique_ptr<rocks::DeltaTarget>> {
      return std::unique_ptr<rocks::DeltaTarget>(std::make_unique<FakeDeltaTarget>(state));
    };
    receiver = std::make_unique<SnapshotReceiver>(
        SnapshotReceiver::Options{.first_round = prng.below(1000)}, std::move(access));
    receiver->set_applied(LogIndex{receiver_applied}, LogIndex{receiver_applied});
  }
  void set_link(bool up) {
    link = up;
    wire.clear();
    sender->set_link(up, now_ms);
  }

  void carry(bool to_receiver, const SnapshotMessage& message) {
    if (!link || prng.chance(faults.dropped, 100)) {
      return;
    }
    const std::string bytes = encode_snapshot(message);
    const int copies = prng.chance(faults.repeated, 100) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const int64_t late = prng.chance(faults.delayed, 100) ? 1 + int64_t(prng.below(700)) : 1;
      wire.push_back({now_ms + late, to_receiver, bytes});
    }
  }

  void step() {
    now_ms += 10;
    if (prng.below(10) == 0) {
      sender->tick(now_ms);
      receiver->tick(now_ms);
    }
    while (auto message = sender->next(rate, now_ms)) {
      chunk_bytes_max = std::max(chunk_bytes_max, encode_snapshot(*message).size());
      carry(true, *message);
    }
    for (auto& [to, message] : receiver->take_messages()) {
      CHECK(to == NodeId{1});
      carry(false, message);
    }
    if (receiver->take_wants_own_copy()) {
      receiver->own_copy_ready(true);
    }
    if (auto arrived = receiver->take_arrived()) {
      ++installed;
      CHECK(arrived->info.applied.index == state.info.applied.index);
      CHECK(arrived->sender_term == Term{4});
      receiver_applied = state.info.applied.index.value;
      receiver->concluded(true, state.info.applied.index);
    }
    std::deque<Carried> due;
    std::erase_if(wire, [&](const Carried& one) {
      const bool is_due = one.due_ms <= now_ms;
      if (is_due) {
        due.push_back(one);
      }
      return is_due;
    });
    for (const Carried& one : due) {
      const auto message = decode_snapshot(one.bytes);
      REQUIRE(message.has_value());
      if (one.to_receiver) {
        receiver->receive(NodeId{1}, *message, now_ms);
      } else {
        sender->receive(*message, now_ms);
      }
    }
  }
  // Until the sender knows that it is over.
  bool run(int steps = 60'000) {
    for (int i = 0; i < steps && !sender->over(); ++i) {
      step();
    }
    return sender->state() == SnapshotSender::State::kDone;
  }

  struct Carried {
    int64_t due_ms;
    bool to_receiver;
    std::string bytes;
  };
  FakeState& state;
  Prng prng;
  uint64_t receiver_applied;
  int64_t now_ms = 1000;
  bool link = true;
  Faults faults;
  ByteRate rate{0};
  FakeDisk disk;
  std::unique_ptr<FakeSource> source;
  std::unique_ptr<SnapshotSender> sender;
  std::unique_ptr<SnapshotReceiver> receiver;
  std::deque<Carried> wire;
  int installed = 0;
  size_t chunk_bytes_max = 0;
};

}  // namespace

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
  CHECK(talk.receiver->last_mode() == std::string("delta"));
  CHECK(talk.sender->progress().bytes_sent < 30 * 900 + 8 * 900);
}

TEST_CASE("a delta that cannot be had, or comes out wrong, becomes files [F17]") {
  FakeState refused(100, 9000, 'a');
  Talk first(refused, 5);
  CHECK(first.run());
  CHECK(first.receiver->last_mode() == std::string("files"));

  FakeState wrong(100, 9000, 'a');
  wrong.delta = {"one", "two"};
  wrong.delta_wrong = true;
  Talk second(wrong, 5);
  CHECK(second.run());
  CHECK(second.installed == 1);
  CHECK(second.receiver->last_mode() == std::string("files"));
}

TEST_CASE("the own state is copied for a delta when the own log is applied, not before [F17]") {
  FakeState state(100, 9000, 'a');
  state.delta = {"one"};
  Talk talk(state, 5);
  talk.receiver->set_applied(LogIndex{5}, LogIndex{9});
  CHECK_FALSE(talk.run());
  CHECK(talk.receiver->progress().mode == std::string("own copy"));
  talk.receiver->set_applied(LogIndex{9}, LogIndex{9});
  CHECK(talk.run());
  CHECK(talk.receiver->last_mode() == std::string("delta"));
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
  REQUIRE(talk.receiver->receiving());
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
  CHECK(talk.receiver->from() == NodeId{2});
}

TEST_CASE("a silent sender makes way for another after a while") {
  FakeState state(100, 100'000, 'a');
  Talk talk(state);
  for (int i = 0; i < 10; ++i) {
    talk.step();
  }
  const SnapshotMessage offer{77, SnapshotOffer{LogIndex{120}, LogIndex{90}, 1000}};
  talk.receiver->receive(NodeId{2}, offer, talk.now_ms + 20'000);
  CHECK(talk.receiver->from() == NodeId{2});
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

}  // namespace kiwi::actors
