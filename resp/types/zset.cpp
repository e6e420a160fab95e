#include "resp/types/zset.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/element_value.hpp"

namespace kiwi::resp {

namespace keys = rocks::keys;

namespace {

// Beyond either Redis gives up the listpack, for ever. Options change it there; here it decides
// what OBJECT ENCODING and DUMP say, and what becomes of -0.
constexpr uint64_t kListpackMembers = 128;
constexpr size_t kListpackBytes = 64;

constexpr LeafKind kKind = LeafKind::kSortedSet;

// The tree's root is the only leaf as long as it is all there is.
size_t packed_limit(const Shape& shape) {
  return std::min(shape.packed_bytes, shape.root_leaf_bytes);
}

}  // namespace

ZSet::ZSet(Database& database)
    : Collection(database), tree_(database.nodes(), kKind, database.shape()) {}

bool ZSet::fits_listpack(uint64_t members, size_t longest) {
  return members <= kListpackMembers && longest <= kListpackBytes;
}

void ZSet::stand_for(const Key& key) {
  Collection::stand_for(key);
  TreeHead head;
  if (key.live) {
    head.size = key.meta.size;
    head.root = key.meta.value;
    if (key.meta.spread) {
      head.height = key.meta.tree_height;
      head.removed = key.meta.removed;
      head.next_node = key.meta.next_node;
    }
  }
  tree_.open({key.collection()}, head, 0);
  key_.meta.value = {};
}

void ZSet::give_back() {
  tree_.give_back();
  for (std::string* buffer : {&key_bytes_, &entry_, &record_, &members_}) {
    give_back_if_big(*buffer);
  }
}

void ZSet::begin_change() {
  if (changed_) {
    return;
  }
  Collection::begin_change(kType);
  if (fresh_) {
    tree_.open({key_.collection()}, {}, stamp());
  } else {
    tree_.set_stamp(stamp());
  }
}

void ZSet::store_nodes() {
  database().effects().expect_packed();
  database().effects().spend_packed(tree_.save());
}

void ZSet::save() {
  if (!changed_) {
    return;
  }
  store_nodes();
  const TreeHead head = tree_.head();
  CHECK_INVARIANT(head.size == key_.meta.size && (key_.meta.spread || head.height == 0));
  key_.meta.value = head.root;
  if (key_.meta.spread) {
    key_.meta.tree_height = head.height;
    key_.meta.next_node = head.next_node;
    key_.meta.removed = std::max(key_.meta.removed, head.removed);
  }
  Collection::save();
}

// ---------------------------------------------------------------- by member

double ZSet::score_of_record(std::string_view record) {
  const std::optional<MemberScore> found = decode_scored(record);
  if (!found) {
    Elements::damaged("a member of a sorted set is damaged");
  }
  return found->score;
}

std::optional<double> ZSet::score(std::string_view member) const {
  if (empty()) {
    return std::nullopt;
  }
  if (spread()) {
    const auto record = elements().get(key_.collection(), member);
    return record ? std::optional(score_of_record(*record)) : std::nullopt;
  }
  database().steps().step(1 + size() / Steps::kEntriesPerStep);  // it compares one by one
  std::optional<double> found;
  each_leaf_entry(kKind, tree_.root_entries(), [&](const LeafEntry& entry) {
    const ScoredMember one = scored_member(entry);
    if (one.member == member) {
      found = one.score;
    }
    return !found;
  });
  return found;
}

std::optional<uint64_t> ZSet::rank(std::string_view member) const {
  const std::optional<double> found = score(member);
  if (!found) {
    return std::nullopt;
  }
  key_bytes_.clear();
  append_scored_key(key_bytes_, *found, member);
  const uint64_t rank = tree_.rank(key_bytes_);
  CHECK_INVARIANT(rank < size());
  return rank;
}

Added ZSet::add(double score, std::string_view member, const AddFlags& flags) {
  const std::optional<double> old = this->score(member);
  if (old ? flags.nx : flags.xx) {
    return {AddOutcome::kRefused};
  }
  if (old && flags.incr) {
    score += *old;
  }
  if (std::isnan(score)) {
    return {AddOutcome::kNaN};
  }
  if (!old) {
    begin_change();
    insert(score, member);
    return {AddOutcome::kAdded, score};
  }
  if ((flags.lt && score >= *old) || (flags.gt && score <= *old)) {
    return {AddOutcome::kRefused};
  }
  if (score == *old) {
    return {AddOutcome::kSame, score};
  }
  begin_change();
  move(*old, score, member);
  return {AddOutcome::kMoved, score};
}

double ZSet::score_to_store(double score) const {
  return score == 0 && !key_.meta.converted ? 0 : score;
}

void ZSet::put_record(std::string_view member, double score) {
  encode_scored(record_, {score, stamp()});
  elements().put(key_.collection(), member, record_);
}

// Once in a sorted set's life.
void ZSet::spread_out() {
  CHECK_INVARIANT(!key_.meta.spread && tree_.height() == 0);
  key_.meta.spread = true;
  each_leaf_entry(kKind, tree_.root_entries(), [&](const LeafEntry& entry) {
    const ScoredMember one = scored_member(entry);
    put_record(one.member, one.score);
    return true;
  });
}

void ZSet::insert(double score, std::string_view member) {
  key_.meta.converted = key_.meta.converted || !fits_listpack(size() + 1, member.size());
  score = score_to_store(score);
  entry_.clear();
  append_scored(entry_, score, member);
  if (!key_.meta.spread &&
      tree_.root_entries().size() + entry_.size() > packed_limit(database().shape())) {
    spread_out();
  }
  tree_.insert(entry_);
  if (key_.meta.spread) {
    put_record(member, score);
  }
  ++key_.meta.size;
  CHECK_INVARIANT(tree_.size() == key_.meta.size);
  constexpr size_t kPagesMax = 512;  // nodes that a command of many members holds in memory
  if (tree_.pages() > kPagesMax) {
    store_nodes();
  }
}

void ZSet::move(double old_score, double score, std::string_view member) {
  score = score_to_store(score);
  entry_.clear();
  append_scored(entry_, score, member);
  key_bytes_.clear();
  append_scored_key(key_bytes_, old_score, member);
  if (!tree_.move(key_bytes_, entry_)) {
    damaged_tree();
  }
  CHECK_INVARIANT(tree_.size() == key_.meta.size);
  if (key_.meta.spread) {
    put_record(member, score);
  }
}

bool ZSet::remove(std::string_view member) {
  const std::optional<double> old = score(member);
  if (!old) {
    return false;
  }
  begin_change();
  key_bytes_.clear();
  append_scored_key(key_bytes_, *old, member);
  if (!tree_.remove(key_bytes_)) {
    damaged_tree();
  }
  if (key_.meta.spread) {
    elements().erase(key_.collection(), member);
    key_.meta.removed = stamp();
  }
  --key_.meta.size;
  CHECK_INVARIANT(tree_.size() == key_.meta.size);
  return true;
}

// ---------------------------------------------------------------- ranges

// How many members stand below the bound; `above`: those at it, too.
uint64_t ZSet::rank_of(const ScoreBound& bound, bool above) const {
  key_bytes_.clear();
  keys::append_score(key_bytes_, bound.score);
  if (above) {  // the next greater eight bytes: there are some behind infinity
    const auto score = get_be<uint64_t>(key_bytes_);
    key_bytes_.clear();
    put_be(key_bytes_, score + 1);
  }
  return tree_.rank(key_bytes_);
}

uint64_t ZSet::rank_of(const LexBound& bound, bool above) const {
  if (bound.kind != LexBound::Kind::kMember) {
    return bound.kind == LexBound::Kind::kLowest ? 0 : size();
  }
  const double score = scored_member(tree_.at(0)).score;
  key_bytes_.clear();
  append_scored_key(key_bytes_, score, bound.member);
  if (above) {
    key_bytes_.push_back('\0');
  }
  return tree_.rank(key_bytes_);
}

namespace {

Ranks between(uint64_t first, uint64_t end) {
  return end > first ? Ranks{first, end - first} : Ranks{};
}

}  // namespace

Ranks ZSet::ranks(const ScoreRange& range) const {
  return empty() ? Ranks{}
                 : between(rank_of(range.min, range.min.exclusive),
                           rank_of(range.max, !range.max.exclusive));
}

Ranks ZSet::ranks(const LexRange& range) const {
  return empty() ? Ranks{}
                 : between(rank_of(range.min, range.min.exclusive),
                           rank_of(range.max, !range.max.exclusive));
}

// ---------------------------------------------------------------- removal of many

void ZSet::remove(const Ranks& ranks) { remove_ranks(ranks, ScoreEnd::kLowest, {}); }

void ZSet::pop(ScoreEnd end, uint64_t count, const ScoredVisit& visit) {
  CHECK_INVARIANT(count <= size());
  remove_ranks({end == ScoreEnd::kLowest ? 0 : size() - count, count}, end, visit);
}

void ZSet::clear() {
  if (empty()) {
    return;
  }
  begin_change();
  if (key_.meta.spread) {
    elements().drop(key_);
    key_.meta.removed = stamp();
  }
  tree_.clear();
  key_.meta.size = 0;
}

void ZSet::remove_ranks(const Ranks& ranks, ScoreEnd from, const ScoredVisit& visit) {
  CHECK_INVARIANT(ranks.first <= size() && ranks.count <= size() - ranks.first);
  if (ranks.count == 0) {
    return;
  }
  const auto tell = [&] {
    const Steps::ForAnswer for_answer(database().steps());
    from == ScoreEnd::kLowest ? each(ranks, std::ref(visit)) : each_back(ranks, std::ref(visit));
  };
  // The last ones go one by one; for more than so many a range erase is less.
  constexpr uint64_t kFew = 64;
  if (visit && (!spread() || (ranks.count == size() && ranks.count > kFew))) {
    tell();
  }
  if (ranks.count == size() && ranks.count > kFew) {
    return clear();
  }
  begin_change();
  if (key_.meta.spread) {
    erase_records(ranks, from, visit);
  }
  tree_.remove_range(ranks.first, ranks.count);
  key_.meta.size -= ranks.count;
  CHECK_INVARIANT(tree_.size() == key_.meta.size);
}

// Of these members, in steps: nothing may be written under a visitor.
void ZSet::erase_records(const Ranks& ranks, ScoreEnd from, const ScoredVisit& visit) {
  constexpr uint64_t kStep = 1024;
  bool wanted = static_cast<bool>(visit);
  const auto gather = [&](std::string_view member, double score) {
    database().effects().spend(member.size());
    put_sized(members_, member);
    wanted = wanted && visit(member, score);
    return true;
  };
  for (uint64_t done = 0; done < ranks.count;) {
    const uint64_t count = std::min(kStep, ranks.count - done);
    members_.clear();
    if (from == ScoreEnd::kLowest) {
      each(Ranks{ranks.first + done, count}, gather);
    } else {
      each_back(Ranks{ranks.first + ranks.count - done - count, count}, gather);
    }
    for (ByteReader in(members_); !in.done();) {
      elements().erase(key_.collection(), in.sized());
    }
    done += count;
  }
  key_.meta.removed = stamp();
}

// ---------------------------------------------------------------- random members

void ZSet::random(Prng& prng, const ScoredVisit& visit) const { random_repeated(1, prng, visit); }

void ZSet::random_repeated(uint64_t count, Prng& prng, const ScoredVisit& visit) const {
  CHECK_INVARIANT(!empty());
  for (; count > 0; --count) {
    const ScoredMember drawn = scored_member(tree_.at(prng.below(size())));
    database().step();
    if (!visit(drawn.member, drawn.score)) {
      return;
    }
  }
}

void ZSet::random_different(uint64_t count, Prng& prng, const ScoredVisit& visit) const {
  CHECK_INVARIANT(count <= size());
  constexpr uint64_t kMuch = 4;  // a quarter or more: one walk over all of it
  if (count >= size() / kMuch) {
    uint64_t left = size();
    // Each member with the same chance (Knuth's algorithm S).
    return each(all(), [&](std::string_view member, double score) {
      if (prng.below(left--) >= count) {
        return true;
      }
      return visit(member, score) && --count > 0;
    });
  }
  std::set<uint64_t> drawn;
  while (drawn.size() < count) {
    if (drawn.insert(prng.below(size())).second) {
      database().effects().spend(0);
    }
  }
  for (const uint64_t rank : drawn) {
    const ScoredMember one = scored_member(tree_.at(rank));
    database().step();
    if (!visit(one.member, one.score)) {
      return;
    }
  }
}

// ---------------------------------------------------------------- built whole

ZSetBuilder::ZSetBuilder(Database& database, Key& key, bool converted)
    : database_(database), key_(key), converted_(converted) {
  if (key.live) {
    database.remove(key);
  }
}

void ZSetBuilder::add(double score, std::string_view member) {
  if (size_++ == 0) {
    database_.begin_new(key_, ZSet::kType);
    key_.meta.converted = converted_;
  }
  const double stored = score == 0 && !converted_ ? 0 : score;
  entry_.clear();
  append_scored(entry_, stored, member);
  const std::string_view entry_key = leaf_entry(kKind, entry_).key;
  CHECK_INVARIANT(size_ == 1 || entry_key > last_);
  last_.assign(entry_key);
  if (!builder_ && packed_.size() + entry_.size() > packed_limit(database_.shape())) {
    spread_out();
  }
  if (builder_) {
    add_spread(entry_, stored, member);
  } else {
    packed_.append(entry_);
  }
}

void ZSetBuilder::spread_out() {
  key_.meta.spread = true;
  builder_.emplace(database_.nodes(), kKind, TreeId{key_.collection()}, 0, database_.shape());
  each_leaf_entry(kKind, packed_, [&](const LeafEntry& entry) {
    const ScoredMember one = scored_member(entry);
    add_spread(entry.bytes, one.score, one.member);
    return true;
  });
}

void ZSetBuilder::add_spread(std::string_view entry, double score, std::string_view member) {
  builder_->add(entry);
  encode_scored(record_, {score, 0});
  database_.elements().put(key_.collection(), member, record_);
}

uint64_t ZSetBuilder::finish() {
  if (size_ == 0) {
    return 0;
  }
  key_.meta.size = size_;
  if (builder_) {
    const TreeHead head = builder_->finish();
    CHECK_INVARIANT(head.size == size_);
    key_.meta.tree_height = head.height;
    key_.meta.next_node = head.next_node;
    key_.meta.value = head.root;
    database_.store_new(key_);
  } else {
    key_.meta.value = packed_;
    database_.store_new(key_);
  }
  key_.meta.value = {};
  return size_;
}

}  // namespace kiwi::resp
