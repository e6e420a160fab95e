// What lists cost at apply, in processor time: not run by default.
//   build/tests/types/types_tests --no-skip -tc='bench list*'
#include <cstdint>
#include <cstdio>
#include <string>

#include "config/base/prng.hpp"
#include "tests/types/bench.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

template <class On>
class ListBench {
 public:
  explicit ListBench(uint64_t elements) : elements_(elements) {}

  void run() {
    Prng random(1);
    const std::string element(100, 'e');
    measure("RPUSH, all elements", elements_,
            [&](List& list) { list.push(ListEnd::kTail, element); });
    measure("RPUSH", 50'000, [&](List& list) { list.push(ListEnd::kTail, element); });
    measure("LPOP", 50'000, [&](List& list) { list.pop(ListEnd::kHead, 1, {}); });
    measure("LSET in the middle", 20'000,
            [&](List& list) { list.replace(random.below(list.size()), element); });
    measure("insert in the middle", 20'000,
            [&](List& list) { list.insert(random.below(list.size()), element); });
    uint64_t sum = 0;
    measure("LINDEX in the middle", 20'000,
            [&](List& list) { sum += list.at(random.below(list.size())).size(); });
    measure("LRANGE of 100", 20'000, [&](List& list) {
      list.range(random.below(list.size() - 100), 100, [&](std::string_view one) {
        sum += one.size();
        return true;
      });
    });
    measure("a search of all", 1, [&](List& list) {
      list.each(ListEnd::kHead, [&](uint64_t, std::string_view one) { return one != "nothing"; });
    });
    std::printf("(%llu)\n", static_cast<unsigned long long>(sum));
  }

 private:
  // 64 commands a turn.
  template <class Step>
  void measure(const char* what, uint64_t steps, Step step) {
    const double began = cpu_seconds();
    for (uint64_t i = 0; i < steps; ++i) {
      world_.command(false, [&] {
        List& list = world_.template open<List>("l");
        step(list);
        list.save();
      });
      if (i % 64 == 63) {
        world_.end_turn();
      }
    }
    const double us = (cpu_seconds() - began) * 1e6 / static_cast<double>(steps);
    std::printf("%-14s %-28s %8.2f us\n", On::kName, what, us);
    std::fflush(stdout);
  }

  const uint64_t elements_;
  World<On> world_;
};

TEST_SUITE_BEGIN("types/list");

TEST_CASE("bench list: a million elements in the table" * doctest::skip()) {
  ListBench<AsServed<&rocks::open_table_keyspace>>(1'000'000).run();
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
