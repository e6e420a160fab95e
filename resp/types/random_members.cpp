#include "resp/types/random_members.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace keys = rocks::keys;

namespace {

// Up to this size a random member is found by counting, which is fair; beyond it by a random
// position among the hashes and a few steps from there, which is nearly so and does not walk the
// collection.
constexpr uint64_t kCounted = 128;
constexpr uint64_t kSteps = 16;
// A quarter of the collection or more: one walk over all of it.
constexpr uint64_t kMuch = 4;

}  // namespace

RandomMembers::RandomMembers(Database& database, const Key& key)
    : database_(database), key_(key), cursor_(database.elements().cursor(key.collection(), 0)) {}

void RandomMembers::seek(uint64_t hash) {
  keys::element_from(place_, key_.collection(), hash);
  cursor_->seek(place_);
  settle();
}

void RandomMembers::next() {
  cursor_->next();
  settle();
}

void RandomMembers::settle() {
  database_.step();
  if (cursor_->valid()) {
    return;
  }
  passed_the_end_ = true;
  keys::element_from(place_, key_.collection(), 0);
  cursor_->seek(place_);
  if (!cursor_->valid()) {
    fatal("a collection of the state database has no members; replace this node's data directory");
  }
}

std::string_view RandomMembers::draw(Prng& prng) {
  const uint64_t size = key_.meta.size;
  const bool counted = size <= kCounted;
  seek(counted ? 0 : prng.below(rocks::kHashEnd));
  for (uint64_t steps = prng.below(counted ? size : kSteps); steps > 0; --steps) {
    next();
  }
  return member();
}

void RandomMembers::different(uint64_t count, Prng& prng, const Visit& visit) {
  if (key_.meta.size <= kCounted || count >= key_.meta.size / kMuch) {
    by_walk(count, prng, visit);
  } else {
    by_hash(count, prng, visit);
  }
}

// Each member with the same chance, in one walk (Knuth's algorithm S).
void RandomMembers::by_walk(uint64_t count, Prng& prng, const Visit& visit) {
  uint64_t wanted = count;
  uint64_t left = key_.meta.size;
  for (seek(0); wanted > 0; next()) {
    CHECK_INVARIANT(wanted <= left);
    if (prng.below(left--) < wanted) {
      if (!visit(member(), record())) {
        return;
      }
      --wanted;
    }
  }
}

// From random positions on, in the order of the hashes: a walk that does not go back, so that it
// takes O(count) steps whatever the members are (F62), and finds different ones. Behind the last
// position it goes round and takes what it has not.
void RandomMembers::by_hash(uint64_t count, Prng& prng, const Visit& visit) {
  static_assert(kSteps < kCounted, "a few steps do not go round");
  CHECK_INVARIANT(count != 0 && count < key_.meta.size / kMuch);
  database_.effects().spend(count, sizeof(uint64_t));
  std::vector<uint64_t> positions(count);
  for (uint64_t& position : positions) {
    position = prng.below(rocks::kHashEnd);
  }
  std::sort(positions.begin(), positions.end());
  const uint64_t steps_max = std::clamp<uint64_t>(key_.meta.size / (2 * count), 1, kSteps);
  std::set<std::string, std::less<>> taken;  // clients choose the members: no hash (F63)
  seek(positions[0]);
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) {
      next();
      if (!passed_the_end_ && hash() < positions[i]) {
        seek(positions[i]);
      }
    }
    for (uint64_t steps = prng.below(steps_max); steps > 0 && !passed_the_end_; --steps) {
      next();
    }
    while (passed_the_end_ && taken.contains(member())) {
      next();
    }
    database_.effects().spend(member().size());
    taken.emplace(member());
    if (!visit(member(), record())) {
      return;
    }
  }
}

void RandomMembers::repeated(uint64_t count, Prng& prng, const Visit& visit) {
  if (count < key_.meta.size / kMuch) {
    for (uint64_t i = 0; i < count; ++i) {
      const std::string_view drawn = draw(prng);
      if (!visit(drawn, record())) {
        return;
      }
    }
    return;
  }
  std::vector<std::pair<std::string, std::string>> members;  // and their records
  for (seek(0); members.size() < key_.meta.size; next()) {
    database_.effects().spend(member().size() + record().size());
    members.emplace_back(member(), record());
  }
  for (uint64_t i = 0; i < count; ++i) {
    database_.steps().entry();
    const auto& [drawn, its_record] = members[prng.below(members.size())];
    if (!visit(drawn, its_record)) {
      return;
    }
  }
}

namespace random_packed {

// Each entry with the same chance, in the order in which they stand (Knuth's algorithm S).
void different(
    PackedEntries entries, uint64_t size, uint64_t count, Prng& prng, const Visit& visit) {
  PackedEntry entry;
  uint64_t left = size;
  for (uint64_t wanted = count; wanted > 0 && entries.next(entry); --left) {
    if (prng.below(left) < wanted) {
      --wanted;
      if (!visit(entry)) {
        return;
      }
    }
  }
}

void repeated(
    PackedEntries entries, uint64_t size, uint64_t count, Prng& prng, const Visit& visit) {
  PackedEntry entry;
  if (count == 1) {
    for (uint64_t steps = 1 + prng.below(size); steps > 0 && entries.next(entry); --steps) {
    }
    visit(entry);
    return;
  }
  std::vector<PackedEntry> all;
  while (entries.next(entry)) {
    all.push_back(entry);
  }
  if (all.size() != size) {
    fatal("a hash or set of the state database is damaged; replace this node's data directory");
  }
  for (uint64_t i = 0; i < count && visit(all[prng.below(size)]); ++i) {
  }
}

}  // namespace random_packed
}  // namespace kiwi::resp
