// Long replies that leave in pieces: the same bytes as whole ones, whatever stands first and is
// known last; who leaves the turn for them; what a reader that fails in the middle leaves.
#include "resp/reply_stream.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/long_read.hpp"
#include "resp/resp_writer.hpp"
#include "resp/types/steps.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/reply stream");

namespace {

class Collected final : public ReplySink {
 public:
  void piece(std::string bytes) override {
    REQUIRE_FALSE(bytes.empty());
    longest = std::max(longest, bytes.size());
    ++pieces;
    all += bytes;
    if (pieces == stop_after) {
      throw Stopped();
    }
  }
  std::string all;
  size_t pieces = 0;
  size_t longest = 0;
  size_t stop_after = 0;
};

constexpr size_t kPiece = 64;
constexpr size_t kLate = 200;

// Values, arrays of a known length, and such whose length is known last, in each other.
void write_some(ReplyWriter& reply, Prng& prng, int depth) {
  const uint64_t items = prng.below(depth == 0 ? 40 : 6);
  const bool late = prng.chance(1, 2);
  size_t begin = 0;
  if (late) {
    begin = reply.where();
  } else {
    reply.array(items);
  }
  for (uint64_t i = 0; i < items; ++i) {
    switch (prng.below(depth < 4 ? 5 : 3)) {
      case 0:
        reply.integer(static_cast<int64_t>(prng.below(1000)));
        break;
      case 1:
        reply.bulk(std::string(prng.below(20), 'a'));
        break;
      case 2: {
        const size_t bytes = 1 + prng.below(3 * kPiece);
        if (prng.chance(1, 2)) {
          reply.bulk(std::string(bytes, 'b'));
        } else {
          reply.bulk_head(bytes);
          for (size_t left = bytes; left != 0;) {
            const size_t part = std::min<size_t>(left, 1 + prng.below(50));
            reply.bulk_part(std::string(part, 'c'));
            left -= part;
          }
        }
        break;
      }
      default:
        write_some(reply, prng, depth + 1);
    }
  }
  if (late) {
    const size_t head = reply.where();
    reply.array(items);
    if (prng.chance(1, 3)) {
      reply.integer(-1);  // a head of two values, as of a page of SCAN
    }
    reply.put_first(begin, head);
  }
}

std::string in_pieces(Collected& sink, const std::function<void(ReplyWriter&)>& write) {
  ReplyStream stream(sink, kPiece, kLate);
  auto pass = [&] {
    std::string out;
    RespWriter reply(&out, 2, kPiece, RespWriter::Beyond::kThrow, &stream);
    write(reply);
    return out;
  };
  try {
    return pass();
  } catch (const LateHeads&) {
    stream.measure();
    pass();
    stream.send();
    return pass();
  }
}

}  // namespace

TEST_CASE("a reply has the same bytes in pieces, also where its heads are known last [F45]") {
  size_t many = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    CAPTURE(seed);
    auto write = [seed](ReplyWriter& reply) {
      Prng prng(seed);
      write_some(reply, prng, 0);
    };
    std::string whole;
    RespWriter reply(&whole);
    write(reply);
    Collected sink;
    const std::string rest = in_pieces(sink, write);
    REQUIRE(sink.all + rest == whole);
    CHECK(rest.size() <= kLate + 4 * kPiece);
    CHECK(sink.longest <= kLate + 4 * kPiece);  // a value, and what waited for a head
    many += sink.pieces > 10 ? 1 : 0;
  }
  CHECK(many > 100);
}

TEST_CASE("what is sent before a late head makes the reply begin anew is not sent again") {
  Collected sink;
  auto write = [](ReplyWriter& reply) {
    reply.array(2);
    reply.array(100);
    for (int i = 0; i < 100; ++i) {
      reply.bulk("0123456789");
    }
    const size_t begin = reply.where();
    for (int i = 0; i < 100; ++i) {
      reply.bulk("abcdefghij");
    }
    const size_t head = reply.where();
    reply.array(100);
    reply.put_first(begin, head);
  };
  std::string whole;
  RespWriter reply(&whole);
  write(reply);
  const std::string rest = in_pieces(sink, write);
  CHECK(sink.all + rest == whole);
}

namespace {

struct World {
  explicit World(ExecutorOptions options = {}) : node(keyspace, options) {
    node.start();
    for (int i = 0; i < 200; ++i) {
      const std::string n = std::to_string(i);
      node("set key" + n + " v");
      node("sadd set member" + n);
      node("hset hash field" + n + " value" + n);
      node("rpush list element" + n);
      node("zadd zset " + n + " member" + n);
      node("xadd stream " + std::to_string(i + 1) + "-0 f " + n);
    }
    node.run({"set", "long", std::string(100'000, 'x')});
  }
  LongRead read(const std::string& words) {
    std::vector<std::string> argv(1);
    for (char c : words) {
      if (c == ' ') {
        argv.emplace_back();
      } else {
        argv.back().push_back(c);
      }
    }
    return {.id = 1, .op = {{1, 0}, RequestKind::kRead, 2, packed(argv)}, .now_ms = node.clock()};
  }
  rocks::MemoryKeyspace keyspace;
  Node node;
  std::atomic<bool> stop{false};
};

}  // namespace

TEST_CASE("a long read answers the same in pieces as whole, and holds little of it [F45]") {
  World w;
  for (const char* words : {"keys *",
                            "keys *9",
                            "scan 0 count 150",
                            "smembers set",
                            "sscan set 0 count 500",
                            "sunion set hash2",
                            "hgetall hash",
                            "hkeys hash",
                            "hscan hash 0 count 500",
                            "lrange list 0 -1",
                            "zrange zset 0 -1 withscores",
                            "zrangebyscore zset 5 150",
                            "xrange stream - +",
                            "xread count 150 streams stream 0",
                            "get long",
                            "getrange long 5 70000",
                            "sort list alpha",
                            "mget long key1 long",
                            "get key1",
                            "get nothing",
                            "get set",
                            "cluster getkeysinslot 866 100"}) {
    INFO(words);
    std::unique_ptr<rocks::Reader> view = w.keyspace.view();
    const LongReadResult whole = run_long_read(*view, w.read(words), w.stop);
    Collected sink;
    ReplyStream stream(sink, kPiece, kLate);
    const LongReadResult result = run_long_read(*view, w.read(words), w.stop, &stream);
    REQUIRE(result.replies.parts.size() == 1);
    CHECK(sink.all + result.replies.bytes == whole.replies.bytes);
    CHECK(sink.longest < 10'000);
    CHECK(result.replies.bytes.size() < 10'000);
  }
}

TEST_CASE("a read that is stopped in the middle of its reply says so") {
  World w;
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  for (const char* words : {"smembers set", "keys *"}) {
    Collected sink;
    sink.stop_after = 3;
    ReplyStream stream(sink, kPiece, kLate);
    CHECK(run_long_read(*view, w.read(words), w.stop, &stream).stopped);
    CHECK(sink.pieces == 3);
  }
}

TEST_CASE("what the node itself asks, and blocks, come whole") {
  World w;
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  Collected sink;
  ReplyStream stream(sink, kPiece, kLate);
  LongRead block = w.read("get key1");
  std::string block_bytes;
  const std::vector<std::string> inside = {packed({"smembers", "set"})};
  pack_transaction(block_bytes, 0, {}, inside);
  block.op.packed = std::move(block_bytes);
  CHECK_FALSE(run_long_read(*view, block, w.stop, &stream).replies.bytes.empty());
  CHECK_FALSE(
      run_long_read(*view, w.read("kiwi.migrate set"), w.stop, &stream).replies.bytes.empty());
  CHECK(sink.pieces == 0);
}

TEST_CASE("a read with a long reply leaves its turn, whatever its command [F45]") {
  ExecutorOptions options;
  options.long_read_elements = 10'000;
  options.long_reply_bytes = 50'000;
  World w(options);
  for (const std::vector<std::string>& argv :
       {std::vector<std::string>{"get", "long"}, {"mget", "key1", "long"}}) {
    const ExecutorEffects effects =
        w.node.read_effects(packed(argv), RequestKind::kRead, w.node.clock());
    CHECK(effects.replies.empty());
    REQUIRE(effects.long_reads.size() == 1);
    CHECK(effects.reads.split.size() == 1);
    std::unique_ptr<rocks::Reader> view = w.keyspace.view();
    w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], w.stop));
    CHECK(Node::bytes_of(w.node.executor().take_effects()).size() > 100'000);
  }
  CHECK(w.node.run({"getrange", "long", "0", "40000"}).size() > 40'000);  // in its turn
  // Which cannot be put aside with a clock that was held back.
  const ExecutorEffects clamped =
      w.node.read_effects(packed({"get", "long"}), RequestKind::kRead, w.node.clock(), true);
  CHECK(clamped.long_reads.empty());
  CHECK(clamped.reads.again.size() == 1);
}

TEST_CASE("pieces go to their client, and the read is over with the last one only") {
  ExecutorOptions options;
  options.long_read_elements = 50;
  World w(options);
  ExecutorEffects effects =
      w.node.read_effects(packed({"smembers", "set"}), RequestKind::kRead, w.node.clock());
  REQUIRE(effects.long_reads.size() == 1);
  LongReadResult piece;
  piece.id = effects.long_reads[0].id;
  piece.replies.connection = 1;
  piece.replies.bytes = "*200\r\n";
  piece.replies.parts = {{0, 0, 6}};
  piece.replies.more = true;
  piece.replies.read = piece.id;
  w.node.executor().long_read_done(piece);
  effects = w.node.executor().take_effects();
  REQUIRE(effects.replies.size() == 1);
  CHECK(effects.replies[0].more);
  CHECK(effects.reads.done.empty());
  LongReadResult last = piece;
  last.replies.more = false;
  w.node.executor().long_read_done(last);
  CHECK(w.node.executor().take_effects().reads.done == std::vector<uint64_t>{piece.id});
  w.node.executor().long_read_done(piece);  // its client left, or it is over
  CHECK(w.node.executor().take_effects().replies.empty());
}

TEST_SUITE_END();

}  // namespace kiwi::resp
