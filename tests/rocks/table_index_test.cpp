// The table's order against std::map: keys with long common beginnings, leaves that fill and empty.
#include "rocks/table/table_index.hpp"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "base/prng.hpp"
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
    if (random_.chance(1, 2)) {
      index_.erase(it->second);
    } else {
      TableIndex::Place after = index_.erase_at(index_.lower_bound(it->first));
      auto next = std::next(it);
      REQUIRE((after == index_.end()) == (next == model_.end()));
      if (next != model_.end()) {
        REQUIRE(index_.at(after) == next->second);
      }
    }
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
    REQUIRE(index_.size() == model_.size());
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
};

}  // namespace

TEST_CASE("table index: any order of inserts, erases and replacements is that of the keys") {
  for (uint64_t seed = 1; seed <= rounds(3); ++seed) {
    IndexRun(seed).run(30000);
  }
}

}  // namespace kiwi::rocks::test
