// Long reads beside the loop: in whose turn, on how many views, and whom nobody waits for.
#include "actors/state/long_reads.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/node.hpp"

namespace kiwi::actors {

TEST_SUITE_BEGIN("actors/long reads");

namespace {

using resp::LongRead;
using resp::LongReadResult;

// Views are counted, cost what the test says, and are given when it says so.
class Counted final : public rocks::MemoryKeyspace {
 public:
  uint32_t view_cost() override { return cost; }
  void view_async(std::function<void(std::unique_ptr<rocks::Reader>)> done) override {
    ++views;
    if (held) {
      pending = [this, done = std::move(done)] { done(gives_none ? nullptr : view()); };
    } else {
      done(view());
    }
  }
  uint32_t cost = 0;
  int views = 0;
  bool held = false;
  bool gives_none = false;
  std::function<void()> pending;
};

class Collector {
 public:
  LongReads::Done done() {
    return [this](LongReadResult result) {
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  std::vector<uint64_t> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return results_.size() >= count; });
    std::vector<uint64_t> ids;
    for (const LongReadResult& result : results_) {
      ids.push_back(result.id);
    }
    return ids;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LongReadResult> results_;
};

LongRead read(uint64_t id, resp::ConnectionId connection) {
  return {id, {{connection, id}, resp::RequestKind::kRead, 2, resp::packed({"keys", "*"})}, 0, 0};
}

struct World {
  World() : node(keyspace) {
    node.start();
    node("mset a 1 b 2");
  }
  Counted keyspace;
  resp::Node node;
  Collector told;  // outlives the reads
  LongReads reads{told.done()};
};

}  // namespace

TEST_CASE("a state that is given up has no view: its reads go on with the next one") {
  World w;
  w.keyspace.held = true;
  w.keyspace.gives_none = true;
  w.reads.add({read(1, 10), read(2, 20)});
  w.reads.pump(w.keyspace, 0);
  w.keyspace.pending();
  w.reads.stop();  // does not wait
  CHECK(w.told.wait_for(0).empty());
  w.keyspace.held = false;
  w.keyspace.gives_none = false;
  w.reads.pump(w.keyspace, 1000);
  CHECK(w.told.wait_for(2) == std::vector<uint64_t>{1, 2});
  CHECK(w.keyspace.views == 2);
}

TEST_CASE("each connection has its turn, and keeps its own order [F65]") {
  World w;
  w.reads.add({read(1, 10), read(2, 10), read(3, 10), read(4, 20), read(5, 30), read(6, 30)});
  w.reads.pump(w.keyspace, 0);
  CHECK(w.told.wait_for(6) == std::vector<uint64_t>{1, 4, 5, 2, 6, 3});
  CHECK(w.keyspace.views == 1);
}

TEST_CASE("a newcomer waits for one turn of each connection, not for all they asked [F65]") {
  World w;
  w.keyspace.held = true;
  w.reads.add({read(1, 10), read(2, 10), read(3, 10), read(4, 20)});
  w.reads.pump(w.keyspace, 0);
  w.reads.add({read(5, 30)});  // the view is older than it
  w.keyspace.held = false;
  w.keyspace.pending();
  CHECK(w.told.wait_for(2) == std::vector<uint64_t>{1, 4});
  while (w.told.wait_for(0).size() < 5) {
    w.reads.pump(w.keyspace, 0);
    std::this_thread::yield();
  }
  CHECK(w.told.wait_for(5) == std::vector<uint64_t>{1, 4, 5, 2, 3});
  CHECK(w.keyspace.views == 2);
}

TEST_CASE(
    "who left is not served, who waited too long is told so, and nothing runs for them [F65]") {
  World w;
  w.reads.add({read(1, 10), read(2, 20), read(3, 30)});
  w.reads.drop({1});
  const std::vector<LongReadResult> expired = w.reads.expire({2, 99});
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].id == 2);
  CHECK(expired[0].replies.bytes.starts_with("-TIMEOUT "));
  w.reads.pump(w.keyspace, 0);
  CHECK(w.told.wait_for(1) == std::vector<uint64_t>{3});
}

TEST_CASE("what was not done when the state was exchanged runs on the new one, in order [F44]") {
  World w;
  w.keyspace.held = true;
  w.reads.add({read(1, 10), read(2, 10)});
  w.reads.pump(w.keyspace, 0);
  w.reads.add({read(3, 10)});
  std::thread maker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    w.keyspace.pending();
  });
  w.reads.stop();
  maker.join();
  CHECK(w.told.wait_for(0).empty());
  Counted fresh;
  resp::Node other(fresh);
  other.start();
  w.reads.pump(fresh, 0);
  CHECK(w.told.wait_for(3) == std::vector<uint64_t>{1, 2, 3});
  w.reads.stop();
}

TEST_CASE("a state is exchanged at once, though its view is not made yet [F44, F65]") {
  auto old = std::make_unique<Counted>();
  old->held = true;
  Counted fresh;
  fresh.held = true;
  resp::Node other(fresh);
  other.start();
  Collector told;
  auto reads = std::make_unique<LongReads>(told.done());
  reads->add({read(1, 10), read(2, 10)});
  reads->pump(*old, 0);
  std::future<void> stopped = std::async(std::launch::async, [&] { reads->stop(); });
  const bool at_once = stopped.wait_for(std::chrono::seconds(2)) == std::future_status::ready;
  CHECK(at_once);
  if (!at_once) {
    old->pending();  // or it waits for ever
  }
  stopped.wait();
  reads->add({read(3, 10)});
  reads->pump(fresh, 0);
  if (at_once) {
    old->pending();  // nobody reads it
  }
  old.reset();
  CHECK(told.wait_for(0).empty());
  fresh.pending();
  CHECK(told.wait_for(3) == std::vector<uint64_t>{1, 2, 3});
  reads->add({read(4, 10)});
  while (fresh.views < 2) {  // the view before it has to end first
    reads->pump(fresh, 0);
    std::this_thread::yield();
  }
  std::future<void> ended = std::async(std::launch::async, [&] { reads.reset(); });
  CHECK(ended.wait_for(std::chrono::seconds(2)) == std::future_status::ready);
  fresh.pending();
  ended.wait();
  CHECK(told.wait_for(0).size() == 3);
}

TEST_CASE("views come the more seldom the more compaction owes, and never at its limit [F65]") {
  struct Case {
    uint32_t cost;
    int views;  // within 3.2 s
  };
  for (const Case each : {Case{1, 33}, Case{250, 33}, Case{500, 9}, Case{750, 3}, Case{875, 0}}) {
    CAPTURE(each.cost);
    World w;
    w.keyspace.cost = each.cost;
    size_t asked = 0;
    for (int64_t now_ms = 10'000; now_ms <= 13'200; now_ms += 50) {
      w.reads.add({read(++asked, 10)});
      const int before = w.keyspace.views;
      w.reads.pump(w.keyspace, now_ms);
      if (w.keyspace.views != before) {
        w.told.wait_for(asked);
      }
    }
    CHECK(w.keyspace.views >= each.views / 2);
    CHECK(w.keyspace.views <= each.views);
  }
}

TEST_CASE("ten long reads a second do not slow writers down [F65]") {
  std::string directory =
      (std::filesystem::temp_directory_path() / "kiwi-long-reads-XXXXXX").string();
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  {
    rocks::KeyspaceOptions options;
    options.path = directory + "/state";
    auto opened = rocks::open_table_keyspace(options);
    REQUIRE(opened.has_value());
    rocks::Keyspace& keyspace = **opened;
    resp::Node node(keyspace);
    node.start();
    Collector told;
    LongReads reads(told.done());
    const auto began = std::chrono::steady_clock::now();
    const std::string value(100, 'v');
    uint32_t pressure = 0;
    size_t asked = 0;
    size_t written = 0;
    for (int64_t now_ms = 0; now_ms < 5'000;) {
      std::vector<std::string> argv{"mset"};
      for (int i = 0; i < 40; ++i) {
        argv.push_back("key:" + std::to_string(written++ % 50'000));
        argv.push_back(value);
      }
      node.write(resp::packed(argv));
      pressure = std::max(pressure, keyspace.pressure());
      now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::steady_clock::now() - began)
                   .count();
      if (static_cast<int64_t>(asked) * 100 <= now_ms) {
        ++asked;
        reads.add({read(asked, asked)});
      }
      reads.pump(keyspace, now_ms);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(pressure == 0);
    CHECK(told.wait_for(3).size() >= 3);
    MESSAGE("written: ", written, ", asked: ", asked, ", answered: ", told.wait_for(0).size(),
            ", flushes: ", keyspace.usage().flushes,
            ", level-0 files: ", keyspace.usage().level0_files);
    reads.stop();
  }
  std::filesystem::remove_all(directory);
}

TEST_SUITE_END();

}  // namespace kiwi::actors
