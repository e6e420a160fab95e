// Clients of several nodes that cache keys: what one changes is told to the others, and no value
// stays old (SERVICES 4.1).
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/reply_size.hpp"
#include "tests/actors/cluster.hpp"

namespace kiwi::actors::test {
namespace {

constexpr char kEverything[] = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

void wait_for_leader(Cluster& cluster) {
  for (int i = 0; i < 400 && !cluster.leader(); ++i) {
    cluster.run_ms(50);
  }
  REQUIRE(cluster.leader().has_value());
  cluster.run_ms(500);
}

size_t follower_of(const Cluster& cluster) { return (*cluster.leader() + 1) % 3; }

std::string of_key(const std::string& key) {
  return ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n";
}

// A client in RESP3 that keeps what it read until it is told, and writes as well.
class Cacher {
 public:
  Cacher(Cluster& cluster, size_t node) : cluster_(cluster), client_(cluster.connect(node)) {
    cluster.command(client_, "HELLO 3");
    CHECK(cluster.command(client_, "CLIENT TRACKING ON") == "+OK\r\n");
  }
  void get(const std::string& key) {
    cluster_.send(client_, "GET " + key + "\r\n");
    asked_.push_back(key);
  }
  void set(const std::string& key, const std::string& value) {
    cluster_.send(client_, "SET " + key + " " + value + "\r\n");
    asked_.push_back("");
  }
  void take() {
    input_ += cluster_.take(client_);
    for (size_t size = resp::reply_size(input_); size > 0; size = resp::reply_size(input_)) {
      const std::string one = input_.substr(0, size);
      input_.erase(0, size);
      if (one.starts_with('>')) {
        invalidated(one);
      } else {
        answered(one);
      }
      if (input_.empty()) {
        break;
      }
    }
  }
  const std::map<std::string, std::string>& cached() const { return cached_; }
  size_t flushes() const { return flushes_; }
  size_t told() const { return told_; }

 private:
  void invalidated(const std::string& push) {
    if (push == kEverything) {
      ++flushes_;
      cached_.clear();
      return;
    }
    ++told_;
    for (auto at = cached_.begin(); at != cached_.end();) {
      at = push == of_key(at->first) ? cached_.erase(at) : std::next(at);
    }
  }
  void answered(const std::string& reply) {
    REQUIRE(!asked_.empty());
    if (!asked_.front().empty() && !reply.starts_with('-')) {
      cached_[asked_.front()] = reply;
    }
    asked_.pop_front();
  }

  Cluster& cluster_;
  int client_;
  std::string input_;
  std::deque<std::string> asked_;  // keys; empty: a write
  std::map<std::string, std::string> cached_;
  size_t flushes_ = 0;
  size_t told_ = 0;
};

}  // namespace

TEST_CASE("a change on one node is told on the others, once a commit is known") {
  Cluster cluster(3, 1);
  wait_for_leader(cluster);
  Cacher cacher(cluster, follower_of(cluster));
  cacher.get("k");
  cluster.run_ms(300);
  cacher.take();
  CHECK(cacher.cached() == std::map<std::string, std::string>{{"k", "_\r\n"}});
  const int writer = cluster.connect(*cluster.leader());
  REQUIRE(cluster.command(writer, "SET k v") == "+OK\r\n");
  cluster.run_ms(20);  // no heartbeat is waited for [T4]
  cacher.take();
  CHECK(cacher.cached().empty());
  CHECK(cacher.told() == 1);
  CHECK(cacher.flushes() == 0);
}

TEST_CASE("who is cut off is told that everything may have changed, in time [T5]") {
  for (const bool leader : {false, true}) {
    CAPTURE(leader);
    Cluster cluster(3, 2);
    wait_for_leader(cluster);
    const size_t node = leader ? *cluster.leader() : follower_of(cluster);
    Cacher cacher(cluster, node);
    cacher.get("k");
    cluster.run_ms(300);
    cacher.take();
    REQUIRE(cacher.cached().size() == 1);
    cluster.cut(node, true);
    cluster.run_ms(800);  // twice the election timeout, and what it takes to notice
    cacher.take();
    CHECK(cacher.cached().empty());
    CHECK(cacher.flushes() >= 1);
    cluster.run_ms(1000);
    cacher.take();
    CHECK(cacher.flushes() >= 3);
    cluster.cut(node, false);
    cluster.run_ms(2000);
    cacher.take();
    const size_t flushes = cacher.flushes();
    cluster.run_ms(2000);
    cacher.take();
    CHECK(cacher.flushes() == flushes);
  }
}

TEST_CASE("whatever is lost on the way, caches agree with the data once all is quiet") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    Prng prng(seed);
    std::vector<Cacher> cachers;
    for (size_t node = 0; node < 3; ++node) {
      cachers.emplace_back(cluster, node);
    }
    cluster.set_faults({60, 60, 200, 60});
    const size_t cut_off = prng.below(3);
    for (int step = 0; step < 150; ++step) {
      Cacher& cacher = cachers[prng.below(3)];
      const std::string key(1, static_cast<char>('a' + prng.below(5)));
      if (prng.below(3) == 0) {
        cacher.set(key, std::to_string(step));
      } else {
        cacher.get(key);
      }
      cluster.run_ms(static_cast<int64_t>(prng.below(40)));
      if (step == 60 || step == 90) {
        cluster.cut(cut_off, step == 60);
      }
      for (Cacher& one : cachers) {
        one.take();
      }
    }
    cluster.set_faults({});
    cluster.run_ms(15'000);
    size_t told = 0;
    const int reader = cluster.connect(0);
    cluster.command(reader, "HELLO 3");
    for (Cacher& cacher : cachers) {
      cacher.take();
      told += cacher.told();
      for (const auto& [key, value] : cacher.cached()) {
        CHECK(cluster.command(reader, "GET " + key) == value);
      }
    }
    CHECK(told > 10);
  }
}

}  // namespace kiwi::actors::test
