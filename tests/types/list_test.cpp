// Lists against std::deque, with tiny and with real shapes, on all keyspaces, with undo and new
// starts; the records that lists leave, and what their commands read and write.
#include "resp/types/list.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "resp/types/audit.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using Strings = std::deque<std::string>;

template <class On>
class ListRun {
 public:
  ListRun(const Shape& shape, uint64_t seed) : w_(shape), random_(seed) {}

  // Every third command fails.
  void run(int commands) {
    for (int i = 0; i < commands; ++i) {
      const bool fails = i % 3 == 2;
      const auto before = model_;
      w_.command(fails, [&] { one(any_name(random_)); });
      if (fails) {
        model_ = before;
      }
      w_.perhaps_end_turn(random_);
      audit();
    }
    w_.reopen();
    audit();
    // M10: no list was spread for nothing, and some were.
    CHECK(seen_packed_);
    CHECK(seen_spread_);
  }

 private:
  // Few different ones, so that some are equal; of all sizes.
  std::string element() {
    constexpr size_t kSizes[] = {1, 1, 2, 5, 9, 20, 45, 300, 2100};
    return std::string(kSizes[random_.below(std::size(kSizes))],
                       static_cast<char>('a' + random_.below(3)));
  }
  ListEnd end() { return random_.chance(1, 2) ? ListEnd::kHead : ListEnd::kTail; }

  void one(std::string_view name) {
    List& list = w_.template open<List>(name);
    Strings& model = model_[name];
    REQUIRE(list.size() == model.size());
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2:
        push(list, model);
        break;
      case 3:
        pop(list, model);
        break;
      case 4:
        return move(name, any_name(random_));
      case 5:
        insert(list, model);
        break;
      case 6:
        remove_equal(list, model);
        break;
      case 7:
        trim(list, model);
        break;
      case 8:
        if (!model.empty()) {
          const uint64_t index = random_.below(model.size());
          model[index] = element();
          list.replace(index, model[index]);
        }
        break;
      default:
        if (random_.chance(1, 3)) {
          list.clear();
          model.clear();
        }
        read(list, model);
    }
    list.save();
  }

  void push(List& list, Strings& model) {
    const ListEnd at = end();
    const uint64_t count = random_.chance(1, 12) ? 150 : 1 + random_.below(5);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string one = element();
      list.push(at, one);
      at == ListEnd::kHead ? model.push_front(one) : model.push_back(one);
    }
  }

  void pop(List& list, Strings& model) {
    const ListEnd from = end();
    const uint64_t count = random_.chance(1, 4) ? list.size() : random_.below(list.size() + 1);
    Strings popped;
    const bool told = random_.chance(3, 4);
    list.pop(from, count,
             told ? ElementVisit([&](std::string_view one) {
               popped.emplace_back(one);
               return true;
             })
                  : ElementVisit());
    REQUIRE(popped.size() == (told ? count : 0));
    for (uint64_t i = 0; i < count; ++i) {
      const std::string expected = from == ListEnd::kHead ? model.front() : model.back();
      REQUIRE((!told || popped[i] == expected));
      from == ListEnd::kHead ? model.pop_front() : model.pop_back();
    }
  }

  void move(std::string_view from_name, std::string_view to_name) {
    List& from = w_.template open<List>(from_name);
    List& to = w_.template open<List>(to_name);
    REQUIRE((&from == &to) == (from_name == to_name));
    if (from.empty()) {
      return;
    }
    const std::string one(from.end(ListEnd::kTail));
    to.push(ListEnd::kHead, one);
    from.pop(ListEnd::kTail, 1, {});
    to.save();
    from.save();
    model_[to_name].push_front(one);
    REQUIRE(model_[from_name].back() == one);
    model_[from_name].pop_back();
  }

  void insert(List& list, Strings& model) {
    if (!model.empty()) {
      const uint64_t index = random_.below(model.size() + 1);
      const std::string one = element();
      list.insert(index, one);
      model.insert(model.begin() + static_cast<ptrdiff_t>(index), one);
    }
  }

  void remove_equal(List& list, Strings& model) {
    const std::string one = element();
    const ListEnd from = end();
    const uint64_t most = random_.chance(1, 3) ? UINT64_MAX : 1 + random_.below(4);
    uint64_t gone = 0;
    if (from == ListEnd::kTail) {
      std::reverse(model.begin(), model.end());
    }
    std::erase_if(model, [&](const std::string& at) { return at == one && gone < most && ++gone; });
    if (from == ListEnd::kTail) {
      std::reverse(model.begin(), model.end());
    }
    REQUIRE(list.remove_equal(one, from, most) == gone);
  }

  void trim(List& list, Strings& model) {
    if (model.empty()) {
      return;
    }
    const uint64_t first = random_.below(model.size());
    const uint64_t count = 1 + random_.below(model.size() - first);
    list.trim(first, count);
    model.erase(model.begin() + static_cast<ptrdiff_t>(first + count), model.end());
    model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(first));
  }

  void read(const List& list, const Strings& model) {
    for (ListEnd from : {ListEnd::kHead, ListEnd::kTail}) {
      uint64_t seen = 0;
      list.each(from, [&](uint64_t index, std::string_view one) {
        REQUIRE(index == (from == ListEnd::kHead ? seen : model.size() - 1 - seen));
        REQUIRE(one == model[index]);
        ++seen;
        return true;
      });
      REQUIRE(seen == model.size());
    }
    if (!model.empty()) {
      const uint64_t first = random_.below(model.size());
      const uint64_t count = random_.below(model.size() - first + 1);
      uint64_t seen = 0;
      list.range(first, count, [&](std::string_view one) {
        REQUIRE(one == model[first + seen]);
        return ++seen != 40;
      });
      REQUIRE(seen == std::min<uint64_t>(count, 40));
      REQUIRE(list.at(first) == model[first]);
    }
  }

  void audit() {
    w_.begin();
    uint64_t nodes = 0;
    uint64_t live = 0;
    for (std::string_view name : kNames) {
      const List& list = w_.template read<List>(name);
      REQUIRE(list.size() == model_[name].size());
      REQUIRE(list.exists() == !model_[name].empty());
      read(list, model_[name]);
      live += list.exists() ? 1 : 0;
      nodes += list.exists() ? audited_nodes(name) : 0;
    }
    REQUIRE(w_.records(rocks::Family::kNode) == nodes);  // M4: no orphans
    REQUIRE(w_.records(rocks::Family::kElement) == 0);
    REQUIRE(w_.records(rocks::Family::kMeta) == live);
    REQUIRE(w_.database().counts(w_.database().physical(0)).keys == live);
  }

  // How many node records a list has, which fit each other.
  uint64_t audited_nodes(std::string_view name) {
    const std::string root(w_.find(name).meta.value);
    const rocks::Metadata meta = w_.find(name).meta;
    const TreeReport report = audit_tree(
        w_.database().nodes(), LeafKind::kList, {meta.collection(w_.database().physical(0))},
        {meta.size, meta.tree_height, meta.removed, meta.next_node, root},
        meta.last_modified - meta.version, w_.shape());
    INFO((report.found ? describe(report.found->fault) : "sound"));
    REQUIRE_FALSE(report.found.has_value());
    bool& was_spread = spread_[meta.version];
    REQUIRE((meta.spread || !was_spread));  // M10
    was_spread = meta.spread;
    REQUIRE(meta.spread == (meta.next_node > 1));
    REQUIRE((meta.spread || root.size() <= w_.shape().root_leaf_bytes));
    (meta.spread ? seen_spread_ : seen_packed_) = true;
    return report.leaves + report.inner_nodes;
  }

  World<On> w_;
  Prng random_;
  std::map<std::string_view, Strings> model_;
  std::map<uint64_t, bool> spread_;  // by version
  bool seen_packed_ = false;
  bool seen_spread_ = false;
};

TEST_SUITE_BEGIN("types/list");

TEST_CASE_TEMPLATE("lists do what std::deque does, undone commands nothing [M1] [M4] [M8] [M10]",
                   On,
                   InMemory,
                   OnRocks,
                   OnTable) {
  INFO(On::kName);
  ListRun<On>(kTinyShape, 21).run(rounds_on<On>(600));
  ListRun<On>(kShape, 22).run(rounds_on<On>(600));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
