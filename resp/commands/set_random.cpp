// Sets: random members, and SSCAN.
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "resp/commands/scan.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

// Up to this size a random member is found by counting, which is fair; beyond it by a random
// position among the hashes and a few steps from there, which is nearly so and does not walk the
// set.
constexpr uint64_t kCounted = 128;
constexpr uint64_t kSteps = 16;
// A quarter of the set or more: one walk over all of it.
constexpr uint64_t kMuch = 4;
// Longest answer with repetitions: Redis has no bound, and one short request fills its memory.
constexpr int64_t kRepetitions = 1 << 20;

// A walk over the members, whose hashes are a ring. One cursor, and each step counts.
class Ring {
 public:
  Ring(Context& context, const Key& key, uint64_t hash)
      : context_(context), key_(key), cursor_(context.state().element_cursor(key, 0)) {
    seek(hash);
  }
  void seek(uint64_t hash) {
    rocks::keys::element_from(place_, key_.collection(), hash);
    cursor_->seek(place_);
    settle();
  }
  void next() {
    cursor_->next();
    settle();
  }
  bool passed_the_end() const { return passed_the_end_; }
  std::string_view member() const { return rocks::keys::element_field(cursor_->key()); }
  uint64_t hash() const { return rocks::keys::element_hash(cursor_->key()); }

 private:
  void settle() {
    context_.state().step();
    if (cursor_->valid()) {
      return;
    }
    passed_the_end_ = true;
    rocks::keys::element_from(place_, key_.collection(), 0);
    cursor_->seek(place_);
    if (!cursor_->valid()) {
      fatal("a set of the state database has no members; replace this node's data directory");
    }
  }

  Context& context_;
  const Key& key_;
  std::unique_ptr<rocks::Cursor> cursor_;
  std::string place_;
  bool passed_the_end_ = false;
};

std::string_view draw(Ring& ring, const Key& key, Prng& prng) {
  const bool counted = key.meta.size <= kCounted;
  ring.seek(counted ? 0 : prng.below(rocks::kHashEnd));
  for (uint64_t steps = prng.below(counted ? key.meta.size : kSteps); steps > 0; --steps) {
    ring.next();
  }
  return ring.member();
}

// Each member with the same chance, in one walk (Knuth's algorithm S).
template <class Take>
void select_by_walk(Context& context, const Key& key, uint64_t count, Prng& prng, Take take) {
  uint64_t wanted = count;
  uint64_t left = key.meta.size;
  for (Ring ring(context, key, 0); wanted > 0; ring.next()) {
    if (prng.below(left--) < wanted) {
      take(ring.member());
      --wanted;
    }
  }
}

// From random positions on, in the order of the hashes: a walk that does not go back, so that it
// takes O(count) steps whatever the members are (F62), and finds different ones. Behind the last
// position it goes round and takes what it has not.
template <class Take>
void select_by_hash(Context& context, const Key& key, uint64_t count, Prng& prng, Take take) {
  std::vector<uint64_t> positions(count);
  for (uint64_t& position : positions) {
    context.state().spend(0);
    position = prng.below(rocks::kHashEnd);
  }
  std::sort(positions.begin(), positions.end());
  const uint64_t steps_max = std::clamp<uint64_t>(key.meta.size / (2 * count), 1, kSteps);
  std::set<std::string, std::less<>> taken;  // clients choose the members: no hash (F63)
  Ring ring(context, key, positions[0]);
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) {
      ring.next();
      if (!ring.passed_the_end() && ring.hash() < positions[i]) {
        ring.seek(positions[i]);
      }
    }
    for (uint64_t steps = prng.below(steps_max); steps > 0 && !ring.passed_the_end(); --steps) {
      ring.next();
    }
    while (ring.passed_the_end() && taken.contains(ring.member())) {
      ring.next();
    }
    context.state().spend(ring.member().size());
    taken.emplace(ring.member());
    take(ring.member());
  }
}

// `count` different ones, 0 < count <= size. No writes inside.
template <class Take>
void select_members(Context& context, const Key& key, uint64_t count, Prng& prng, Take take) {
  if (key.meta.size <= kCounted || count >= key.meta.size / kMuch) {
    select_by_walk(context, key, count, prng, take);
  } else {
    select_by_hash(context, key, count, prng, take);
  }
}

// Of all members many times each, or of a few: whichever takes less.
void reply_with_repetitions(
    Context& context, const Key& key, uint64_t count, Prng& prng, ReplyWriter& reply) {
  reply.array(count);
  if (count < key.meta.size / kMuch) {
    Ring ring(context, key, 0);
    for (uint64_t i = 0; i < count; ++i) {
      reply.bulk(draw(ring, key, prng));
    }
    return;
  }
  std::vector<std::string> members;
  for (Ring ring(context, key, 0); members.size() < key.meta.size; ring.next()) {
    context.state().spend(ring.member().size());
    members.emplace_back(ring.member());
  }
  for (uint64_t i = 0; i < count; ++i) {
    reply.bulk(members[prng.below(members.size())]);
  }
}

}  // namespace

// F10: which members go is drawn from the entry's seed and the command's place in it.
void spop(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(texts::kSyntax);
  }
  bool many = args.size() == 3;
  auto count = many ? parse_integer(args[2]) : 1;
  if (!count || *count < 0) {
    return reply.error("ERR value is out of range, must be positive");
  }
  Key key = context.find(args[1]);
  if (!key.live) {
    return many ? reply.set(0) : reply.null();
  }
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  const uint64_t popped = std::min(static_cast<uint64_t>(*count), key.meta.size);
  if (many) {
    reply.set(popped);
  }
  if (popped == 0) {
    return;
  }
  constexpr uint64_t kFew =
      64;  // the last ones go one by one; for more than so many a range is less
  if (popped == key.meta.size && popped > kFew) {  // only the answer needs to know which
    if (!reply.discards()) {
      Ring ring(context, key, 0);
      for (uint64_t i = 0; i < popped && !reply.lost(); ++i, ring.next()) {
        reply.bulk(ring.member());
      }
    }
    return context.state().remove(key);
  }
  Prng prng = context.prng();
  std::vector<std::string> members;
  select_members(context, key, popped, prng, [&](std::string_view member) {
    context.state().spend(member.size());
    members.emplace_back(member);
  });
  for (const std::string& member : members) {
    reply.bulk(member);
    context.state().erase_element(key, member);
  }
  key.meta.size -= popped;
  context.update_or_remove_emptied(key);
}

void srandmember(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(texts::kSyntax);
  }
  bool many = args.size() == 3;
  auto count = many ? parse_integer(args[2]) : 1;
  if (!count) {
    return reply.error(texts::kNotInteger);
  }
  if (*count == std::numeric_limits<int64_t>::min()) {
    return reply.error(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
  }
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  Prng prng = context.prng();
  if (!many) {
    if (!key.live) {
      return reply.null();
    }
    Ring ring(context, key, 0);
    return reply.bulk(draw(ring, key, prng));
  }
  if (!key.live || *count == 0) {
    return reply.array(0);
  }
  if (*count > 0) {
    const uint64_t wanted = std::min(static_cast<uint64_t>(*count), key.meta.size);
    reply.array(wanted);
    return select_members(context, key, wanted, prng,
                          [&](std::string_view member) { reply.bulk(member); });
  }
  if (*count < -kRepetitions) {
    return reply.error("ERR value is out of range");
  }
  reply_with_repetitions(context, key, static_cast<uint64_t>(-*count), prng, reply);
}

void sscan(Context& context, Args args, ReplyWriter& reply) {
  auto from = read_cursor(args[2], reply);
  if (!from) {
    return;
  }
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  ScanOptions options;
  ScanPage page(options, reply);
  if (!key.live) {
    return page.finish();
  }
  if (!read_scan_options(args, 3, false, options, reply)) {
    return;
  }
  for (auto cursor = context.state().element_cursor(key, *from); cursor->valid(); cursor->next()) {
    context.state().step();
    if (!page.look(rocks::keys::element_hash(cursor->key()))) {
      break;
    }
    page.add(rocks::keys::element_field(cursor->key()));
  }
  page.finish();
}

}  // namespace kiwi::resp::commands
