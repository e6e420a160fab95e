#include "resp/types/zset_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

using Sources = std::span<const ScoredSource>;

// ---------------------------------------------------------------- one source

constexpr double kPlainScore = 1;

uint64_t size_of(const ScoredSource& source) {
  return source.sorted != nullptr  ? source.sorted->size()
         : source.plain != nullptr ? source.plain->size()
                                   : 0;
}

std::optional<double> score_of(const ScoredSource& source, std::string_view member) {
  if (source.sorted != nullptr) {
    return source.sorted->score(member);
  }
  return source.plain != nullptr && source.plain->contains(member) ? std::optional(kPlainScore)
                                                                   : std::nullopt;
}

// Calls visit(member, score) for all, in no order that means anything, until it answers false. It
// may ask other sources.
template <class Visit>
void each_of(const ScoredSource& source, Visit visit) {
  if (source.sorted != nullptr && !source.sorted->empty()) {
    source.sorted->each_member(visit);
  } else if (source.plain != nullptr) {
    source.plain->each([&](std::string_view member) { return visit(member, kPlainScore); });
  }
}

std::vector<ScoredSource> smallest_first(Sources sources) {
  CHECK_INVARIANT(!sources.empty());
  std::vector<ScoredSource> sorted(sources.begin(), sources.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const ScoredSource& a, const ScoredSource& b) {
    return size_of(a) < size_of(b);
  });
  return sorted;
}

// ---------------------------------------------------------------- scores

// Infinity times 0, and infinity less infinity, are 0.
double number(double value) { return std::isnan(value) ? 0 : value; }

// A `value` that is NaN is no minimum and no maximum.
double aggregated(Aggregate how, double so_far, double value) {
  switch (how) {
    case Aggregate::kSum:
      return number(value + so_far);
    case Aggregate::kMin:
      return value < so_far ? value : so_far;
    case Aggregate::kMax:
      return value > so_far ? value : so_far;
  }
  return so_far;
}

// Calls visit(member, score) for those that are in all sources until it answers false: the smallest
// is walked, the others are asked.
template <class Visit>
void each_common(Sources sources, Aggregate aggregate, Visit visit) {
  const std::vector<ScoredSource> sorted = smallest_first(sources);
  each_of(sorted[0], [&](std::string_view member, double first) {
    double score = number(sorted[0].weight * first);
    for (size_t i = 1; i < sorted.size(); ++i) {
      const std::optional<double> found = score_of(sorted[i], member);
      if (!found) {
        return true;
      }
      score = aggregated(aggregate, score, *found * sorted[i].weight);
    }
    return visit(member, score);
  });
}

void unite(Database& database, Sources sources, Aggregate aggregate, ScoredMembers& into) {
  std::map<std::string, double, std::less<>> scores;
  for (const ScoredSource& source : smallest_first(sources)) {
    each_of(source, [&](std::string_view member, double given) {
      const double score = number(source.weight * given);
      const auto known = scores.find(member);
      if (known != scores.end()) {
        known->second = aggregated(aggregate, known->second, score);
        return true;
      }
      database.effects().spend(member.size());
      scores.emplace(member, score);
      return true;
    });
  }
  while (!scores.empty()) {  // none is there twice at a time
    auto next = scores.extract(scores.begin());
    into.take(next.mapped(), std::move(next.key()));
  }
}

}  // namespace

// ---------------------------------------------------------------- results

void ScoredMembers::append(double score, std::string_view member) {
  database_.effects().spend(member.size());
  take(score, std::string(member));
}

void ScoredMembers::take(double score, std::string&& member) {
  CHECK_INVARIANT(!std::isnan(score));
  longest_ = std::max(longest_, member.size());
  all_.push_back({score, std::move(member)});
}

void ScoredMembers::sort() {
  std::sort(all_.begin(), all_.end(), [](const One& a, const One& b) {
    return a.score != b.score ? a.score < b.score : a.member < b.member;
  });
}

uint64_t ScoredMembers::store(Key& key) const {
  const Outward::Overwriting overwriting(database_.outward(), key.live);
  ZSetBuilder builder(database_, key, !ZSet::fits_listpack(all_.size(), longest_));
  for (const One& one : all_) {
    builder.add(one.score, one.member);
  }
  const uint64_t stored = builder.finish();
  CHECK_INVARIANT(stored == all_.size());
  return stored;
}

ScoredMembers combine(Database& database, Algebra how, Sources sources, Aggregate aggregate) {
  ScoredMembers members(database);
  switch (how) {
    case Algebra::kUnion:
      unite(database, sources, aggregate, members);
      break;
    case Algebra::kIntersection:
      each_common(sources, aggregate, [&](std::string_view member, double score) {
        members.append(score, member);
        return true;
      });
      break;
    case Algebra::kDifference: {
      // To ask an empty one is no step, and a command may name a million of them.
      std::vector<ScoredSource> others(sources.begin() + 1, sources.end());
      std::erase_if(others, [](const ScoredSource& source) { return size_of(source) == 0; });
      each_of(sources[0], [&](std::string_view member, double score) {
        const bool elsewhere = std::any_of(
            others.begin(), others.end(),
            [&](const ScoredSource& source) { return score_of(source, member).has_value(); });
        if (!elsewhere) {
          members.append(score, member);
        }
        return true;
      });
      break;
    }
  }
  members.sort();
  return members;
}

uint64_t count_common(Sources sources, uint64_t limit) {
  uint64_t count = 0;
  each_common(sources, Aggregate::kSum, [&](std::string_view, double) { return ++count != limit; });
  return count;
}

}  // namespace kiwi::resp
