// The records of lists: their bytes, how many of them commands read and write, and what becomes of
// them when whole keys move, are copied or go.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/types/audit.hpp"
#include "resp/types/list.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using rocks::Family;

class Counted {
 public:
  CountingKeyspace& keyspace() { return keyspace_; }
  void reopen() {
    keyspace_.flush();
    keyspace_.crash();
  }

 private:
  CountingKeyspace keyspace_;
};

class Lists {
 public:
  explicit Lists(const Shape& shape = kShape) : w(shape) {}

  CountingKeyspace& keyspace() { return static_cast<CountingKeyspace&>(w.keyspace()); }
  // Runs body(list) as one command, and counts what it reads and writes.
  template <class Body>
  void change(std::string_view name, Body body) {
    keyspace().reset();
    w.command(false, [&] {
      List& list = w.open<List>(name);
      body(list);
      list.save();
    });
  }
  template <class Body>
  void look(std::string_view name, Body body) {
    keyspace().reset();
    w.begin();
    body(w.read<List>(name));
  }
  void push(std::string_view name, uint64_t count, size_t bytes) {
    change(name, [&](List& list) {
      for (uint64_t i = 0; i < count; ++i) {
        list.push(ListEnd::kTail, numbered(i, bytes));
      }
    });
  }
  static std::string numbered(uint64_t number, size_t bytes) {
    std::string text = std::to_string(number);
    text.resize(std::max(bytes, text.size()), '.');
    return text;
  }

  rocks::Metadata meta(std::string_view name) {
    rocks::Metadata found = w.find(name).meta;
    root = found.value;
    found.value = root;
    return found;
  }
  TreeReport audit(std::string_view name) {
    const rocks::Metadata m = meta(name);
    const TreeReport report =
        audit_tree(w.database().nodes(), LeafKind::kList, {m.collection(w.database().physical(0))},
                   {m.size, m.tree_height, m.removed, m.next_node, root},
                   m.last_modified - m.version, w.shape());
    INFO((report.found ? describe(report.found->fault) : "sound"));
    REQUIRE_FALSE(report.found.has_value());
    REQUIRE(report.elements == m.size);
    return report;
  }
  std::vector<std::string> elements(std::string_view name) {
    std::vector<std::string> all;
    w.begin();
    w.read<List>(name).each(ListEnd::kHead, [&](uint64_t, std::string_view element) {
      all.emplace_back(element);
      return true;
    });
    return all;
  }

  World<Counted> w;
  std::string root;
};

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 0x0f]);
  }
  return out;
}

std::string joined(std::string text) {
  std::erase(text, ' ');
  return text;
}

TEST_SUITE_BEGIN("types/list");

// ---------------------------------------------------------------- bytes

TEST_CASE("list bytes: packed in the key's record; spread, its nodes beside it") {
  constexpr Shape kGolden{48, 16, 16, 48, 16};  // four elements of three bytes a leaf
  Lists lists(kGolden);
  const auto record = [&] {
    std::string key;
    rocks::keys::meta(key, lists.w.database().physical(0), "l");
    return hex(*lists.keyspace().get(Family::kMeta, key));
  };
  const auto nodes = [&] {
    std::vector<std::pair<std::string, std::string>> all;
    for (auto at = lists.keyspace().cursor(Family::kNode, {}, {}); at->valid(); at->next()) {
      all.emplace_back(hex(at->key()), hex(at->value()));
    }
    return all;
  };
  const std::string node = "00000000 0000000000000001 00000000 00000000000";  // and its digit
  using Nodes = std::vector<std::pair<std::string, std::string>>;
  lists.change("l", [](List& list) {
    list.push(ListEnd::kTail, "bbb");
    list.push(ListEnd::kHead, "aaa");
    list.push(ListEnd::kTail, "");
  });
  // format and type, flags, version, changed, size, height; elements
  CHECK(record() == joined("22 00 01 00 03 00 03616161 03626262 00"));
  CHECK(nodes().empty());
  lists.change("l", [](List& list) {
    list.push(ListEnd::kTail, "ccc");
    list.push(ListEnd::kTail, "ddd");
  });
  // flags: spread; size, height, removed, next node; two children, of four elements and of one
  CHECK(record() == joined("22 04 01 01 05 01 00 03 0104 0201"));
  CHECK(nodes() == Nodes{{joined(node + "1"), joined("11 01 03616161 03626262 00 03636363")},
                         {joined(node + "2"), joined("11 01 03646464")}});
  lists.change("l", [](List& list) { list.pop(ListEnd::kTail, 1, {}); });
  CHECK(record() == joined("22 04 01 02 04 01 02 03 0104"));
  CHECK(nodes().size() == 1);
}

TEST_CASE("an element that is too large for the key's record has a leaf of its own") {
  Lists lists;
  lists.push("l", 1, 100'000);
  CHECK(lists.meta("l").value.size() < 10);
  CHECK(lists.audit("l").leaves == 1);
  lists.change("l", [](List& list) {
    list.push(ListEnd::kHead, "small");
    list.push(ListEnd::kTail, "small");
  });
  CHECK(lists.audit("l").leaves == 3);
  lists.change("l", [](List& list) { list.replace(1, std::string(50'000, 'x')); });
  lists.look("l", [](const List& list) { CHECK(list.at(1).size() == 50'000); });
  CHECK(lists.audit("l").leaves == 3);
  lists.change("l", [](List& list) { list.replace(1, "small"); });
  CHECK(lists.audit("l").leaves <= 2);
  CHECK(lists.elements("l") == std::vector<std::string>(3, "small"));
}

// ---------------------------------------------------------------- reads and writes

TEST_CASE("an index in the middle of 100,000 elements reads a node a level, an edit writes one") {
  Lists lists;
  lists.push("l", 100'000, 100);
  CHECK(lists.meta("l").tree_height == 2);
  lists.look("l", [](const List& list) { CHECK(list.at(50'000) == Lists::numbered(50'000, 100)); });
  CHECK(lists.keyspace().reads() == 3);  // the key's record, an inner node, a leaf
  CHECK(lists.keyspace().puts == 0);
  lists.change("l", [](List& list) { list.replace(50'000, "replaced"); });
  CHECK(lists.keyspace().reads() <= 4);
  CHECK(lists.keyspace().puts == 2);  // the leaf, the key's record
  lists.change("l", [](List& list) { list.insert(50'000, "inserted"); });
  CHECK(lists.keyspace().reads() <= 4);
  CHECK(lists.keyspace().puts == 3);
  lists.change("l", [](List& list) { list.insert(70'000, std::string(1'000, 'i')); });
  CHECK(lists.keyspace().reads() <= 4);
  CHECK(lists.keyspace().puts <= 5);  // the leaf was divided, and maybe what is above it
  // A search goes from leaf to leaf, and reads nothing twice.
  lists.look("l", [](const List& list) {
    list.each(ListEnd::kHead, [](uint64_t index, std::string_view element) {
      return index != 50'000 || element != "inserted";
    });
  });
  const TreeReport report = lists.audit("l");
  CHECK(report.leaves > 4'000);
  lists.keyspace().reset();
  CHECK(lists.w.read<List>("l").size() == 100'002);
  CHECK(lists.keyspace().reads() == 1);
  lists.look("l", [](const List& list) {
    uint64_t seen = 0;
    list.range(40'000, 100, [&](std::string_view element) {
      CHECK(element == Lists::numbered(40'000 + seen++, 100));
      return true;
    });
  });
  CHECK(lists.keyspace().reads() <= 9);  // five or six leaves
}

TEST_CASE("a push of many elements writes each node once") {
  Lists lists;
  lists.push("l", 5'000, 100);
  const size_t puts = lists.keyspace().puts;
  CHECK(puts == lists.audit("l").leaves + 1);
  lists.change("l", [](List& list) {
    for (int i = 0; i < 100; ++i) {
      list.push(ListEnd::kHead, Lists::numbered(7, 100));
    }
  });
  CHECK(lists.keyspace().puts <= 8);
  CHECK(lists.keyspace().reads() <= 3);
}

TEST_CASE("a queue leaves no records behind, and its pops read a constant number of them") {
  struct Run {
    uint64_t waiting;
    uint64_t turns;
  };
  for (const auto [waiting, turns] : {Run{0, 20'000}, Run{3'000, 20'000}, Run{40'000, 20'000}}) {
    INFO("elements that wait: ", waiting);
    Lists lists;
    if (waiting > 0) {
      lists.push("q", waiting, 100);
    }
    const uint64_t records = lists.w.records(Family::kNode);
    size_t most_read = 0;
    size_t most_written = 0;
    for (uint64_t i = 0; i < turns; ++i) {
      lists.change(
          "q", [&](List& list) { list.push(ListEnd::kTail, Lists::numbered(waiting + i, 100)); });
      most_written = std::max(most_written, lists.keyspace().puts + lists.keyspace().erases);
      lists.change("q", [&](List& list) {
        list.pop(ListEnd::kHead, 1, [&](std::string_view element) {
          REQUIRE(element == Lists::numbered(i, 100));
          return true;
        });
      });
      most_read = std::max(most_read, lists.keyspace().reads());
      most_written = std::max(most_written, lists.keyspace().puts + lists.keyspace().erases);
      REQUIRE(lists.keyspace().ranges == 0);
      if (i % 64 == 0) {
        lists.w.end_turn();
      }
    }
    CHECK(most_read <= 8);
    CHECK(most_written <= 8);
    CHECK(lists.w.records(Family::kNode) <= records + 3);
    if (waiting > 0) {
      lists.audit("q");
      lists.change("q", [&](List& list) { list.pop(ListEnd::kHead, waiting - 1, {}); });
      lists.change("q", [&](List& list) { list.pop(ListEnd::kHead, 1, {}); });
    }
    CHECK(lists.w.records(Family::kNode) == 0);
    CHECK(lists.w.records(Family::kMeta) == 0);
  }
}

// ---------------------------------------------------------------- parts that go

TEST_CASE("a trim erases the leaves that go unread; what little stays of a lot is built anew") {
  constexpr uint64_t kMany = 100'000;
  for (const auto& [first, count] : std::vector<std::pair<uint64_t, uint64_t>>{
           {10'000, 80'000}, {0, 99'999}, {50'000, 30'000}, {99'000, 1'000}, {40'000, 3}}) {
    INFO(first, " ", count);
    Lists lists;
    lists.push("l", kMany, 100);
    const uint64_t leaves = lists.audit("l").leaves;
    lists.change("l", [&, f = first, c = count](List& list) { list.trim(f, c); });
    const bool little = count <= 1'000;
    CHECK(lists.keyspace().ranges == (little ? 1 : 0));
    CHECK(lists.keyspace().erases <= (little ? 1 : leaves));
    CHECK(lists.keyspace().gets <= leaves / 50 + 20);
    CHECK(lists.audit("l").leaves <= leaves * count / kMany + 2);
    const std::vector<std::string> left = lists.elements("l");
    REQUIRE(left.size() == count);
    CHECK(left.front() == Lists::numbered(first, 100));
    CHECK(left.back() == Lists::numbered(first + count - 1, 100));
    CHECK(lists.w.records(Family::kNode) == lists.audit("l").leaves + lists.audit("l").inner_nodes);
  }
}

TEST_CASE("LREM of a large part takes all, and only those, whichever end it begins at") {
  for (const ListEnd from : {ListEnd::kHead, ListEnd::kTail}) {
    for (const uint64_t most : {uint64_t{1}, uint64_t{700}, uint64_t{30'000}}) {
      INFO(most);
      Lists lists;
      std::vector<std::string> model;
      lists.change("l", [&](List& list) {
        for (uint64_t i = 0; i < 20'000; ++i) {
          model.push_back(i % 3 == 0 || i / 2'000 == 4 ? "gone" : Lists::numbered(i, 20));
          list.push(ListEnd::kTail, model.back());
        }
      });
      uint64_t left = most;
      const auto goes = [&](const std::string& one) { return one == "gone" && left > 0 && left--; };
      if (from == ListEnd::kHead) {
        std::erase_if(model, goes);
      } else {
        std::reverse(model.begin(), model.end());
        std::erase_if(model, goes);
        std::reverse(model.begin(), model.end());
      }
      lists.change(
          "l", [&](List& list) { CHECK(list.remove_equal("gone", from, most) == most - left); });
      CHECK(lists.elements("l") == model);
      const TreeReport report = lists.audit("l");
      CHECK(lists.w.records(Family::kNode) == report.leaves + report.inner_nodes);
    }
  }
}

// ---------------------------------------------------------------- whole keys

TEST_CASE("copies have nodes of their own, a rename keeps them, a deletion leaves none [M4] [M8]") {
  for (const Shape& shape : {kTinyShape, kShape}) {
    Lists lists(shape);
    auto& w = lists.w;
    lists.push("a", 5'000, 50);
    lists.change("a", [](List& list) { list.pop(ListEnd::kHead, 100, {}); });
    const uint64_t nodes = w.records(Family::kNode);
    const std::vector<std::string> content = lists.elements("a");
    w.command(false, [&] {
      Key b = w.find("b");
      const Key a = w.find("a");  // last: its root is a view
      w.database().copy(a, b);
    });
    CHECK(w.records(Family::kNode) == 2 * nodes);
    CHECK(lists.meta("b").removed == 0);
    lists.audit("b");  // no stamp is newer than the copy
    lists.change("b", [](List& list) { list.replace(2'000, "changed"); });
    CHECK(lists.elements("a") == content);
    CHECK(lists.elements("b")[2'000] == "changed");
    w.command(false, [&] {
      Key a = w.find("a");
      Key c = w.find("c");
      w.database().rename(a, c);
    });
    CHECK(lists.elements("c") == content);
    lists.audit("c");
    w.command(false, [&] {
      Key b = w.find("b");
      Key c = w.find("c");
      w.database().rename(b, c);  // over another list
    });
    CHECK(lists.elements("c")[2'000] == "changed");
    CHECK(w.records(Family::kNode) == nodes);
    w.command(false, [&] {
      Key c = w.find("c");
      w.database().remove(c);
    });
    CHECK(w.records(Family::kNode) == 0);
    CHECK(w.records(Family::kMeta) == 0);
  }
}

TEST_CASE("a list that is emptied and filled in one command is one, and keeps its form [M10]") {
  Lists lists(kTinyShape);
  lists.push("l", 40, 10);
  const rocks::Metadata before = lists.meta("l");
  lists.change("l", [](List& list) {
    list.clear();
    list.push(ListEnd::kTail, "one");
  });
  const rocks::Metadata after = lists.meta("l");
  CHECK(after.version == before.version);
  CHECK(after.spread);
  CHECK(after.next_node == before.next_node);  // no number twice
  CHECK(after.tree_height == 0);
  CHECK(lists.elements("l") == std::vector<std::string>{"one"});
  CHECK(lists.w.records(Family::kNode) == 0);
  lists.audit("l");
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
