// Long replies and the clients that read them: what is on its way is bounded, who is slow is
// parked and does not hold up others, who is too slow is cut off, and no view outlives its reader.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "actors/state/long_reads.hpp"
#include "config/limits.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::actors {

TEST_SUITE_BEGIN("actors/long replies");

namespace {

using namespace std::chrono_literals;
using resp::LongRead;
using resp::LongReadResult;

constexpr size_t kWindow = config::limits::kReplyWindowBytes;
constexpr size_t kPiece = config::limits::kReplyPieceBytes;

// Counts the views that are held.
class Counted final : public rocks::MemoryKeyspace {
 public:
  void view_async(std::function<void(std::unique_ptr<rocks::Reader>)> done) override {
    ++views;
    done(std::make_unique<View>(view(), held));
  }
  int views = 0;
  std::atomic<int> held{0};

 private:
  class View final : public rocks::Reader {
   public:
    View(std::unique_ptr<rocks::Reader> view, std::atomic<int>& held)
        : view_(std::move(view)), held_(held) {
      ++held_;
    }
    ~View() override { --held_; }
    std::optional<std::string_view> get(rocks::Family family,
                                        const rocks::LookupKey& key) override {
      return view_->get(family, key);
    }
    std::unique_ptr<rocks::Cursor> cursor(rocks::Family family,
                                          std::string_view from,
                                          std::string_view to) override {
      return view_->cursor(family, from, to);
    }
    std::unique_ptr<rocks::ReverseCursor> reverse_cursor(rocks::Family family,
                                                         std::string_view from,
                                                         std::string_view to) override {
      return view_->reverse_cursor(family, from, to);
    }
    uint64_t hash(std::string_view key) const override { return view_->hash(key); }
    void expect_reads(rocks::Family family, std::span<const rocks::LookupKey> keys) override {
      view_->expect_reads(family, keys);
    }

   private:
    std::unique_ptr<rocks::Reader> view_;
    std::atomic<int>& held_;
  };
};

// What the loop does with results; clients take as much as the test says.
struct World {
  explicit World(const LongReadLimits& limits = {})
      : node(keyspace), reads([this](LongReadResult result) { take(std::move(result)); }, limits) {
    node.start();
    for (int i = 0; i < 400; ++i) {  // 4 MB
      node.run({"sadd", "set", std::to_string(i) + std::string(10'000, 'm')});
    }
    node.run({"set", "small", "v"});
    whole = node.run({"smembers", "set"});
    REQUIRE(whole.size() > 3 * kWindow);
  }

  void take(LongReadResult result) {
    const std::lock_guard lock(mutex);
    if (result.id != 0) {
      Answer& answer = answers[result.id];
      answer.bytes += result.replies.bytes;
      answer.on_its_way += result.replies.more ? result.replies.bytes.size() : 0;
      answer.most = std::max(answer.most, answer.on_its_way);
      answer.over = !result.replies.more;
      answer.lost = result.replies.lost;
    }
    changed.notify_all();
  }
  static LongRead read(uint64_t id,
                       resp::ConnectionId connection,
                       const std::vector<std::string>& argv) {
    return {.id = id,
            .op = {{connection, id}, resp::RequestKind::kRead, 2, resp::packed(argv)},
            .now_ms = 1'000'000};
  }
  static LongRead all_of_it(uint64_t id, resp::ConnectionId connection) {
    return read(id, connection, {"smembers", "set"});
  }
  static LongRead little(uint64_t id, resp::ConnectionId connection) {
    return read(id, connection, {"get", "small"});
  }
  // The client reads whatever is there; how much that was.
  size_t client_reads(uint64_t id) {
    size_t bytes = 0;
    {
      const std::lock_guard lock(mutex);
      bytes = std::exchange(answers[id].on_its_way, 0);
    }
    if (bytes != 0) {
      reads.taken({id, bytes});
    }
    return bytes;
  }
  void client_reads_all(uint64_t id) {
    bool over = false;
    while (!over) {
      REQUIRE(until([&] { return answers[id].on_its_way != 0 || answers[id].over; }));
      client_reads(id);
      const std::lock_guard lock(mutex);
      over = answers[id].over;
    }
  }
  // Pumps until `done` or for 20 s.
  template <class Until>
  bool until(Until done) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    for (;;) {
      reads.pump(keyspace, 0);
      std::unique_lock lock(mutex);
      if (done()) {
        return true;
      }
      if (std::chrono::steady_clock::now() > end) {
        return false;
      }
      changed.wait_for(lock, 5ms);
    }
  }
  bool until_over(uint64_t id) {
    return until([&] { return answers[id].over; });
  }

  struct Answer {
    std::string bytes;
    size_t on_its_way = 0;
    size_t most = 0;
    bool over = false;
    bool lost = false;
  };
  Counted keyspace;
  resp::Node node;
  std::string whole;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, Answer> answers;
  LongReads reads;  // last: it uses the others
};

}  // namespace

TEST_CASE("of a long reply a window is on its way, however long it is [F45]") {
  World w;
  w.reads.add({World::all_of_it(1, 10)});
  CHECK(w.until([&] { return w.answers[1].on_its_way >= kWindow; }));
  std::this_thread::sleep_for(50ms);
  {
    const std::lock_guard lock(w.mutex);
    CHECK(w.answers[1].on_its_way <= kWindow + kPiece);
    CHECK_FALSE(w.answers[1].over);
  }
  w.client_reads_all(1);
  CHECK(w.answers[1].bytes == w.whole);
  CHECK(w.answers[1].most <= kWindow + kPiece);
}

TEST_CASE("who reads slowly holds up nobody else, and its own reads stay in order [F44, F65]") {
  World w;
  w.reads.add({World::all_of_it(1, 10), World::little(2, 10), World::little(3, 20)});
  CHECK(w.until_over(3));
  {
    const std::lock_guard lock(w.mutex);
    CHECK_FALSE(w.answers[1].over);
    CHECK_FALSE(w.answers.contains(2));
  }
  w.reads.add({World::little(4, 10)});
  w.client_reads_all(1);
  CHECK(w.until_over(2));
  CHECK(w.until_over(4));
  CHECK(w.answers[1].bytes == w.whole);
  CHECK(w.keyspace.views >= 2);
  w.reads.stop();
  CHECK(w.keyspace.held == 0);
}

TEST_CASE("a client that left frees its view at once [F65]") {
  World w;
  w.reads.add({World::all_of_it(1, 10)});
  CHECK(w.until([&] { return w.answers[1].on_its_way >= kWindow; }));
  CHECK(w.keyspace.held == 1);
  w.reads.drop({1});
  CHECK(w.until([&] { return w.keyspace.held == 0; }));
  CHECK_FALSE(w.answers[1].over);
}

TEST_CASE("lanes are few: who takes nothing gives way to who waits, else after longer [F45, F65]") {
  LongReadLimits limits;
  limits.lanes = 2;
  limits.patience = 1ms;
  limits.silence_of_few = 100ms;
  World w(limits);
  w.reads.add({World::all_of_it(1, 10)});
  CHECK(w.until([&] { return w.answers[1].on_its_way >= kWindow; }));
  w.reads.add({World::all_of_it(2, 20)});
  CHECK(w.until([&] { return w.answers[2].on_its_way >= kWindow; }));
  std::this_thread::sleep_for(200ms);
  w.reads.pump(w.keyspace, 0);
  {
    const std::lock_guard lock(w.mutex);
    CHECK_FALSE(w.answers[1].over);  // nobody waits
  }
  w.reads.add({World::little(3, 30)});
  CHECK(w.until_over(3));
  CHECK(w.answers[3].bytes == "$1\r\nv\r\n");
  // Both had been silent for long enough; which of them longer, and whether the other one's time
  // was up as well before this looked, is the machine's business.
  const std::lock_guard lock(w.mutex);
  CHECK((w.answers[1].lost || w.answers[2].lost));
  CHECK(w.answers[w.answers[1].lost ? 1 : 2].over);
}

TEST_CASE("no view lives for ever, whoever reads from it [F65]") {
  LongReadLimits limits;
  limits.view_age = 100ms;
  World w(limits);
  w.reads.add({World::all_of_it(1, 10)});
  CHECK(w.until_over(1));
  CHECK(w.answers[1].lost);
  CHECK(w.until([&] { return w.keyspace.held == 0; }));
}

TEST_CASE("when the state is exchanged, half a reply is broken off, and what waits goes on [F44]") {
  World w;
  w.reads.add({World::all_of_it(1, 10), World::little(2, 10)});
  CHECK(w.until([&] { return w.answers[1].on_its_way >= kWindow; }));
  w.reads.stop();
  CHECK(w.keyspace.held == 0);
  CHECK(w.answers[1].lost);
  CHECK_FALSE(w.answers.contains(2));
  CHECK(w.until_over(2));
  CHECK_FALSE(w.answers[2].lost);
}

TEST_SUITE_END();

}  // namespace kiwi::actors
