// Sorted sets: members with a score each, in the order of (score, bytes of the member). Ranks count
// from the lowest, from 0.
//
//   packed   all entries, as a leaf's, in the key's record, as long as they fit (shape.hpp)
//   spread   a record per member that holds its score (element_value.hpp), and a tree of the
//   entries
//            (tree.hpp), whose root is in the key's record; stays so whatever goes
//
// Both stand in `tree_`: what is packed is a tree of height 0. A score is never NaN. -0 equals 0;
// it keeps its sign once Redis would have given up the listpack, which has no -0 (`converted`).
//
// Bytes that are returned, and those that visitors see, are valid until the next call that reads or
// writes the state; visitors do neither. Members that are given may not lie in this sorted set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/prng.hpp"
#include "resp/types/builder.hpp"
#include "resp/types/handle.hpp"
#include "resp/types/tree.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

// Members of neighbouring ranks; none if count is 0.
struct Ranks {
  uint64_t first = 0;
  uint64_t count = 0;
};

struct ScoreBound {
  double score = 0;  // not NaN
  bool exclusive = false;
};
struct ScoreRange {
  ScoreBound min;
  ScoreBound max;
};

// A place in the order of members that have one score.
struct LexBound {
  enum class Kind : uint8_t { kLowest, kMember, kHighest };  // - [x or (x +
  Kind kind = Kind::kMember;
  std::string_view member{};
  bool exclusive = false;
};
struct LexRange {
  LexBound min;
  LexBound max;
};

// The options of ZADD.
struct AddFlags {
  bool nx = false;    // only members that are not there
  bool xx = false;    // only members that are there
  bool gt = false;    // only to a greater score, or new ones
  bool lt = false;    // only to a lower score, or new ones
  bool incr = false;  // the score is added to the member's
};
enum class AddOutcome : uint8_t {
  kAdded,
  kMoved,    // it has another score now
  kSame,     // it has that score already
  kRefused,  // by a flag; nothing was done
  kNaN,      // incr: the sum of two infinities; nothing was done
};
struct Added {
  AddOutcome outcome = AddOutcome::kRefused;
  double score = 0;  // unless refused or NaN: what the member has now
};

enum class ScoreEnd : uint8_t { kLowest, kHighest };

// False: no more are wanted. Neither reads nor writes inside.
using ScoredVisit = std::function<bool(std::string_view member, double score)>;

class ZSet : public Collection {
 public:
  static constexpr rocks::Type kType = rocks::Type::kSortedSet;
  explicit ZSet(Database& database);

  // Of one that is there. Not so: walks answer all entries at once, a SCAN's page too.
  bool spread() const { return (key_.live || fresh_) && key_.meta.spread; }

  // Whether Redis would keep one of so many members, of at most so many bytes, as a listpack.
  static bool fits_listpack(uint64_t members, size_t longest);

  // ---- by member
  std::optional<double> score(std::string_view member) const;
  std::optional<uint64_t> rank(std::string_view member) const;
  Added add(double score, std::string_view member, const AddFlags& flags = {});
  bool remove(std::string_view member);  // false: it was not there

  // ---- ranges; their ranks are valid until the next change
  Ranks all() const { return {0, size()}; }
  Ranks ranks(const ScoreRange& range) const;
  // Of members that all have one score; else the answer is one of the ranges it could be, as in
  // Redis, though not always the same.
  Ranks ranks(const LexRange& range) const;
  // Calls visit(std::string_view member, double score) for those of these ranks, which must be
  // there, from the first up or from the last down, until it answers false.
  template <class Visit>
  void each(const Ranks& ranks, Visit visit) const;
  template <class Visit>
  void each_back(const Ranks& ranks, Visit visit) const;
  // All members, in no order that means anything. This visitor may read other keys.
  template <class Visit>
  void each_member(Visit visit) const;
  // Of a spread one: visit(member, score, hash) for all whose hash is at least `from`, in that
  // order (F33).
  template <class Visit>
  void each_from(uint64_t from, Visit visit) const;

  // ---- removal of many. `visit` sees each; empty: nobody wants to know.
  void remove(const Ranks& ranks);
  // `count` of them, at most size(), from that end on.
  void pop(ScoreEnd end, uint64_t count, const ScoredVisit& visit);
  void clear();

  // ---- members that `prng` draws by rank, of one that is not empty
  void random(Prng& prng, const ScoredVisit& visit) const;
  void random_different(uint64_t count, Prng& prng, const ScoredVisit& visit) const;  // <= size()
  void random_repeated(uint64_t count, Prng& prng, const ScoredVisit& visit) const;

  void save();  // as of Collection

  // For Handles.
  void stand_for(const Key& key);
  void give_back();

 private:
  void begin_change();
  void insert(double score, std::string_view member);
  void move(double old_score, double score, std::string_view member);
  double score_to_store(double score) const;
  void put_record(std::string_view member, double score);
  void spread_out();
  void remove_ranks(const Ranks& ranks, ScoreEnd from, const ScoredVisit& visit);
  void erase_records(const Ranks& ranks, ScoreEnd from, const ScoredVisit& visit);
  void store_nodes();
  uint64_t rank_of(const ScoreBound& bound, bool above) const;
  uint64_t rank_of(const LexBound& bound, bool above) const;
  static double score_of_record(std::string_view record);

  mutable Tree tree_;  // reading fills its buffers
  // Buffers, reused.
  mutable std::string key_bytes_;
  std::string entry_;
  std::string record_;
  std::string members_;  // that are removed
};

// A sorted set that is built whole, in place of whatever the key holds: STORE, RESTORE. Takes
// members in ascending order of (score, member), each once, and writes each record once. Without
// any the key is gone. What it writes is not counted as work: who gathered the members did (F61).
class ZSetBuilder {
 public:
  // The key's old value is removed. Neither the key nor what it held may be used until finish().
  // `converted`: not ZSet::fits_listpack().
  ZSetBuilder(Database& database, Key& key, bool converted);
  ZSetBuilder(const ZSetBuilder&) = delete;
  ZSetBuilder& operator=(const ZSetBuilder&) = delete;

  void add(double score, std::string_view member);
  uint64_t finish();  // once, at the end; how many they were

 private:
  void spread_out();
  void add_spread(std::string_view entry, double score, std::string_view member);

  Database& database_;
  Key& key_;
  const bool converted_;
  uint64_t size_ = 0;
  std::optional<TreeBuilder> builder_;  // it is spread
  std::string packed_;
  // Buffers.
  std::string last_;  // key of the last entry
  std::string entry_;
  std::string record_;
};

template <class Visit>
void ZSet::each(const Ranks& ranks, Visit visit) const {
  tree_.visit(ranks.first, ranks.count, [&](const LeafEntry& entry) {
    const ScoredMember one = scored_member(entry);
    return visit(one.member, one.score);
  });
}

template <class Visit>
void ZSet::each_back(const Ranks& ranks, Visit visit) const {
  tree_.visit_back(ranks.first, ranks.count, [&](const LeafEntry& entry) {
    const ScoredMember one = scored_member(entry);
    return visit(one.member, one.score);
  });
}

template <class Visit>
void ZSet::each_from(uint64_t from, Visit visit) const {
  for (auto cursor = elements().cursor(key_.collection(), from); cursor->valid(); cursor->next()) {
    database().step();
    const double score = score_of_record(cursor->value());
    if (!visit(rocks::keys::element_field(cursor->key()), score,
               rocks::keys::element_hash(cursor->key()))) {
      return;
    }
  }
}

template <class Visit>
void ZSet::each_member(Visit visit) const {
  if (spread()) {
    each_from(
        0, [&](std::string_view member, double score, uint64_t) { return visit(member, score); });
  } else {
    each(all(), visit);  // which stand in this handle
  }
}

}  // namespace kiwi::resp
