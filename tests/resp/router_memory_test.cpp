// What the router keeps: nothing of a request that went on, however long a connection goes on
// asking and however deep its pipeline is.
#include <algorithm>

#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/router: memory");

namespace {

// A client that has `outstanding` requests under way, `reads` of them for each write, until it was
// answered `total` times. What a turn hands over is done in the next one.
class DeepPipeline {
 public:
  DeepPipeline(RouterHarness& h, size_t outstanding, size_t reads, size_t value_bytes)
      : h_(h),
        outstanding_(outstanding),
        reads_(reads),
        write_("w" + std::string(value_bytes, 'v')) {}

  void run(size_t total) {
    size_t answered = 0;
    while (answered < total) {
      ask();
      const RouterEffects effects = h_.turn();
      capacity_max_ = std::max(capacity_max_, h_.router.status().deferred_capacity_bytes);
      answered += finish(effects);
    }
  }
  void drain() {
    while (under_way_ > 0) {
      finish(h_.turn());
    }
  }
  uint64_t capacity_max() const { return capacity_max_; }

 private:
  void ask() {
    std::vector<std::string> commands;
    for (; under_way_ < outstanding_; ++under_way_) {
      commands.push_back(asked_++ % (reads_ + 1) == 0 ? write_ : "r a key of some length");
    }
    h_.pipeline(1, commands);
  }

  size_t finish(const RouterEffects& effects) {
    size_t done = 0;
    for (const ReadIndexAsk& ask : effects.read_index) {
      h_.router.read_ready({.id = ask.id, .ok = true, .index = LogIndex{1}, .now_ms = h_.now},
                           h_.now);
    }
    for (const auto& batch : effects.expect) {
      done += batch->ops.size();
      h_.settle(batch->sequence);
    }
    for (const ReadBatch& batch : effects.run_reads) {
      done += batch.ops.size();
      h_.router.reads_done(batch.id, h_.now);
    }
    idle_turns_ = done == 0 ? idle_turns_ + 1 : 0;
    REQUIRE(idle_turns_ < 3);  // the answer to a ReadIndex is in the next turn's effects
    under_way_ -= done;
    return done;
  }

  RouterHarness& h_;
  size_t outstanding_;
  size_t reads_;
  std::string write_;
  size_t asked_ = 0;
  size_t under_way_ = 0;
  int idle_turns_ = 0;
  uint64_t capacity_max_ = 0;
};

constexpr size_t kOutstanding = 2000;

}  // namespace

TEST_CASE("a deep pipeline of reads and writes is held once, however long it lasts [F47]") {
  for (const size_t reads : {size_t{4}, size_t{9}, size_t{20}}) {
    CAPTURE(reads);
    RouterHarness h;
    h.up();
    DeepPipeline client(h, kOutstanding, reads, 100);
    client.run(100'000);
    // A place is 64 bytes and its command's; twice that for the places which wait to be reused.
    CHECK(client.capacity_max() <= 2 * kOutstanding * (64 + 128));
    client.drain();
    CHECK(h.router.status().deferred_requests == 0);
    CHECK(h.router.status().deferred_capacity_bytes <= 4096);
  }
}

TEST_CASE("connections that write and go leave no more than a bound behind [F47]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 100'000;
  RouterHarness h(options);
  h.up();
  h.lead(NodeId{}, 2, false);  // an election: nothing can be handed over
  h.pipeline(1, {"w of one that stays", "r its read"});
  for (ConnectionId id = 2; id < 100; ++id) {
    h.pipeline(id, {"w" + std::string(5000, 'v'), "r", "w" + std::string(5000, 'v')});
    h.router.connection_closed(id);
  }
  CHECK(h.router.status().waiting_bytes <= 100'000 + 10'000);
  h.lead(RouterHarness::kSelf, 3);
  std::vector<std::string> written;
  for (uint64_t sequence = 1;; ++sequence) {
    const RouterEffects effects = h.turn();
    if (effects.propose.empty()) {
      break;
    }
    for (const raft::Proposal& proposal : effects.propose) {
      for (const std::string& command : commands_of(proposal.payload)) {
        written.push_back(command.substr(0, 20));
      }
      h.settle(proposal.number.sequence);
    }
  }
  REQUIRE(!written.empty());
  CHECK(written[0] == "w of one that stays");
  CHECK(written.size() >= 19);  // what came while there was room
  CHECK(written.size() <= 23);
  CHECK(h.router.status().waiting_bytes == 0);
  CHECK(h.router.status().pending_batches == 0);
}

TEST_CASE("connections that read and go leave no more than a bound at the executor [F47]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 100'000;
  RouterHarness h(options);
  h.up();
  size_t held = 0;
  std::vector<uint64_t> batches;
  auto turn = [&] {
    const RouterEffects effects = h.turn();
    for (const ReadIndexAsk& ask : effects.read_index) {
      h.router.read_ready({.id = ask.id, .ok = true, .index = LogIndex{100}, .now_ms = h.now},
                          h.now);
    }
    for (const ReadBatch& batch : h.take().run_reads) {  // its index does not come
      batches.push_back(batch.id);
      for (const ReadOp& op : batch.ops) {
        held += op.packed.size();
      }
    }
  };
  for (ConnectionId id = 1; id < 200; ++id) {
    h.pipeline(id, {"r" + std::string(5000, 'k')});
    turn();
    h.router.connection_closed(id);
  }
  CHECK(held >= 95'000);
  CHECK(held <= 110'000);
  h.tick(100);  // forgets those that wait here
  h.pipeline(500, {"r of one that stays"});
  for (const uint64_t batch : batches) {
    h.router.reads_done(batch, h.now);
  }
  held = 0;
  turn();
  CHECK(held == std::string("r of one that stays").size());
}

TEST_CASE("what leaves an open batch takes nothing of the others along [F47]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 1000;
  RouterHarness h(options);
  h.up();
  h.lead(NodeId{}, 2, false);
  h.pipeline(1, {"w1", "r1"});
  h.pipeline(2, {"w" + std::string(2000, 'x'), "r of two"});
  h.pipeline(3, {"w3", "r3"});
  h.pipeline(2, {"w more of two"});
  h.router.connection_closed(2);
  h.lead(RouterHarness::kSelf, 3);
  const RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(commands_of(effects.expect[0]->payload) == std::vector<std::string>{"w1", "w3"});
  std::vector<ReplySlot> slots;
  for (const PendingOp& op : effects.expect[0]->ops) {
    slots.push_back(op.to);
  }
  CHECK(slots == std::vector<ReplySlot>{{1, 1}, {1, 2}, {3, 1}, {3, 2}});
  h.settle(1);
  CHECK(h.router.status().waiting_bytes == 0);
}

// Its requests stand in the batch in two parts: it was forgotten at the first of them.
TEST_CASE("a connection that closed is forgotten once when what it has in a batch is given up") {
  RouterHarness h;
  h.up();
  h.lead(NodeId{}, 2, false);
  h.pipeline(1, {"w1"});
  RequestBatch blocking;
  blocking.connection = 1;
  blocking.buffer = "b";
  blocking.requests.push_back({.slot = ++h.slots[1], .kind = RequestKind::kBlocking, .size = 1});
  h.router.requests(std::move(blocking), h.now);
  h.pipeline(2, {"w2"});
  h.pipeline(1, {"w more of one"});
  h.router.connection_closed(1);
  const RouterEffects effects = h.tick(RouterHarness::default_options().response_timeout_ms);
  CHECK(effects.gone == std::vector<ConnectionId>{1});  // it was to wait, so the executor is told
  CHECK(h.reply(1, 1).empty());
  CHECK(h.reply(2, 1) == error_line(texts::kNoLeader));
  CHECK(h.router.status().waiting_bytes == 0);
  h.lead(RouterHarness::kSelf, 3);
  h.pipeline(2, {"w3"});
  CHECK(h.turn().expect.size() == 1);
}

TEST_CASE(
    "a command that no link carries is refused with a sentence, and void takes its number [F50]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1"});
  h.turn();
  h.refuse(1, raft::RefusalReason::kTooLarge);
  const RouterEffects effects = h.turn();
  REQUIRE(effects.propose.size() == 1);
  CHECK(is_void(effects.propose[0]));
  CHECK(h.reply(1, 1).starts_with("-ERR the command is larger than what the nodes"));
  h.settle(1, false);
  h.pipeline(1, {"w2"});
  CHECK(sequences_of(h.turn()) == std::vector<uint64_t>{2});
}

TEST_SUITE_END();

}  // namespace kiwi::resp
