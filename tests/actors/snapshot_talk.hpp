// A snapshot's sender and receiver over a link that loses, repeats, delays and reorders, with
// either end starting anew. The disk is a stand-in that keeps the real one's rules.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/snapshots/snapshot_receiver.hpp"
#include "actors/snapshots/snapshot_sender.hpp"
#include "config/base/prng.hpp"

namespace kiwi::actors::test {

inline constexpr size_t kChunk = 1000;

// The files of a state, or what changed of it, as plain strings.
struct FakeState {
  rocks::SnapshotInfo info;
  std::vector<std::string> files;
  std::vector<std::string> delta;  // chunks; empty: refused
  bool delta_wrong = false;        // its digest does not fit
  bool files_damaged = false;      // what is in them does not fit its checksums
  GroupId group = kFirstGroup;

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
    manifest_.group = state.group;
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
  Result<rocks::Manifest> manifest() override {
    return fails ? Result<rocks::Manifest>(*fails) : Result<rocks::Manifest>(manifest_);
  }
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
  std::optional<Error> fails;  // to be listed

 private:
  const FakeState& state_;
  rocks::Manifest manifest_;
  std::string directory_ = "checkpoint";
};

// What survives the receiver's process: files as far as they came.
struct FakeDisk {
  std::map<std::string, std::string> files;
  uint64_t written = 0;
  uint64_t bytes_max = UINT64_MAX;  // it is full then
  uint64_t bytes() const {
    uint64_t bytes = 0;
    for (const auto& [name, content] : files) {
      bytes += content.size();
    }
    return bytes;
  }
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
    if (disk_.bytes() + bytes.size() > disk_.bytes_max) {
      return Error{Errc::kIo, "no space left on device"};
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
    if (state_.files_damaged) {
      return Error{Errc::kCorrupt, "block checksum mismatch"};
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
    access.room_for = [this](uint64_t bytes) -> Result<void> {
      asked_room = bytes;
      return bytes <= room ? Result<void>() : Error{Errc::kIo, "make room"};
    };
    access.drop_full = [this] { disk.files.clear(); };
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
  uint64_t room = UINT64_MAX;
  uint64_t asked_room = 0;
  std::unique_ptr<FakeSource> source;
  std::unique_ptr<SnapshotSender> sender;
  std::unique_ptr<SnapshotReceiver> receiver;
  std::deque<Carried> wire;
  int installed = 0;
  size_t chunk_bytes_max = 0;
};

}  // namespace kiwi::actors::test
