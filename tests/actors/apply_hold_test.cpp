// ApplyHold: what a follower gathers before it applies, and what it may not hold back.
#include "actors/replica/apply_hold.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "raft/log_window.hpp"

namespace kiwi::actors {
namespace {

raft::Entry entry(uint64_t index,
                  size_t payload_bytes,
                  raft::EntryKind kind = raft::EntryKind::kBatch) {
  raft::Entry made;
  made.index = LogIndex{index};
  made.kind = kind;
  made.payload = SharedBytes(std::string(payload_bytes, 'x'));
  return made;
}

std::vector<uint64_t> indexes(const std::vector<raft::Entry>& entries) {
  std::vector<uint64_t> all;
  for (const raft::Entry& one : entries) {
    all.push_back(one.index.value);
  }
  return all;
}

using Indexes = std::vector<uint64_t>;

TEST_CASE("apply hold: batches nobody waits for stay until somebody does, in order, each once") {
  ApplyHold hold;
  CHECK(hold.pass({entry(1, 100)}, false).empty());
  CHECK(hold.pass({entry(2, 100), entry(3, 100)}, false).empty());
  CHECK(hold.pass({}, false).empty());
  CHECK(indexes(hold.pass({entry(4, 100)}, true)) == Indexes{1, 2, 3, 4});
  CHECK(hold.pass({}, true).empty());
  CHECK(hold.pass({entry(5, 100)}, false).empty());
  CHECK(indexes(hold.pass({}, true)) == Indexes{5});
}

TEST_CASE("apply hold: somebody waits: nothing is held") {
  ApplyHold hold;
  CHECK(indexes(hold.pass({entry(1, 0)}, true)) == Indexes{1});
  CHECK(indexes(hold.pass({entry(2, 0), entry(3, 0)}, true)) == Indexes{2, 3});
}

TEST_CASE("apply hold: so many bytes are worth a wake-up, counted anew after each [F28]") {
  ApplyHold hold;
  for (int round = 0; round < 3; ++round) {
    const size_t own = raft::entry_bytes(entry(1, 0));
    CHECK(hold.pass({entry(1, ApplyHold::kBytesMax - 2 * own - 1)}, false).empty());
    CHECK(indexes(hold.pass({entry(2, 1)}, false)) == Indexes{1, 2});
  }
  CHECK(indexes(hold.pass({entry(3, ApplyHold::kBytesMax)}, false)) == Indexes{3});
}

TEST_CASE("apply hold: what Raft itself waits for goes at once, with all before it [F23]") {
  for (const raft::EntryKind kind :
       {raft::EntryKind::kNoop, raft::EntryKind::kConfiguration, raft::EntryKind::kTick}) {
    ApplyHold hold;
    CHECK(hold.pass({entry(1, 10)}, false).empty());
    CHECK(indexes(hold.pass({entry(2, 10), entry(3, 0, kind), entry(4, 10)}, false)) ==
          Indexes{1, 2, 3, 4});
  }
}

}  // namespace
}  // namespace kiwi::actors
