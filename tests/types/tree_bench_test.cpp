// What trees cost at apply, in processor time: not run by default.
//   build/tests/types/types_tests --no-skip -tc='bench tree*'
// The program's own code is not optimised, the library is: what is timed is in the library, but for
// a few calls a round.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "config/base/prng.hpp"
#include "tests/types/bench.hpp"
#include "tests/types/tree_world.hpp"

namespace kiwi::resp::types_test {
namespace {

template <class On>
class Bench {
 public:
  explicit Bench(uint64_t members) : members_(members) {}

  // One step is one ZADD, ZRANK and so on, 64 steps a turn, as the page of figures has them.
  template <class Step>
  void measure(const char* what, uint64_t steps, Step step) {
    const double began = cpu_seconds();
    for (uint64_t i = 0; i < steps; ++i) {
      step(i);
      if (i % 64 == 63) {
        world_.commit();
      }
    }
    const double us = (cpu_seconds() - began) * 1e6 / static_cast<double>(steps);
    std::printf("%-14s %-28s %8.2f us\n", On::kName, what, us);
    std::fflush(stdout);
  }

  void run() {
    Prng random(1);
    std::vector<double> scores(members_);
    for (double& score : scores) {
      score = static_cast<double>(random.next() >> 11);
    }
    const auto member = [](uint64_t i) { return "member:" + std::to_string(100000000 + i); };
    measure("insert, all members", members_, [&](uint64_t i) {
      world_.command([&](Tree& tree) { tree.insert(scored(scores[i], member(i))); });
    });
    std::printf("height %u\n", world_.tree().height());
    measure("insert new", 20000, [&](uint64_t i) {
      const double score = static_cast<double>(random.next() >> 11);
      world_.command([&](Tree& tree) { tree.insert(scored(score, member(members_ + i))); });
    });
    measure("move", 20000, [&](uint64_t) {
      const uint64_t i = random.below(members_);
      const double score = static_cast<double>(random.next() >> 11);
      world_.command([&](Tree& tree) {
        REQUIRE(tree.move(scored_key(scores[i], member(i)), scored(score, member(i))));
      });
      scores[i] = score;
    });
    uint64_t sum = 0;
    measure("rank", 20000, [&](uint64_t) {
      const uint64_t i = random.below(members_);
      sum += world_.tree().rank(scored_key(scores[i], member(i)));
    });
    measure("10 from the middle", 20000, [&](uint64_t) {
      world_.tree().visit(random.below(members_ - 10), 10, [&](const LeafEntry& entry) {
        sum += entry.bytes.size();
        return true;
      });
    });
    measure("pop the first", 20000,
            [&](uint64_t) { world_.command([&](Tree& tree) { tree.remove_at(0); }); });
    std::printf("(%llu)\n", static_cast<unsigned long long>(sum));
  }

 private:
  const uint64_t members_;
  TreeWorld<On> world_{LeafKind::kSortedSet, kShape};
};

TEST_SUITE_BEGIN("types/tree");

TEST_CASE("bench tree: a million members in the table" * doctest::skip()) {
  Bench<AsServed<&rocks::open_table_keyspace>>(1'000'000).run();
}

TEST_CASE("bench tree: a million members on the plain adaptor" * doctest::skip()) {
  Bench<AsServed<&rocks::open_plain_keyspace>>(1'000'000).run();
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
