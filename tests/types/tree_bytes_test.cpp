// ON DISK: what trees write, byte for byte, after fixed histories; and what the audit sees.
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/types/builder.hpp"
#include "tests/types/tree_world.hpp"

namespace kiwi::resp::types_test {
namespace {

// Four entries of ten bytes a leaf, five children an inner node; lists: four elements of three
// bytes.
constexpr Shape kGolden{48, 40, 16, 48, 40};
constexpr Shape kGoldenList{48, 40, 16, 48, 16};

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 0x0f]);
  }
  return out;
}

using Records = std::vector<std::pair<uint64_t, std::string>>;

class Golden {
 public:
  explicit Golden(LeafKind kind, const Shape& shape = kGolden) : world_(kind, shape) {}

  // All in one command.
  void add(int from, int to) {
    world_.command([&](Tree& tree) {
      for (int i = from; i <= to; ++i) {
        tree.insert(scored(i, member(i)));
      }
    });
  }
  void remove(int i) {
    world_.command([&](Tree& tree) { REQUIRE(tree.remove(scored_key(i, member(i)))); });
  }
  TreeWorld<InMemory>& world() { return world_; }
  std::string head() {
    std::string out;
    encode(out, world_.store().head());
    return hex(out);
  }
  Records nodes() {
    Records all;
    for (const auto& [number, record] : world_.records()) {
      all.emplace_back(number, hex(record));
    }
    return all;
  }

 private:
  static std::string member(int i) { return std::string(1, static_cast<char>('a' + i - 1)); }

  TreeWorld<InMemory> world_;
};

TEST_SUITE_BEGIN("types/tree");

TEST_CASE("tree bytes: entries") {
  CHECK(hex(scored(1, "ab")) == "04bff00000000000006162");
  CHECK(hex(scored(-1, "a")) == "02400fffffffffffff61");
  CHECK(hex(scored(0, "z")) == "0280000000000000007a");
  CHECK(hex(scored(-0.0, "z")) == "0380000000000000007a");  // sorts as 0
  CHECK(hex(listed("eee")) == "03656565");
  std::string pending;
  append_pending(pending, {{1, 2}, 3, 4, 6});
  CHECK(hex(pending) == "0000000000000001000000000000000203040a");
  std::string inner;
  append_inner(inner, LeafKind::kSortedSet, 300, 4, "sep");
  append_inner(inner, LeafKind::kList, 7, 129, "");
  CHECK(hex(inner) == "ac020403736570078101");
}

TEST_CASE("tree bytes: scores come back as they were given") {
  for (const double score : {0.0, -0.0, 1.5, -1.5, 5e-324, 1e300}) {
    const std::string entry = scored(score, "m");
    const ScoredMember back = scored_member(leaf_entry(LeafKind::kSortedSet, entry));
    CHECK(std::bit_cast<uint64_t>(back.score) == std::bit_cast<uint64_t>(score));
    CHECK(back.member == "m");
  }
}

TEST_CASE("tree bytes: a separator is the score and as much of the member as is needed") {
  const auto between = [](const std::string& below, const std::string& first) {
    return std::string(separator_between(below, first));
  };
  CHECK(between(scored_key(1, "zz"), scored_key(2, "abc")) == scored_key(2, ""));
  CHECK(between(scored_key(1, "abc"), scored_key(1, "abxyz")) == scored_key(1, "abx"));
  CHECK(between(scored_key(1, "ab"), scored_key(1, "abcd")) == scored_key(1, "abc"));
  CHECK(between(scored_key(1, ""), scored_key(1, "x")) == scored_key(1, "x"));
}

TEST_CASE("tree bytes: a root that is the only leaf stands in its head") {
  Golden golden(LeafKind::kSortedSet);
  golden.add(1, 2);
  CHECK(golden.head() ==
        "02000001"
        "02bff000000000000061"
        "02c000000000000000"
        "62");
  CHECK(golden.nodes().empty());
}

TEST_CASE("tree bytes: an append opens a leaf, an empty one goes") {
  Golden golden(LeafKind::kSortedSet);
  golden.add(1, 4);
  golden.add(5, 5);
  const std::string full =
      "1102"
      "02bff000000000000061"
      "02c00000000000000062"
      "02c00800000000000063"
      "02c01000000000000064";
  CHECK(golden.head() ==
        "05010003"
        "010400"
        "020108c014000000000000");
  CHECK(golden.nodes() == Records{{1, full},
                                  {2,
                                   "1102"
                                   "02c01400000000000065"}});
  golden.remove(5);
  CHECK(golden.head() ==
        "04010303"
        "010400");
  CHECK(golden.nodes() == Records{{1, full}});  // not written again
}

TEST_CASE("tree bytes: a leaf in the middle is split past half") {
  Golden golden(LeafKind::kSortedSet);
  golden.add(1, 3);
  golden.add(5, 5);
  golden.add(4, 4);
  CHECK(golden.head() ==
        "05010003"
        "010300"
        "020208c010000000000000");
  CHECK(golden.nodes() == Records{{1,
                                   "1103"
                                   "02bff000000000000061"
                                   "02c00000000000000062"
                                   "02c00800000000000063"},
                                  {2,
                                   "1103"
                                   "02c01000000000000064"
                                   "02c01400000000000065"}});
}

TEST_CASE("tree bytes: small leaves merge, the left one stays") {
  constexpr Shape kWide{48, 80, 16, 48, 80};  // a quarter: two entries
  Golden golden(LeafKind::kSortedSet, kWide);
  golden.add(1, 8);
  golden.add(9, 9);
  CHECK(golden.head() ==
        "09010003"
        "010800"
        "020108c022000000000000");
  for (int i = 1; i <= 3; ++i) {
    golden.remove(i);
  }
  CHECK(golden.head() ==
        "06010003"
        "010500"
        "020108c022000000000000");
  golden.add(10, 10);
  golden.remove(9);  // one entry is left in the second: below a quarter, and 60 bytes fit well
  CHECK(golden.head() ==
        "06010703"
        "010600");
  CHECK(golden.nodes().size() == 1);
}

TEST_CASE(
    "tree bytes: the tree grows by a level, and a root with one inner child takes its entries") {
  Golden golden(LeafKind::kSortedSet);
  golden.add(1, 20);
  CHECK(golden.world().tree().height() == 1);
  golden.add(21, 21);
  CHECK(golden.head() ==
        "15020009"
        "071400"
        "080108c035000000000000");
  const Records nodes = golden.nodes();
  REQUIRE(nodes.size() == 8);
  const std::string leaves =
      "020408c014000000000000"
      "030408c022000000000000"
      "040408c02a000000000000"
      "050408c031000000000000";
  CHECK(nodes[5] == std::pair<uint64_t, std::string>{6,
                                                     "1102"
                                                     "02c03500000000000075"});
  CHECK(nodes[6] == std::pair<uint64_t, std::string>{7,
                                                     "1202"
                                                     "010400" +
                                                         leaves});
  CHECK(nodes[7] == std::pair<uint64_t, std::string>{8,
                                                     "1202"
                                                     "060100"});
  golden.remove(21);
  CHECK(golden.head() ==
        "14010309"
        "010400" +
            leaves);
  CHECK(golden.nodes().size() == 5);
}

TEST_CASE("tree bytes: a list has no separators, and a prepend opens a leaf") {
  TreeWorld<InMemory> world(LeafKind::kList, kGoldenList);
  for (const char* element : {"aaa", "bbb", "ccc", "ddd", "eee"}) {
    world.command([&](Tree& tree) { tree.insert_at(0, listed(element)); });
  }
  std::string head;
  encode(head, world.store().head());
  CHECK(hex(head) ==
        "05010003"
        "0101"
        "0204");
  const auto nodes = world.records();
  REQUIRE(nodes.size() == 2);
  CHECK(hex(nodes[0].second) ==
        "1105"
        "03656565");
  CHECK(hex(nodes[1].second) ==
        "1105"
        "03646464"
        "03636363"
        "03626262"
        "03616161");
}

TEST_CASE("tree bytes: what is built at once is filled to the brim") {
  TreeWorld<InMemory> world(LeafKind::kSortedSet, kGolden);
  TreeBuilder builder(world.store().nodes, LeafKind::kSortedSet, kTree, 0, kGolden);
  for (int i = 1; i <= 9; ++i) {
    builder.add(scored(i, "m"));
  }
  std::string head;
  encode(head, builder.finish());
  CHECK(hex(head) ==
        "09010004"
        "010400"
        "020408c014000000000000"
        "030108c022000000000000");
  CHECK(hex(world.records().back().second) ==
        "1100"
        "02c0220000000000006d");
}

TEST_CASE("tree bytes: a head that is cut off or makes no sense is damage") {
  CHECK_FALSE(decode_tree_head("").has_value());
  CHECK_FALSE(decode_tree_head(std::string_view("\x00\x00\x00\x00", 4)).has_value());  // node 0
  CHECK_FALSE(decode_tree_head(std::string_view("\x01\x00\x00\x01", 4)).has_value());  // no root
  CHECK_FALSE(decode_tree_head(std::string_view("\x01\x7f\x00\x01r", 5)).has_value());
  CHECK(decode_tree_head(std::string_view("\x00\x00\x00\x01", 4)).has_value());
}

// ---------------------------------------------------------------- the audit

// Changes one record of a sound tree behind its back.
TreeFault seen(void (*spoil)(TreeWorld<InMemory>& world)) {
  Golden golden(LeafKind::kSortedSet);
  golden.add(1, 4);
  golden.add(5, 20);
  TreeWorld<InMemory>& world = golden.world();
  check_sound(world.audit());
  spoil(world);
  const TreeReport report = world.audit();
  REQUIRE(report.found.has_value());
  return report.found->fault;
}
void put_leaf(TreeWorld<InMemory>& world, uint64_t node, uint64_t stamp, std::string_view entries) {
  world.store().nodes.put(kTree, node, {NodeKind::kLeaf, stamp, entries});
}
std::string leaf_of(std::initializer_list<double> scores) {
  std::string out;
  for (const double score : scores) {
    append_scored(out, score, "m");
  }
  return out;
}

void change_root(TreeWorld<InMemory>& world, size_t at, char to) {
  TreeHead head = world.store().head();
  std::string root(head.root);
  root[at] = to;
  head.root = root;
  world.write_head(head);
}

TEST_CASE("tree audit: sees what does not fit [M1] [M3] [M4] [M8]") {
  using World = TreeWorld<InMemory>;
  CHECK(seen([](World& w) { w.store().nodes.erase(kTree, 2); }) == TreeFault::kMissing);
  CHECK(seen([](World& w) { put_leaf(w, 2, 1, leaf_of({5, 6, 7})); }) == TreeFault::kCount);
  CHECK(seen([](World& w) { put_leaf(w, 2, 1, leaf_of({5, 7, 6, 8})); }) == TreeFault::kOrder);
  CHECK(seen([](World& w) { put_leaf(w, 2, 1, leaf_of({5, 6, 7, 9})); }) == TreeFault::kSeparator);
  CHECK(seen([](World& w) { put_leaf(w, 2, 1, leaf_of({5, 6, 7, 7.5, 8})); }) == TreeFault::kFill);
  CHECK(seen([](World& w) { put_leaf(w, 9, 1, leaf_of({5})); }) == TreeFault::kUnreachable);
  CHECK(seen([](World& w) { put_leaf(w, 2, 3, leaf_of({5, 6, 7, 8})); }) == TreeFault::kStamp);
  CHECK(seen([](World& w) { change_root(w, 0, 100); }) == TreeFault::kNumber);
  // The second child is the first one again.
  CHECK(seen([](World& w) { change_root(w, 3, 1); }) == TreeFault::kOrder);
  CHECK(seen([](World& w) { change_root(w, 1, 3); }) == TreeFault::kCount);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
