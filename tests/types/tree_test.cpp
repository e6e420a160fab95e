// Trees against sorted and plain vectors, with tiny and with real shapes, on all keyspaces, with
// undo, new starts, flushes and views of the past.
#include "resp/types/tree.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/base/prng.hpp"
#include "tests/types/tree_world.hpp"

namespace kiwi::resp::types_test {
namespace {

// What all kinds have in common: entries at ranks.
template <class On>
class TreeRun {
 public:
  TreeRun(LeafKind kind, const Shape& shape, uint64_t seed) : world_(kind, shape), random_(seed) {}
  virtual ~TreeRun() = default;

  void run(int commands) {
    for (int i = 0; i < commands; ++i) {
      const bool fails = i % 3 == 2;
      const std::vector<std::string> before = model_;
      world_.command(fails, [&](Tree& tree) {
        for (uint64_t edits = 1 + random_.below(5); edits > 0; --edits) {
          one(tree);
        }
      });
      if (fails) {
        model_ = before;
      }
      compare();
      perhaps_commit();
    }
    check_past();
    world_.reopen();
    compare();
  }

 protected:
  virtual void one(Tree& tree) = 0;
  virtual void look(Tree& tree) = 0;

  void remove_range(Tree& tree) {
    const uint64_t most = random_.chance(1, 3) ? model_.size() : model_.size() / 8;
    const uint64_t count = most == 0 ? 0 : random_.below(most + 1);
    const uint64_t first = random_.below(model_.size() - count + 1);
    tree.remove_range(first, count);
    const auto from = model_.begin() + static_cast<ptrdiff_t>(first);
    model_.erase(from, from + static_cast<ptrdiff_t>(count));
  }

  TreeWorld<On> world_;
  Prng random_;
  std::vector<std::string> model_;  // entries, in order

 private:
  void compare() {
    Tree& tree = world_.tree();
    REQUIRE(tree.size() == model_.size());
    const TreeReport report = world_.audit();
    check_sound(report);
    REQUIRE(world_.entries() == model_);
    const uint64_t first = random_.below(model_.size() + 1);
    const uint64_t count = random_.below(model_.size() - first + 1);
    uint64_t seen = 0;
    tree.visit_back(first, count, [&](const LeafEntry& entry) {
      REQUIRE(entry.bytes == model_[first + count - 1 - seen]);
      return ++seen < 50;
    });
    REQUIRE(seen == std::min<uint64_t>(count, 50));
    if (first < model_.size()) {
      REQUIRE(tree.at(first).bytes == model_[first]);
    }
    look(tree);
  }

  void perhaps_commit() {
    if (random_.chance(1, 60)) {
      check_past();
      world_.reopen();
    } else if (random_.chance(1, 6)) {
      world_.commit();
      if (past_ == nullptr) {
        past_ = world_.keyspace().view();
        past_model_ = model_;
        past_stamp_ = world_.stamp();
      } else if (random_.chance(1, 3)) {
        check_past();
      }
      if (random_.chance(1, 4)) {
        world_.keyspace().flush();
      }
    }
  }

  // A view still shows the tree as it was.
  void check_past() {
    if (past_ == nullptr) {
      return;
    }
    Store store(*past_);
    check_sound(
        audit_tree(store.nodes, world_.kind(), kTree, store.head(), past_stamp_, world_.shape()));
    Tree tree(store.nodes, world_.kind(), world_.shape());
    tree.open(kTree, store.head(), past_stamp_);
    REQUIRE(tree.size() == past_model_.size());
    uint64_t seen = 0;
    tree.visit(0, tree.size(), [&](const LeafEntry& entry) {
      REQUIRE(entry.bytes == past_model_[seen++]);
      return true;
    });
    past_.reset();
  }

  std::unique_ptr<rocks::Reader> past_;
  std::vector<std::string> past_model_;
  uint64_t past_stamp_ = 0;
};

double any_score(Prng& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kScores[] = {
      0.0,  -0.0, kInfinity, -kInfinity, 1.5, -1.5, std::numeric_limits<double>::denorm_min(),
      1e300};
  if (random.chance(1, 3)) {
    return kScores[random.below(std::size(kScores))];
  }
  return static_cast<double>(random.below(2000)) - 1000;
}

std::string key_of(LeafKind kind, std::string_view entry) {
  return std::string(leaf_entry(kind, entry).key);
}

template <class On>
class SortedRun final : public TreeRun<On> {
 public:
  SortedRun(const Shape& shape, uint64_t seed) : TreeRun<On>(LeafKind::kSortedSet, shape, seed) {}

 private:
  using TreeRun<On>::model_;
  using TreeRun<On>::random_;

  // Members are numbered, so that none is there twice; some are long, with much in common.
  std::string any_member() {
    std::string member = std::to_string(next_member_++);
    if (random_.chance(1, 10)) {
      member.insert(0, std::string(random_.chance(1, 4) ? 700 : 50, 'm'));
    }
    return member;
  }
  auto place(const std::string& key) {
    return std::lower_bound(model_.begin(), model_.end(), key,
                            [](const std::string& entry, const std::string& wanted) {
                              return key_of(LeafKind::kSortedSet, entry) < wanted;
                            });
  }

  void one(Tree& tree) override {
    const uint64_t what = random_.below(shrinking_ ? 16 : 10);
    if (model_.empty() || what < 5) {
      insert(tree);
    } else if (what < 7) {
      move(tree);
    } else if (what == 9 && random_.chance(1, 6)) {
      this->remove_range(tree);
    } else {
      const uint64_t which = random_.below(model_.size());
      REQUIRE(tree.remove(key_of(LeafKind::kSortedSet, model_[which])));
      model_.erase(model_.begin() + static_cast<ptrdiff_t>(which));
    }
    if (random_.chance(1, 100)) {
      shrinking_ = !shrinking_;
    }
  }
  void insert(Tree& tree) {
    const std::string entry = scored(any_score(random_), any_member());
    tree.insert(entry);
    model_.insert(place(key_of(LeafKind::kSortedSet, entry)), entry);
  }
  void move(Tree& tree) {
    const uint64_t which = random_.below(model_.size());
    const std::string old = model_[which];
    const ScoredMember was = scored_member(leaf_entry(LeafKind::kSortedSet, old));
    const double score = random_.chance(1, 3) ? was.score + 1 : any_score(random_);
    const std::string entry = scored(score, was.member);
    REQUIRE(tree.move(key_of(LeafKind::kSortedSet, old), entry));
    model_.erase(model_.begin() + static_cast<ptrdiff_t>(which));
    model_.insert(place(key_of(LeafKind::kSortedSet, entry)), entry);
  }

  void look(Tree& tree) override {
    for (int i = 0; i < 3; ++i) {
      const std::string key = scored_key(any_score(random_), std::to_string(random_.below(100)));
      const auto at = place(key);
      REQUIRE(tree.rank(key) == static_cast<uint64_t>(at - model_.begin()));
      const bool there = at != model_.end() && key_of(LeafKind::kSortedSet, *at) == key;
      const std::optional<LeafEntry> found = tree.find(key);
      REQUIRE(found.has_value() == there);
      REQUIRE((!there || found->bytes == *at));
    }
  }

  uint64_t next_member_ = 0;
  bool shrinking_ = false;
};

template <class On>
class ListTreeRun final : public TreeRun<On> {
 public:
  ListTreeRun(const Shape& shape, uint64_t seed) : TreeRun<On>(LeafKind::kList, shape, seed) {}

 private:
  using TreeRun<On>::model_;
  using TreeRun<On>::random_;

  std::string any_entry() {
    constexpr size_t kSizes[] = {0, 1, 5, 9, 20, 45, 200, 3000};
    return listed(std::string(kSizes[random_.below(std::size(kSizes))],
                              static_cast<char>('a' + random_.below(26))));
  }
  void one(Tree& tree) override {
    const uint64_t size = model_.size();
    const uint64_t what = random_.below(12);
    if (size == 0 || what < 6) {
      const uint64_t where[] = {0, size, random_.below(size + 1)};
      const uint64_t rank = where[random_.below(3)];
      const std::string entry = any_entry();
      tree.insert_at(rank, entry);
      model_.insert(model_.begin() + static_cast<ptrdiff_t>(rank), entry);
      return;
    }
    const uint64_t rank = random_.below(size);
    const auto at = model_.begin() + static_cast<ptrdiff_t>(rank);
    if (what < 8) {
      *at = any_entry();
      tree.replace_at(rank, *at);
    } else if (what == 8 && random_.chance(1, 5)) {
      this->remove_range(tree);
    } else {
      tree.remove_at(rank);
      model_.erase(at);
    }
  }
  void look(Tree&) override {}
};

// XADD, XACK and XCLAIM as a group's tree sees them.
template <class On>
class PendingRun final : public TreeRun<On> {
 public:
  PendingRun(const Shape& shape, uint64_t seed) : TreeRun<On>(LeafKind::kPending, shape, seed) {}

 private:
  using TreeRun<On>::model_;
  using TreeRun<On>::random_;

  std::string entry_of(uint64_t ms, uint64_t sequence) {
    PendingEntry entry{{ms, sequence},
                       random_.below(300),
                       random_.below(200),
                       static_cast<int64_t>(ms) + static_cast<int64_t>(random_.below(100000)) - 10};
    std::string out;
    append_pending(out, entry);
    const PendingEntry back = pending_entry(leaf_entry(LeafKind::kPending, out));
    REQUIRE(back.id == rocks::StreamId{ms, sequence});
    REQUIRE(back.consumer == entry.consumer);
    REQUIRE(back.deliveries == entry.deliveries);
    REQUIRE(back.delivered_ms == entry.delivered_ms);
    return out;
  }
  void one(Tree& tree) override {
    const uint64_t what = random_.below(10);
    if (model_.empty() || what < 6) {
      ++id_;
      model_.push_back(entry_of(1'700'000'000'000 + id_ / 3, id_ % 3));
      tree.insert(model_.back());
      return;
    }
    const uint64_t which = random_.chance(1, 2) ? 0 : random_.below(model_.size());
    const std::string key = key_of(LeafKind::kPending, model_[which]);
    if (what < 8) {
      const PendingEntry old = pending_entry(leaf_entry(LeafKind::kPending, model_[which]));
      model_[which] = entry_of(old.id.ms, old.id.sequence);
      REQUIRE(tree.move(key, model_[which]));
    } else {
      REQUIRE(tree.remove(key));
      REQUIRE_FALSE(tree.remove(key));  // XACK of one id twice
      model_.erase(model_.begin() + static_cast<ptrdiff_t>(which));
    }
  }
  void look(Tree&) override {}

  uint64_t id_ = 0;
};

TEST_SUITE_BEGIN("types/tree");

TEST_CASE_TEMPLATE("a tree of scores is a sorted sequence, undone commands nothing",
                   On,
                   InMemory,
                   OnRocks,
                   OnTable) {
  INFO(On::kName);
  SortedRun<On>(kTinyShape, 1).run(rounds_on<On>(900, 3));
  SortedRun<On>(kTinyShape, 2).run(rounds_on<On>(900, 3));
  SortedRun<On>(kShape, 3).run(rounds_on<On>(600, 3));
}

TEST_CASE_TEMPLATE(
    "a tree of positions is a sequence, undone commands nothing", On, InMemory, OnRocks, OnTable) {
  INFO(On::kName);
  ListTreeRun<On>(kTinyShape, 4).run(rounds_on<On>(900, 3));
  ListTreeRun<On>(kTinyShape, 5).run(rounds_on<On>(900, 3));
  ListTreeRun<On>(kShape, 6).run(rounds_on<On>(600, 3));
}

TEST_CASE_TEMPLATE("a tree of pending entries keeps each id once", On, InMemory, OnRocks, OnTable) {
  INFO(On::kName);
  PendingRun<On>(kTinyShape, 7).run(rounds_on<On>(900, 3));
  PendingRun<On>(kShape, 8).run(rounds_on<On>(600, 3));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
