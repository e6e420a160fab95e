// What a replica sees of batches that are followed.
#include "actors/replica/replica_trace.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

raft::Entry entry(uint64_t index, uint64_t sequence, uint64_t term = 1) {
  raft::Entry out;
  out.index = LogIndex{index};
  out.term = Term{term};
  out.kind = raft::EntryKind::kBatch;
  out.number.node = NodeId{2};
  out.number.epoch = 4;
  out.number.sequence = sequence;
  return out;
}

}  // namespace

TEST_CASE("a replica stamps what is appended, durable and committed, and only what is followed") {
  std::atomic<uint64_t> every{0};
  ReplicaTrace trace(&every);
  CHECK_FALSE(trace.on());
  trace.appended({entry(1, 10)}, 5);
  CHECK(trace.take().empty());
  every = 10;
  CHECK(trace.on());
  raft::Entry empty = entry(4, 30);
  empty.kind = raft::EntryKind::kVoid;
  trace.appended({entry(1, 10), entry(2, 11), entry(3, 20), empty}, 100);
  trace.durable(LogIndex{2}, 200);
  trace.committed({entry(1, 10)}, 300);
  trace.durable(LogIndex{9}, 400);
  const std::vector<resp::TraceStamp> stamps = trace.take();
  REQUIRE(stamps.size() == 5);
  CHECK(stamps[0].batch == resp::TraceKey{NodeId{2}, 4, 10});
  CHECK(stamps[1].batch.sequence == 20);
  CHECK(stamps[2].stage == resp::TraceStage::kDurable);
  CHECK(stamps[2].at_us == 200);
  CHECK(stamps[3].stage == resp::TraceStage::kCommitted);
  CHECK(stamps[4].batch.sequence == 20);
  CHECK(stamps[4].at_us == 400);
  CHECK(trace.take().empty());
}

TEST_CASE("an entry that was cut off is never told durable") {
  std::atomic<uint64_t> every{1};
  ReplicaTrace trace(&every);
  trace.appended({entry(1, 10), entry(2, 20)}, 100);
  trace.appended({entry(2, 30, 2)}, 200);
  static_cast<void>(trace.take());
  trace.durable(LogIndex{2}, 300);
  const std::vector<resp::TraceStamp> stamps = trace.take();
  REQUIRE(stamps.size() == 2);
  CHECK(stamps[1].batch.sequence == 30);
}

TEST_CASE("stamps that nobody takes have a bound") {
  std::atomic<uint64_t> every{1};
  ReplicaTrace trace(&every);
  for (uint64_t i = 1; i <= ReplicaTrace::kStamps + 10; ++i) {
    trace.committed({entry(i, i)}, 1);
  }
  CHECK(trace.take().size() == ReplicaTrace::kStamps);
}

}  // namespace kiwi::actors
