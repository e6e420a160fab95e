// The table's order against std::map: keys with long common beginnings, leaves that fill and empty.
#include "rocks/table/table_index.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "rocks/table/table_node.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

namespace {

class IndexRun {
 public:
  explicit IndexRun(uint64_t seed) : random_(seed) {}
  ~IndexRun() {
    for (auto& [key, node] : model_) {
      TableNode::destroy(node);
    }
  }
  IndexRun(const IndexRun&) = delete;
  IndexRun& operator=(const IndexRun&) = delete;

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      bool growing = (i / 3000) % 2 == 0;
      uint64_t pick = random_.below(100);
      if (pick < (growing ? 70U : 20U)) {
        insert();
      } else if (pick < 90) {
        erase();
      } else if (pick < 94) {
        replace();
      } else if (pick == 94 && random_.chance(1, 20)) {
        erase_range();
      } else {
        check_place();
      }
    }
    check_walk();
  }

 private:
  std::string key() {
    static constexpr char kAlphabet[] = {'\0', 'a', 'b', '\xff'};
    std::string made(random_.below(2) == 0 ? "" : std::string(14, 'p'));
    for (uint64_t n = random_.below(8); n > 0; --n) {
      made.push_back(kAlphabet[random_.below(sizeof kAlphabet)]);
    }
    return made;
  }
  static TableNode* node(const std::string& key) {
    return TableNode::make(0, Family::kMeta, key, 0);
  }

  void insert() {
    std::string at = key();
    if (!model_.contains(at)) {
      model_[at] = node(at);
      index_.insert(model_[at]);
    }
  }
  void erase() {
    auto it = model_.lower_bound(key());
    if (it == model_.end()) {
      return;
    }
    REQUIRE(index_.contains(it->second));
    REQUIRE(index_.erase(it->second));
    REQUIRE(!index_.erase(it->second));
    REQUIRE(!index_.contains(it->second));
    TableNode::destroy(it->second);
    model_.erase(it);
  }
  void replace() {
    auto it = model_.lower_bound(key());
    if (it != model_.end()) {
      TableNode* made = node(it->first);
      index_.replace(it->second, made);
      TableNode::destroy(it->second);
      it->second = made;
    }
  }
  // Gone at once; handed out later, each once.
  void erase_range() {
    const std::string from = key();
    const std::string to = random_.chance(1, 10) ? "" : key();
    auto it = model_.lower_bound(from);
    const auto end = to.empty() ? model_.end() : model_.lower_bound(std::max(from, to));
    if (!to.empty() && to <= from) {
      return;
    }
    index_.erase_range(from, to);
    while (it != end) {
      erased_.insert(it->second);
      it = model_.erase(it);
    }
    index_.check();
    if (random_.chance(1, 2)) {
      take_erased(random_.below(300));
    }
  }
  void take_erased(uint64_t most) {
    while (most-- > 0 && index_.has_erased()) {
      TableNode* node = index_.take_erased();
      if (node == nullptr) {
        break;
      }
      REQUIRE(!index_.contains(node));
      REQUIRE(erased_.erase(node) == 1);
      TableNode::destroy(node);
    }
  }
  void check_place() {
    std::string at = key();
    auto it = model_.lower_bound(at);
    TableIndex::Place place = index_.lower_bound(at);
    for (int i = 0; i < 5; ++i) {
      REQUIRE((place == index_.end()) == (it == model_.end()));
      if (it == model_.end()) {
        break;
      }
      REQUIRE(index_.at(place) == it->second);
      ++it;
      place = index_.next(place);
    }
  }
  void check_walk() {
    REQUIRE(index_.check() == model_.size());
    take_erased(UINT64_MAX);
    REQUIRE(erased_.empty());
    REQUIRE(!index_.has_erased());
    TableIndex::Place place = index_.begin();
    for (auto& [key, node] : model_) {
      REQUIRE(index_.at(place) == node);
      place = index_.next(place);
    }
    REQUIRE(place == index_.end());
    for (auto it = model_.rbegin(); it != model_.rend(); ++it) {
      place = index_.prev(place);
      REQUIRE(index_.at(place) == it->second);
    }
    REQUIRE(place == index_.begin());
  }

  Prng random_;
  TableIndex index_;
  std::map<std::string, TableNode*> model_;
  std::set<TableNode*> erased_;  // and not handed out
};

}  // namespace

TEST_CASE("table index: any order of inserts, erases and replacements is that of the keys") {
  for (uint64_t seed = 1; seed <= rounds(3); ++seed) {
    IndexRun(seed).run(30000);
  }
}

// Four levels of them, and whatever a range cuts through.
TEST_CASE("table index: ranges of a large one are cut out, whatever they hold [F58]") {
  std::vector<TableNode*> nodes;
  auto name = [](size_t i) { return "k" + std::to_string(1'000'000 + i); };
  constexpr size_t kKeys = 300'000;
  Prng random(5);
  for (uint64_t seed = 1; seed <= rounds(3); ++seed) {
    TableIndex index;
    for (size_t i = 0; i < kKeys; ++i) {
      nodes.push_back(TableNode::make(0, Family::kMeta, name(i), 0));
    }
    std::vector<TableNode*> order = nodes;
    if (seed % 2 == 0) {
      for (size_t i = order.size() - 1; i > 0; --i) {
        std::swap(order[i], order[random.below(i + 1)]);
      }
    }
    for (TableNode* node : order) {
      index.insert(node);
    }
    REQUIRE(index.check() == kKeys);
    std::vector<bool> there(kKeys, true);
    size_t left = kKeys;
    for (int range = 0; range < 40; ++range) {
      const size_t from = random.below(kKeys);
      const size_t to = std::min(kKeys, from + random.below(range % 2 == 0 ? 200 : 60'000));
      index.erase_range(name(from), to == kKeys ? "" : name(to));
      for (size_t i = from; i < to; ++i) {
        left -= there[i] ? 1 : 0;
        there[i] = false;
      }
      INFO("range ", range, " ", from, " ", to);
      REQUIRE(index.check() == left);
    }
    size_t at = 0;
    for (auto place = index.begin(); place != index.end(); place = index.next(place), ++at) {
      while (!there[at]) {
        ++at;
      }
      REQUIRE(index.at(place) == nodes[at]);
    }
    size_t taken = 0;
    while (index.take_erased() != nullptr) {
      ++taken;
    }
    CHECK(taken == kKeys - left);
    index.erase_range("", "");
    CHECK(index.check() == 0);
    std::ranges::for_each(nodes, &TableNode::destroy);
    nodes.clear();
  }
}

}  // namespace kiwi::rocks::test
