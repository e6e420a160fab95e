// Sets: random members, and SSCAN.
#include <limits>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

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
// Longest answer with repetitions: Redis has no bound, and one short request fills its memory.
constexpr int64_t kRepetitions = 1 << 20;

std::string random_member(Context& context, const Key& key, Prng& prng) {
  bool counted = key.meta.size <= kCounted;
  uint64_t start = counted ? 0 : prng.below(rocks::kHashEnd);
  uint64_t steps = prng.below(counted ? key.meta.size : kSteps);
  auto cursor = context.state().element_cursor(key, start);
  for (uint64_t step = 0;; ++step) {
    if (!cursor->valid()) {
      cursor = context.state().element_cursor(key, 0);  // the hashes are a ring
    }
    if (step == steps) {
      return std::string(rocks::keys::element_field(cursor->key()));
    }
    cursor->next();
  }
}

std::vector<std::string> all_members(Context& context, const Key& key) {
  std::vector<std::string> members;
  for (auto cursor = context.state().element_cursor(key, 0); cursor->valid(); cursor->next()) {
    members.emplace_back(rocks::keys::element_field(cursor->key()));
  }
  return members;
}

// `count` different ones; count <= size.
std::vector<std::string> random_members(Context& context,
                                        const Key& key,
                                        uint64_t count,
                                        Prng& prng) {
  constexpr uint64_t kMuch = 4;  // a quarter of the set or more: take all and shuffle
  std::vector<std::string> members;
  if (key.meta.size <= kCounted || count >= key.meta.size / kMuch) {
    members = all_members(context, key);
    for (uint64_t i = 0; i < count; ++i) {
      std::swap(members[i], members[i + prng.below(members.size() - i)]);
    }
    members.resize(count);
    return members;
  }
  std::unordered_set<std::string> taken;
  while (members.size() < count) {
    std::string member = random_member(context, key, prng);
    if (taken.insert(member).second) {
      members.push_back(std::move(member));
    }
  }
  return members;
}

void reply_members(const std::vector<std::string>& members, ReplyWriter& reply) {
  for (const std::string& member : members) {
    reply.bulk(member);
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
  uint64_t popped = std::min(static_cast<uint64_t>(*count), key.meta.size);
  Prng prng = context.prng();
  std::vector<std::string> members =
      popped == 0 ? std::vector<std::string>{} : random_members(context, key, popped, prng);
  if (many) {
    reply.set(members.size());
  }
  reply_members(members, reply);
  if (popped == 0) {
    return;
  }
  key.meta.size -= popped;
  constexpr size_t kFew = 64;  // the last ones go one by one; for more than so many a range is less
  if (key.meta.size == 0 && members.size() > kFew) {
    return context.update_or_remove(key);
  }
  for (const std::string& member : members) {
    context.state().erase_element(key, member);
  }
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
    return key.live ? reply.bulk(random_member(context, key, prng)) : reply.null();
  }
  if (!key.live || *count == 0) {
    return reply.array(0);
  }
  if (*count > 0) {
    uint64_t wanted = std::min(static_cast<uint64_t>(*count), key.meta.size);
    reply.array(wanted);
    return reply_members(random_members(context, key, wanted, prng), reply);
  }
  if (*count < -kRepetitions) {
    return reply.error("ERR value is out of range");
  }
  reply.array(static_cast<size_t>(-*count));  // with repetitions
  for (int64_t i = 0; i < -*count; ++i) {
    reply.bulk(random_member(context, key, prng));
  }
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
  ScanPage page(options);
  if (!key.live) {
    return page.reply_to(reply);
  }
  if (!read_scan_options(args, 3, false, options, reply)) {
    return;
  }
  for (auto cursor = context.state().element_cursor(key, *from); cursor->valid(); cursor->next()) {
    if (!page.look(rocks::keys::element_hash(cursor->key()))) {
      break;
    }
    page.add(rocks::keys::element_field(cursor->key()));
  }
  page.reply_to(reply);
}

}  // namespace kiwi::resp::commands
