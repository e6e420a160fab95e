// How sorted sets lie in records: when they spread, ranges at their edges, -0, members of any size,
// what many members at once cost.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "config/base/prng.hpp"
#include "resp/types/zset.hpp"
#include "tests/types/world.hpp"
#include "tests/types/zset_audit.hpp"

namespace kiwi::resp::types_test {
namespace {

// As changes of one key "z"; returns how many records stand beside the key's.
template <class Body>
Records change(World<InMemory>& w, Body body) {
  w.command(false, [&] {
    ZSet& set = w.open<ZSet>("z");
    body(set);
    set.save();
  });
  w.end_turn();
  w.begin();
  return {w.records(rocks::Family::kElement), w.records(rocks::Family::kNode)};
}

TEST_SUITE_BEGIN("types/zset");

TEST_CASE(
    "a sorted set is one record up to 2,048 bytes of entries, spread beyond, and never back") {
  World<InMemory> w;
  const std::string filler(50, 'x');  // with its head and score: 1 + 8 + 52
  const auto member = [&](int i) { return std::to_string(10 + i) + filler; };
  Records records = change(w, [&](ZSet& set) {
    for (int i = 0; i < 33; ++i) {
      set.add(i, member(i));
    }
  });
  CHECK(w.find("z").meta.value.size() == 33 * 61);
  CHECK(records.members == 0);
  records = change(w, [&](ZSet& set) { set.add(-1, std::string(2048 - 33 * 61 - 9, 'y')); });
  CHECK(w.find("z").meta.value.size() == 2048);
  CHECK(records.members + records.nodes == 0);
  CHECK(!w.find("z").meta.converted);
  // A score of another is no byte more.
  records =
      change(w, [&](ZSet& set) { CHECK(set.add(1e300, member(0)).outcome == AddOutcome::kMoved); });
  CHECK(records.members + records.nodes == 0);
  records = change(w, [&](ZSet& set) { set.add(7, ""); });
  CHECK(records.members == 35);
  CHECK(records.nodes >= 4);
  CHECK(w.find("z").meta.removed == 0);
  records = change(w, [&](ZSet& set) { set.remove(Ranks{0, 34}); });
  CHECK(records.members == 1);
  CHECK(records.nodes <= 1);
  CHECK(w.find("z").meta.spread);
  CHECK(w.find("z").meta.removed == w.find("z").meta.last_modified - w.find("z").meta.version);
  records = change(w, [&](ZSet& set) { set.pop(ScoreEnd::kHighest, 1, {}); });
  CHECK(records.members + records.nodes == 0);
  CHECK(!w.find("z").present);
  change(w, [&](ZSet& set) { set.add(1, "a"); });
  CHECK(!w.find("z").meta.spread);
}

TEST_CASE("lex ranges are of members that have one score") {
  for (const Shape& shape : {kShape, kTinyShape}) {
    World<InMemory> w(shape);
    const std::string nul("b\0", 2);
    change(w, [&](ZSet& set) {
      for (const std::string& member : {std::string("a"), std::string("b"), nul, std::string("bb"),
                                        std::string("c"), std::string("\xff")}) {
        set.add(-2.5, member);
      }
    });
    const ZSet& set = w.read<ZSet>("z");
    using Kind = LexBound::Kind;
    const auto range = [&](LexBound min, LexBound max) {
      const Ranks ranks = set.ranks(LexRange{min, max});
      return std::pair(ranks.first, ranks.count);
    };
    CHECK(range({Kind::kLowest}, {Kind::kHighest}) == std::pair<uint64_t, uint64_t>(0, 6));
    CHECK(range({Kind::kMember, "b"}, {Kind::kHighest}) == std::pair<uint64_t, uint64_t>(1, 5));
    CHECK(range({Kind::kMember, "b", true}, {Kind::kMember, "bb"}) ==
          std::pair<uint64_t, uint64_t>(2, 2));
    CHECK(range({Kind::kMember, "b"}, {Kind::kMember, "bb", true}) ==
          std::pair<uint64_t, uint64_t>(1, 2));
    CHECK(range({Kind::kLowest}, {Kind::kMember, "", true}).second == 0);
    CHECK(range({Kind::kMember, "c"}, {Kind::kMember, "b"}).second == 0);
    CHECK(range({Kind::kHighest}, {Kind::kLowest}).second == 0);
  }
}

TEST_CASE("-0 keeps its sign in both records once Redis would have no listpack, and equals 0") {
  World<InMemory> w;
  change(w, [&](ZSet& set) { set.add(-0.0, "a"); });
  CHECK(!std::signbit(*w.read<ZSet>("z").score("a")));
  change(w, [&](ZSet& set) {
    set.add(-0.0, std::string(65, 'b'));
    CHECK(set.add(-0.0, "a").outcome == AddOutcome::kSame);
    set.add(0, "c");
  });
  const ZSet& set = w.read<ZSet>("z");
  CHECK(std::signbit(*set.score(std::string(65, 'b'))));
  CHECK(!std::signbit(*set.score("a")));
  CHECK(set.rank(std::string(65, 'b')) == 1);
  CHECK(set.ranks(ScoreRange{{0, false}, {-0.0, false}}).count == 3);
  change(w, [&](ZSet& more) {
    for (int i = 0; i < 300; ++i) {
      more.add(i % 2 == 0 ? -0.0 : 0.0, "n" + std::to_string(i));
    }
  });
  ZSetAudit audit;
  CHECK(audit.look(w, "z").members == 303);
  CHECK(std::signbit(*w.read<ZSet>("z").score("n298")));
}

TEST_CASE("members of a megabyte each are leaves of their own") {
  World<InMemory> w;
  ZSetAudit audit;
  for (int round = 0; round < 4; ++round) {
    change(w, [&](ZSet& set) {
      set.add(round, std::string(1 << 20, static_cast<char>('a' + round)));
      set.add(round, "small" + std::to_string(round));
    });
    CHECK(audit.look(w, "z").members == 2 * static_cast<uint64_t>(round) + 2);
  }
  change(w, [&](ZSet& set) {
    CHECK(set.add(99, std::string(1 << 20, 'a')).outcome == AddOutcome::kMoved);
    CHECK(set.remove(std::string(1 << 20, 'b')));
    CHECK(set.rank(std::string(1 << 20, 'a')) == 6);
  });
  CHECK(audit.look(w, "z").members == 7);
}

TEST_CASE("one command with many members does not hold all their nodes in memory") {
  World<InMemory> w;
  Prng random(5);
  change(w, [&](ZSet& set) {
    for (int i = 0; i < 20000; ++i) {
      set.add(static_cast<double>(random.below(1 << 20)), std::to_string(i));
    }
  });
  ZSetAudit audit;
  CHECK(audit.look(w, "z").members == 20000);
  change(w, [&](ZSet& set) { set.remove(Ranks{100, 19800}); });
  const Records left = audit.look(w, "z");
  CHECK(left.members == 200);
  CHECK(w.records(rocks::Family::kNode) == left.nodes);
}

TEST_CASE("what a removal of many members takes along counts as work [F61]") {
  World<InMemory> w;
  change(w, [&](ZSet& set) {
    for (int i = 0; i < 3000; ++i) {
      set.add(i, std::to_string(i));
    }
  });
  w.begin();
  const size_t before = w.database().effects().exchange_spent(0);
  w.command(false, [&] {
    ZSet& set = w.open<ZSet>("z");
    set.remove(Ranks{0, 2000});
    set.save();
  });
  CHECK(w.database().effects().exchange_spent(before) > 2000 * 100);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
