// What trees cost and how full they are: reads and writes of each operation, fill after usual
// histories, and trees that are built whole.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/base/prng.hpp"
#include "resp/types/builder.hpp"
#include "tests/types/tree_world.hpp"

namespace kiwi::resp::types_test {
namespace {

constexpr uint64_t kMany = 20000;

std::string member_of(uint64_t number) {
  std::string digits = std::to_string(number);
  return "member:" + std::string(9 - digits.size(), '0') + digits;  // 16 bytes
}
std::string entry_of(uint64_t number) {
  return scored(static_cast<double>(number), member_of(number));
}
std::string key_of(uint64_t number) {
  return scored_key(static_cast<double>(number), member_of(number));
}

std::vector<uint64_t> shuffled(uint64_t count, uint64_t seed) {
  std::vector<uint64_t> numbers(count);
  for (uint64_t i = 0; i < count; ++i) {
    numbers[i] = i;
  }
  Prng random(seed);
  for (uint64_t i = count; i > 1; --i) {
    std::swap(numbers[i - 1], numbers[random.below(i)]);
  }
  return numbers;
}

class Filled {
 public:
  explicit Filled(const std::vector<uint64_t>& numbers) {
    world.command([&](Tree& tree) {
      for (uint64_t number : numbers) {
        tree.insert(entry_of(number));
      }
    });
  }
  // Node records that body(tree) reads. Elements that are visited count as steps, too.
  template <class Body>
  uint64_t steps(Body body) {
    const uint64_t before = world.store().steps.taken();
    body(world.tree());
    return world.store().steps.taken() - before;
  }

  TreeWorld<InMemory> world{LeafKind::kSortedSet, kShape};
};

// Per mille of the bytes that leaves might hold.
uint64_t fill(const TreeReport& report, const Shape& shape) {
  return report.leaf_bytes * 1000 / (report.leaves * shape.leaf_bytes);
}

TEST_SUITE_BEGIN("types/tree");

TEST_CASE("tree shape: growth at the ends fills the leaves, at random two thirds of them") {
  std::vector<uint64_t> ascending(kMany);
  for (uint64_t i = 0; i < kMany; ++i) {
    ascending[i] = i;
  }
  std::vector<uint64_t> descending(ascending.rbegin(), ascending.rend());
  std::vector<uint64_t> zigzag;  // from the middle to both ends
  for (uint64_t i = 0; i < kMany / 2; ++i) {
    zigzag.push_back(kMany / 2 + i);
    zigzag.push_back(kMany / 2 - 1 - i);
  }
  const struct {
    const char* name;
    std::vector<uint64_t> numbers;
    uint64_t per_mille;
  } orders[] = {{"ascending", ascending, 900},
                {"descending", descending, 900},
                {"zigzag", zigzag, 900},
                {"random", shuffled(kMany, 1), 600}};
  for (const auto& order : orders) {
    INFO(order.name);
    Filled filled(order.numbers);
    const TreeReport report = filled.world.audit();
    check_sound(report);
    CHECK(report.elements == kMany);
    CHECK(fill(report, kShape) >= order.per_mille);
    CHECK(report.inner_bytes <= report.leaf_bytes / 10);
  }
}

TEST_CASE("tree shape: lists that grow at the left only fill their leaves, and keep up as queues") {
  TreeWorld<InMemory> world(LeafKind::kList, kShape);
  const std::string entry = listed(std::string(100, 'e'));
  world.command([&](Tree& tree) {
    for (uint64_t i = 0; i < kMany; ++i) {
      tree.insert_at(0, entry);
    }
  });
  TreeReport report = world.audit();
  check_sound(report);
  CHECK(report.leaf_bytes * 10 >= report.leaves * kShape.list_leaf_bytes * 9);
  // Ten times its length goes through it: what is empty is gone.
  const uint64_t leaves = report.leaves;
  for (uint64_t turn = 0; turn < 20; ++turn) {
    world.command([&](Tree& tree) {
      for (uint64_t i = 0; i < kMany / 2; ++i) {
        tree.insert_at(0, entry);
        tree.remove_at(tree.size() - 1);
      }
    });
  }
  report = world.audit();
  check_sound(report);
  CHECK(report.elements == kMany);
  CHECK(report.leaves <= leaves + 2);
}

TEST_CASE("tree shape: rank, find and an index read a node a level, a range its leaves besides") {
  Filled filled(shuffled(kMany, 2));
  const uint64_t height = filled.world.tree().height();
  REQUIRE(height >= 2);
  Prng random(3);
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = random.below(kMany);
    uint64_t rank = 0;
    CHECK(filled.steps([&](Tree& tree) { rank = tree.rank(key_of(number)); }) == height);
    CHECK(rank == number);
    bool found = false;
    CHECK(filled.steps([&](Tree& tree) { found = tree.find(key_of(number)).has_value(); }) ==
          height);
    CHECK(found);
    std::string member;
    CHECK(filled.steps([&](Tree& tree) { member = scored_member(tree.at(number)).member; }) ==
          height);
    CHECK(member == member_of(number));
  }
  constexpr uint64_t kRange = 100;
  const uint64_t most = height + kRange + kRange * entry_of(0).size() * 4 / kShape.leaf_bytes + 2;
  CHECK(filled.steps([&](Tree& tree) {
    tree.visit(kMany / 2, kRange, [](const LeafEntry&) { return true; });
  }) <= most);
  CHECK(filled.steps([&](Tree& tree) {
    tree.visit_back(kMany / 2, kRange, [](const LeafEntry&) { return true; });
  }) <= most);
}

TEST_CASE("tree shape: an edit reads and writes its path, a move within a leaf that leaf only") {
  Filled filled(shuffled(kMany, 4));
  TreeWorld<InMemory>& world = filled.world;
  const uint64_t height = world.tree().height();
  Prng random(5);
  int within_leaf = 0;
  for (int i = 0; i < 20; ++i) {
    const uint64_t number = random.below(kMany);
    const std::string fresh = scored(static_cast<double>(number), "zz");
    const uint64_t reads =
        filled.steps([&](Tree&) { world.command([&](Tree& tree) { tree.insert(fresh); }); });
    CHECK(reads == height);
    CHECK(world.written() <= 2 * height);  // every one of them split
    world.command([&](Tree& tree) { CHECK(tree.remove(leaf_entry(world.kind(), fresh).key)); });
    CHECK(world.written() <= height);
    // A little up: mostly within one leaf, and back.
    const std::string moved = scored(static_cast<double>(number) + 0.5, member_of(number));
    world.command([&](Tree& tree) { CHECK(tree.move(key_of(number), moved)); });
    within_leaf += world.written() == 1 ? 1 : 0;
    world.command([&](Tree& tree) {
      CHECK(tree.move(leaf_entry(world.kind(), moved).key, entry_of(number)));
    });
    // Far away: two paths, with what they share written once.
    world.command([&](Tree& tree) {
      CHECK(tree.move(key_of(number), scored(-1, member_of(number))));
      CHECK(tree.move(scored_key(-1, member_of(number)), entry_of(number)));
    });
    CHECK(world.written() <= 3 * height);
  }
  CHECK(within_leaf >= 18);
  check_sound(world.audit());
}

TEST_CASE("tree shape: a range goes without a look at the leaves inside") {
  Filled filled(shuffled(kMany, 6));
  TreeWorld<InMemory>& world = filled.world;
  const TreeReport before = world.audit();
  const uint64_t reads = filled.steps(
      [&](Tree&) { world.command([&](Tree& tree) { tree.remove_range(1000, kMany - 2000); }); });
  CHECK(reads <= before.inner_nodes + 20);
  CHECK(world.written() <= 4 * world.tree().height() + 4);
  check_sound(world.audit());
  REQUIRE(world.tree().size() == 2000);
  CHECK(world.tree().rank(key_of(kMany - 1000)) == 1000);
  world.command([&](Tree& tree) { tree.remove_range(0, 2000); });
  CHECK(world.records().empty());
  CHECK(world.tree().height() == 0);
}

TEST_CASE("tree shape: long members that have much in common") {
  TreeWorld<InMemory> world(LeafKind::kSortedSet, kShape);
  const std::string common(3000, 'm');
  for (uint64_t number : shuffled(300, 7)) {
    world.command([&](Tree& tree) { tree.insert(scored(1, common + member_of(number))); });
  }
  const TreeReport report = world.audit();
  check_sound(report);
  CHECK(report.leaves == 300);
  CHECK(world.tree().height() <= 11);  // inner nodes have at least two children, mostly
  CHECK(world.tree().rank(scored_key(1, common + member_of(200))) == 200);
  for (uint64_t number : shuffled(300, 8)) {
    world.command(
        [&](Tree& tree) { CHECK(tree.remove(scored_key(1, common + member_of(number)))); });
    check_sound(world.audit());
  }
  CHECK(world.records().empty());
}

// The root is read with the key's record, whatever is asked of the key.
TEST_CASE("tree shape: however long separators are, the root is short [F61]") {
  const std::string common(50'000, 'm');
  auto root_bytes = [](auto& world) { return world.store().head().root.size(); };
  auto entry_at = [&](uint64_t number) { return scored(1, common + member_of(number)); };
  auto key_at = [&](uint64_t number) { return scored_key(1, common + member_of(number)); };
  constexpr uint64_t kMembers = 40;
  for (const bool built : {false, true}) {
    CAPTURE(built);
    TreeWorld<InMemory> world(LeafKind::kSortedSet, kShape);
    if (built) {
      TreeBuilder builder(world.store().nodes, LeafKind::kSortedSet, kTree, 0, kShape);
      for (uint64_t number = 0; number < kMembers; ++number) {
        builder.add(entry_at(number));
      }
      world.write_head(builder.finish());
    }
    for (uint64_t number : shuffled(kMembers, 7)) {
      if (!built) {
        world.command([&](Tree& tree) { tree.insert(entry_at(number)); });
      }
      CHECK(root_bytes(world) <= kShape.root_inner_bytes());
    }
    check_sound(world.audit());
    CHECK(world.tree().rank(key_at(20)) == 20);
    world.command([&](Tree& tree) { tree.remove_range(3, 30); });
    check_sound(world.audit());
    CHECK(world.tree().size() == kMembers - 30);
    for (uint64_t number = 0; number < kMembers; ++number) {
      world.command(
          [&](Tree& tree) { CHECK(tree.remove(key_at(number)) == (number < 3 || number >= 33)); });
      check_sound(world.audit());
      CHECK(root_bytes(world) <= kShape.root_inner_bytes());
    }
    CHECK(world.records().empty());
  }
}

// ---------------------------------------------------------------- built whole

TEST_CASE("tree builder: any number of entries makes a sound tree that goes on changing") {
  Prng random(9);
  for (const Shape& shape : {kTinyShape, kShape}) {
    for (int round = 0; round < 60; ++round) {
      const uint64_t count = round < 20 ? static_cast<uint64_t>(round) : random.below(1500);
      TreeWorld<InMemory> world(LeafKind::kSortedSet, shape);
      TreeBuilder builder(world.store().nodes, LeafKind::kSortedSet, kTree, 0, shape);
      std::vector<std::string> model;
      for (uint64_t i = 0; i < count; ++i) {
        const std::string padding(random.chance(1, 30) ? random.below(700) : 0, 'p');
        model.push_back(scored(static_cast<double>(i), member_of(i) + padding));
        builder.add(model.back());
      }
      world.write_head(builder.finish());
      check_sound(world.audit());
      REQUIRE(world.entries() == model);
      if (count > 0) {
        const uint64_t which = random.below(count);
        world.command([&](Tree& tree) {
          tree.insert(scored(-1, "first"));
          REQUIRE(tree.remove(leaf_entry(world.kind(), model[which]).key));
        });
        check_sound(world.audit());
      }
    }
  }
}

TEST_CASE("tree builder: lists are built in their order") {
  TreeWorld<InMemory> world(LeafKind::kList, kShape);
  TreeBuilder builder(world.store().nodes, LeafKind::kList, kTree, 0, kShape);
  for (uint64_t i = 0; i < 5000; ++i) {
    builder.add(listed(std::to_string(i)));
  }
  world.write_head(builder.finish());
  const TreeReport report = world.audit();
  check_sound(report);
  CHECK(report.leaf_bytes * 100 >= (report.leaves - 1) * kShape.list_leaf_bytes * 99);
  CHECK(world.tree().at(4321).value == "4321");
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
