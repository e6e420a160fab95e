// RAFT.TRACE: the ring, and what the command tells of it.
#include "resp/batch_trace.hpp"

#include <doctest/doctest.h>

#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

constexpr TraceKey kOwn{NodeId{1}, 3, 20};

Settled settled(uint64_t sequence) {
  Settled out;
  out.sequence = sequence;
  out.applied = true;
  return out;
}

TEST_SUITE("trace") {
  TEST_CASE("every n-th batch is followed, by its number") {
    BatchTrace trace;
    CHECK_FALSE(trace.wants(20));
    trace.set_every(10);
    CHECK(trace.wants(20));
    CHECK_FALSE(trace.wants(21));
    trace.handed_over(kOwn, 1000, 1200, 7, 99);
    trace.handed_over(kOwn, 1000, 5000, 7, 99);  // sent again
    trace.take({kOwn, TraceStage::kAppended, 1300, LogIndex{8}, Term{2}}, NodeId{2});
    trace.take({kOwn, TraceStage::kDurable, 1400, LogIndex{8}, Term{2}}, NodeId{2});
    trace.take({kOwn, TraceStage::kCommitted, 1500, LogIndex{8}, Term{2}}, NodeId{2});
    trace.settled({settled(20), settled(21), settled(30)}, TraceStage::kApplied, 1600);
    trace.settled({settled(20)}, TraceStage::kAnswered, 1650);
    REQUIRE(trace.newest_first().size() == 1);
    const BatchTrace::Batch& batch = trace.newest_first().front();
    CHECK(batch.at_us ==
          std::array<int64_t, kTraceStages>{1000, 1200, 1300, 1400, 1500, 1600, 1650});
    CHECK(batch.commands == 7);
    CHECK(batch.leader == NodeId{2});
  }

  TEST_CASE("an entry of a later leader takes the place of one that was lost") {
    BatchTrace trace;
    trace.take({kOwn, TraceStage::kAppended, 10, LogIndex{8}, Term{2}}, NodeId{2});
    trace.take({kOwn, TraceStage::kDurable, 20, LogIndex{8}, Term{2}}, NodeId{2});
    trace.take({kOwn, TraceStage::kAppended, 90, LogIndex{9}, Term{3}}, NodeId{3});
    const BatchTrace::Batch& batch = trace.newest_first().front();
    CHECK(batch.at_us[static_cast<size_t>(TraceStage::kDurable)] == 0);
    CHECK(batch.index == LogIndex{9});
    CHECK(batch.term == Term{3});
  }

  TEST_CASE("the ring has its size, and the newest stay") {
    BatchTrace trace;
    trace.set_every(1);
    for (uint64_t sequence = 1; sequence <= BatchTrace::kBatches + 5; ++sequence) {
      trace.handed_over({NodeId{1}, 1, sequence}, 1, 2, 1, 1);
    }
    CHECK(trace.newest_first().size() == BatchTrace::kBatches);
    CHECK(trace.newest_first().front().key.sequence == BatchTrace::kBatches + 5);
    CHECK(trace.newest_first().back().key.sequence == 6);
  }

  TEST_CASE("RAFT.TRACE switches it on and off and tells of it") {
    TestNode node;
    TestClient client(node);
    BatchTrace& trace = node.context.trace;
    CHECK(client.send("RAFT.TRACE ON 5\r\n") == "+OK\r\n");
    CHECK(trace.every().load() == 5);
    CHECK(client.send("RAFT.TRACE GET\r\n") == "*0\r\n");
    trace.handed_over(kOwn, 1000, 1200, 7, 99);
    trace.take({{NodeId{2}, 1, 5}, TraceStage::kAppended, 10, LogIndex{8}, Term{2}}, NodeId{2});
    const std::string two = client.send("RAFT.TRACE GET -1\r\n");
    CHECK(two.starts_with("*2\r\n*28\r\n$5\r\nbatch\r\n$5\r\n2:1:5\r\n"));
    CHECK(two.find("$6\r\n1:3:20\r\n$8\r\ncommands\r\n:7\r\n$5\r\nbytes\r\n:99\r\n") !=
          std::string::npos);
    CHECK(two.find(
              "$7\r\narrived\r\n:0\r\n$11\r\nhanded-over\r\n:200\r\n$8\r\nappended\r\n:-1\r\n") !=
          std::string::npos);
    CHECK(client.send("RAFT.TRACE GET 1\r\n").starts_with("*1\r\n"));
    CHECK(client.send("RAFT.TRACE OFF\r\n") == "+OK\r\n");
    CHECK(trace.every().load() == 0);
    CHECK(client.send("RAFT.TRACE RESET\r\n") == "+OK\r\n");
    CHECK(client.send("RAFT.TRACE GET\r\n") == "*0\r\n");
    for (const char* bad :
         {"RAFT.TRACE ON 0\r\n", "RAFT.TRACE ON x\r\n", "RAFT.TRACE ON\r\n", "RAFT.TRACE GET x\r\n",
          "RAFT.TRACE GET -2\r\n", "RAFT.TRACE OFF 1\r\n", "RAFT.TRACE NOW\r\n"}) {
      CHECK_MESSAGE(client.send(bad).starts_with("-ERR"), bad);
    }
  }
}

}  // namespace
}  // namespace kiwi::resp
