// The bytes of what sender and receiver of a snapshot say to each other.
#include <vector>

#include <doctest/doctest.h>

#include "actors/snapshots/snapshot_protocol.hpp"
#include "config/base/prng.hpp"

namespace kiwi::actors {

TEST_CASE("messages are read back as they were, and garbage is refused") {
  SnapshotWant want;
  want.round = 9;
  want.what = SnapshotWant::What::kFiles;
  want.ranges = {{0, 0, 5}, {7, 1ULL << 40, 3}};
  want.base.index = LogIndex{4};
  SnapshotChunk chunk{3, 4, Term{5}, 6, 7, true, "bytes"};
  for (const SnapshotBody& body : std::vector<SnapshotBody>{
           SnapshotOffer{LogIndex{1}, LogIndex{2}, 3}, want, chunk, SnapshotAck{1, 2, true},
           SnapshotDone{true, LogIndex{3}}, SnapshotBusy{LogIndex{3}}, SnapshotRefused{4},
           SnapshotUnknown{}, SnapshotAbort{}}) {
    const SnapshotMessage message{42, body};
    const std::string bytes = encode_snapshot(message);
    const auto back = decode_snapshot(bytes);
    REQUIRE(back.has_value());
    CHECK(*back == message);
    CHECK_FALSE(decode_snapshot(bytes.substr(0, bytes.size() - 1)).has_value());
  }
  std::string flipped = encode_snapshot({42, chunk});
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  CHECK_FALSE(decode_snapshot(flipped).has_value());
  Prng prng(5);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(prng.below(80), '\0');
    for (char& c : noise) {
      c = static_cast<char>(prng.below(256));
    }
    if (!noise.empty()) {
      noise[0] = 1;
    }
    static_cast<void>(decode_snapshot(noise));  // returns, and touches nothing it should not
  }
}

}  // namespace kiwi::actors
