// Sorted sets against a model, on all keyspaces, in tiny and in real sizes, with undo, deadlines,
// renames, copies and new starts.
#include "resp/types/zset.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/types/world.hpp"
#include "tests/types/zset_audit.hpp"

namespace kiwi::resp::types_test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct ModelSet {
  std::map<std::string, double> scores;
  bool converted = false;
};
struct Model {
  std::map<std::string_view, ModelSet> sets;  // without empty ones
  std::map<std::string_view, int64_t> deadlines;
};

using Pair = std::pair<double, std::string>;
std::vector<Pair> in_order(const ModelSet& set) {
  std::vector<Pair> all;
  for (const auto& [member, score] : set.scores) {
    all.emplace_back(score, member);
  }
  std::sort(all.begin(), all.end());
  return all;
}

bool same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }
bool same(const std::vector<Pair>& a, const std::vector<Pair>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Pair& x, const Pair& y) {
    return same(x.first, y.first) && x.second == y.second;
  });
}

std::vector<Pair> found(const ZSet& set, const Ranks& ranks) {
  std::vector<Pair> all;
  set.each(ranks, [&](std::string_view member, double score) {
    all.emplace_back(score, member);
    return true;
  });
  std::vector<Pair> back;
  set.each_back(ranks, [&](std::string_view member, double score) {
    back.emplace_back(score, member);
    return true;
  });
  std::reverse(back.begin(), back.end());
  REQUIRE(same(all, back));
  return all;
}

template <class On>
class ZSetRun {
 public:
  ZSetRun(uint64_t seed, const Shape& shape) : w_(shape), random_(seed) {}

  void run(int commands) {
    run_commands(
        w_, random_, model_, commands,
        [&] {
          pass_time();
          one();
        },
        [&] { audit(); });
    CHECK(packed_seen_);
    CHECK(spread_seen_);
    CHECK(height_seen_ > 0);
  }

 private:
  void one() {
    const std::string_view name = any_name(random_);
    switch (random_.below(13)) {
      case 0:
      case 1:
      case 2:
        return add(name, 1 + random_.below(4));
      case 3:
        return add(name, random_.chance(1, 4) ? 300 : 12);
      case 4:
        return remove(name, random_.below(12));
      case 5:
        return remove(name, 300);
      case 6:
        return remove_range(name);
      case 7:
        return pop(name);
      case 8:
        return clear(name);
      case 9:
        return rename(name, any_name(random_));
      case 10:
        return copy(name, any_name(random_));
      case 11:
        return build(name);
      default:
        return expire(name);
    }
  }

  std::string member_of() {
    std::string member = "m" + std::to_string(random_.below(250));
    if (random_.chance(1, 80)) {
      member.append(random_.below(120), 'x');
    }
    return member;
  }
  double score_of() {
    constexpr double kEdges[] = {kInfinity, -kInfinity, 0.0, -0.0, 5e-324, -5e-324, 1e300, 0.5};
    if (random_.chance(1, 6)) {
      return kEdges[random_.below(std::size(kEdges))];
    }
    return static_cast<double>(random_.below(40)) - 20;
  }

  void settle(std::string_view name) {
    if (model_.sets[name].scores.empty()) {
      forget(name);
    }
  }
  void forget(std::string_view name) {
    model_.sets.erase(name);
    model_.deadlines.erase(name);
  }

  static double stored(const ModelSet& set, double score) {
    return score == 0 && !set.converted ? 0.0 : score;
  }

  void add(std::string_view name, uint64_t count) {
    ZSet& set = w_.template open<ZSet>(name);
    ModelSet& model = model_.sets[name];
    for (; count > 0; --count) {
      AddFlags flags;
      if (random_.chance(1, 3)) {
        const uint64_t bits = random_.below(32);
        flags = {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, bits >= 16};
      }
      const std::string member = member_of();
      add_one(set, model, score_of(), member, flags);
      const auto now = model.scores.find(member);
      const auto score = set.score(member);
      REQUIRE(score.has_value() == (now != model.scores.end()));
      REQUIRE((!score || same(*score, now->second)));
    }
    set.save();
    settle(name);
  }

  static void add_one(
      ZSet& set, ModelSet& model, double score, const std::string& member, const AddFlags& flags) {
    const Added added = set.add(score, member, flags);
    const auto old = model.scores.find(member);
    const bool there = old != model.scores.end();
    if (there ? flags.nx : flags.xx) {
      REQUIRE(added.outcome == AddOutcome::kRefused);
      return;
    }
    if (!there) {
      REQUIRE(added.outcome == AddOutcome::kAdded);
      REQUIRE(same(added.score, score));
      model.converted = model.converted || model.scores.size() + 1 > 128 || member.size() > 64;
      model.scores[member] = stored(model, score);
      return;
    }
    const double next = flags.incr ? score + old->second : score;
    if (std::isnan(next)) {
      REQUIRE(added.outcome == AddOutcome::kNaN);
    } else if ((flags.gt && next <= old->second) || (flags.lt && next >= old->second)) {
      REQUIRE(added.outcome == AddOutcome::kRefused);
    } else if (next == old->second) {
      REQUIRE(added.outcome == AddOutcome::kSame);
    } else {
      REQUIRE(added.outcome == AddOutcome::kMoved);
      REQUIRE(same(added.score, next));
      old->second = stored(model, next);
    }
  }

  void remove(std::string_view name, uint64_t times) {
    ZSet& set = w_.template open<ZSet>(name);
    ModelSet& model = model_.sets[name];
    for (; times > 0; --times) {
      const std::string member = member_of();
      REQUIRE(set.remove(member) == (model.scores.erase(member) == 1));
      REQUIRE(!set.score(member).has_value());
    }
    set.save();
    settle(name);
  }

  // Ranks in the model: [first, first + count) of any kind of range.
  Ranks any_ranks(const ZSet& set) {
    const uint64_t size = set.size();
    const uint64_t first = random_.below(size + 1);
    return random_.chance(1, 3) ? set.all() : Ranks{first, random_.below(size - first + 1)};
  }

  void remove_range(std::string_view name) {
    ZSet& set = w_.template open<ZSet>(name);
    ModelSet& model = model_.sets[name];
    const Ranks ranks = any_ranks(set);
    const std::vector<Pair> all = in_order(model);
    for (uint64_t rank = ranks.first; rank < ranks.first + ranks.count; ++rank) {
      model.scores.erase(all[rank].second);
    }
    set.remove(ranks);
    set.save();
    settle(name);
  }

  void pop(std::string_view name) {
    ZSet& set = w_.template open<ZSet>(name);
    ModelSet& model = model_.sets[name];
    const uint64_t count = random_.below(set.size() + 1);
    const ScoreEnd end = random_.chance(1, 2) ? ScoreEnd::kLowest : ScoreEnd::kHighest;
    std::vector<Pair> all = in_order(model);
    if (end == ScoreEnd::kHighest) {
      std::reverse(all.begin(), all.end());
    }
    all.resize(count);
    std::vector<Pair> popped;
    set.pop(end, count, [&](std::string_view member, double score) {
      popped.emplace_back(score, member);
      return true;
    });
    REQUIRE(same(popped, all));
    for (const Pair& one : popped) {
      model.scores.erase(one.second);
    }
    set.save();
    settle(name);
  }

  void clear(std::string_view name) {
    if (!random_.chance(1, 3)) {
      return add(name, 2);
    }
    ZSet& set = w_.template open<ZSet>(name);
    ModelSet& model = model_.sets[name];
    set.clear();
    REQUIRE(set.empty());
    model.scores.clear();
    if (random_.chance(1, 2)) {
      add_one(set, model, 3, "after clear", {});
    }
    set.save();
    settle(name);
  }

  void build(std::string_view name) {
    if (!random_.chance(1, 4)) {
      return add(name, 2);
    }
    ModelSet built;
    for (uint64_t count = random_.below(random_.chance(1, 2) ? 10 : 400); count > 0; --count) {
      built.scores[member_of()] = score_of();
    }
    size_t longest = 0;
    for (const auto& [member, score] : built.scores) {
      longest = std::max(longest, member.size());
    }
    built.converted = !ZSet::fits_listpack(built.scores.size(), longest);
    for (auto& [member, score] : built.scores) {
      score = stored(built, score);
    }
    Key key = w_.find(name);
    ZSetBuilder builder(w_.database(), key, built.converted);
    for (const auto& [score, member] : in_order(built)) {
      builder.add(score, member);
    }
    REQUIRE(builder.finish() == built.scores.size());
    model_.deadlines.erase(name);
    model_.sets[name] = std::move(built);
    settle(name);
  }

  void rename(std::string_view from_name, std::string_view to_name) {
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    if (from.live && from_name != to_name) {
      w_.database().rename(from, to);
      move_model(from_name, to_name);
      forget(from_name);
    }
  }

  void copy(std::string_view from_name, std::string_view to_name) {
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    if (from.live && from_name != to_name) {
      w_.database().copy(from, to);
      move_model(from_name, to_name);
    }
  }

  void move_model(std::string_view from, std::string_view to) {
    model_.sets[to] = model_.sets[from];
    model_.deadlines.erase(to);
    if (model_.deadlines.contains(from)) {
      model_.deadlines[to] = model_.deadlines[from];
    }
  }

  void expire(std::string_view name) {
    Key key = w_.find(name);
    if (key.live) {
      key.meta.expire_at_ms = w_.now_ms + 40;
      w_.database().update(key);
      model_.deadlines[name] = key.meta.expire_at_ms;
    }
  }

  void pass_time() {
    w_.now_ms += 1;
    for (std::string_view name : kNames) {
      if (model_.deadlines.contains(name) && model_.deadlines[name] <= w_.now_ms) {
        forget(name);
      }
    }
  }

  void audit() {
    pass_time();
    w_.begin();
    uint64_t live = 0;
    Records records;
    for (std::string_view name : kNames) {
      const ZSet& set = w_.template read<ZSet>(name);
      REQUIRE(set.exists() == model_.sets.contains(name));
      if (set.exists()) {
        ++live;
        const Records own = look(name, set);
        records.members += own.members;
        records.nodes += own.nodes;
      } else if (w_.find(name).present) {  // its records are there until the key's goes
        w_.command(false, [&] {
          Key key = w_.find(name);
          w_.database().remove_expired(key);
        });
      }
    }
    REQUIRE(w_.records(rocks::Family::kElement) == records.members);
    REQUIRE(w_.records(rocks::Family::kNode) == records.nodes);
    REQUIRE(w_.records(rocks::Family::kMeta) == live);
  }

  Records look(std::string_view name, const ZSet& set) {
    (set.spread() ? spread_seen_ : packed_seen_) = true;
    height_seen_ = std::max<unsigned>(height_seen_, set.key().meta.tree_height);
    const ModelSet& model = model_.sets[name];
    const std::vector<Pair> all = in_order(model);
    REQUIRE(set.size() == all.size());
    REQUIRE(set.key().meta.converted == model.converted);
    REQUIRE(same(found(set, set.all()), all));
    for (int i = 0; i < 6; ++i) {
      const Ranks ranks = any_ranks(set);
      const auto from = all.begin() + static_cast<ptrdiff_t>(ranks.first);
      REQUIRE(same(found(set, ranks), {from, from + static_cast<ptrdiff_t>(ranks.count)}));
      check_scores(set, all);
      const uint64_t rank = random_.below(all.size());
      REQUIRE(set.rank(all[rank].second) == rank);
    }
    REQUIRE(!set.rank("nobody").has_value());
    check_members(set, model);
    draw(set, model);
    return audit_.look(w_, name);
  }

  void check_scores(const ZSet& set, const std::vector<Pair>& all) {
    const ScoreRange range{{score_of(), random_.chance(1, 2)}, {score_of(), random_.chance(1, 2)}};
    std::vector<Pair> expected;
    std::copy_if(all.begin(), all.end(), std::back_inserter(expected), [&](const Pair& one) {
      const bool low =
          range.min.exclusive ? one.first > range.min.score : one.first >= range.min.score;
      return low &&
             (range.max.exclusive ? one.first < range.max.score : one.first <= range.max.score);
    });
    const Ranks ranks = set.ranks(range);
    REQUIRE(ranks.count == expected.size());
    REQUIRE(same(found(set, ranks), expected));
  }

  // Walked by hash, if spread.
  void check_members(const ZSet& set, const ModelSet& model) {
    std::map<std::string, double> seen;
    uint64_t last = 0;
    if (set.spread()) {
      set.each_from(0, [&](std::string_view, double, uint64_t hash) {
        REQUIRE(hash >= last);
        last = hash;
        return true;
      });
    }
    set.each_member([&](std::string_view member, double score) {
      seen.emplace(member, score);
      return true;
    });
    REQUIRE(seen == model.scores);
  }

  void draw(const ZSet& set, const ModelSet& model) {
    std::set<std::string> different;
    uint64_t drawn = 0;
    const auto known = [&](std::string_view member, double score) {
      REQUIRE(same(model.scores.at(std::string(member)), score));
      different.emplace(member);
      ++drawn;
      return true;
    };
    set.random(random_, known);
    REQUIRE(drawn == 1);
    different.clear();
    const uint64_t count = 1 + random_.below(set.size());
    set.random_different(count, random_, known);
    REQUIRE(different.size() == count);
    REQUIRE(drawn == 1 + count);
    drawn = 0;
    set.random_repeated(7, random_, known);
    REQUIRE(drawn == 7);
  }

  World<On> w_;
  Prng random_;
  Model model_;
  ZSetAudit audit_;
  bool packed_seen_ = false;
  bool spread_seen_ = false;
  unsigned height_seen_ = 0;
};

TEST_SUITE_BEGIN("types/zset");

TEST_CASE_TEMPLATE("sorted sets do what an ordered map does, undone commands nothing",
                   On,
                   InMemory,
                   OnRocks,
                   OnTable) {
  INFO(On::kName);
  ZSetRun<On>(31, kTinyShape).run(rounds_on<On>(1500));
  ZSetRun<On>(32, kShape).run(rounds_on<On>(1500));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
