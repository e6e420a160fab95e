// Sets: random members, and SSCAN.
#include <algorithm>
#include <limits>

#include "resp/commands/scan.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

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
  Set* set = context.open<Set>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  if (set->empty() && !many) {
    return reply.null();
  }
  const uint64_t popped = std::min(static_cast<uint64_t>(*count), set->size());
  if (many) {
    reply.set(popped);
  }
  Prng prng = context.prng();
  set->pop(popped, prng, into(reply));
  context.save(*set, config::kEventSet, "spop");
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
    return reply.error(kCountOutOfRange);
  }
  const Set* set = context.read<Set>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  Prng prng = context.prng();
  if (!many) {
    return set->empty() ? reply.null() : reply.bulk(set->random(prng));
  }
  if (set->empty() || *count == 0) {
    return reply.array(0);
  }
  if (*count > 0) {
    const uint64_t wanted = std::min(static_cast<uint64_t>(*count), set->size());
    reply.array(wanted);
    return set->random_different(wanted, prng, into(reply));
  }
  if (*count < -kRepetitions) {
    return reply.error("ERR value is out of range");
  }
  reply.array(static_cast<uint64_t>(-*count));
  set->random_repeated(static_cast<uint64_t>(-*count), prng, into(reply));
}

void sscan(Context& context, Args args, ReplyWriter& reply) {
  auto from = read_cursor(args[2], reply);
  if (!from) {
    return;
  }
  const Set* set = context.read<Set>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  ScanOptions options;
  ScanPage page(options, context.state().steps(), reply);
  if (set->empty()) {
    return page.finish();
  }
  if (!read_scan_options(args, 3, false, options, reply)) {
    return;
  }
  if (set->spread()) {
    set->each_from(*from, [&](std::string_view member, uint64_t hash) {
      if (!page.look(hash)) {
        return false;
      }
      page.add(member);
      return true;
    });
  } else {
    set->each([&](std::string_view member) { return page.add(member), true; });
  }
  page.finish();
}

}  // namespace kiwi::resp::commands
