// What rows of long reads name as their cost: about how many records one would look at.
#include <algorithm>
#include <optional>

#include "resp/commands/support.hpp"
#include "resp/context.hpp"
#include "resp/numbers.hpp"
#include "resp/types/hyperloglog.hpp"
#include "resp/types/lcs.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

uint64_t size_of(Context& context, std::string_view name) {
  Key key = context.find(name);
  if (!key.live) {
    return 0;
  }
  // The size of a string counts bytes: its records are its chunks.
  return key.is(rocks::Type::kString)
             ? 1 + key.meta.string_bytes() / context.state().shape().chunk_bytes
             : key.meta.size;
}

uint64_t magnitude(int64_t number) {
  return number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
}

// Behind the word COUNT; without it what Redis' default is.
uint64_t count_option(Args args) {
  for (size_t i = 0; i + 1 < args.size(); ++i) {
    if (same_word(args[i], "count")) {
      std::optional<int64_t> count = parse_integer(args[i + 1]);
      return count ? magnitude(*count) : 0;
    }
  }
  return 10;
}

}  // namespace

// ---------------------------------------------------------------- for any command

// Everything in its keys.
uint64_t size_cost(Context& context, Args args) {
  uint64_t sum = 0;
  for (const FoundKey& key : keys_of(context.row(), args)) {
    sum += size_of(context, key.name);
  }
  return sum;
}

// Each key once.
uint64_t key_count_cost(Context&, Args args) { return args.size() - 1; }

// Each argument behind the key once.
uint64_t members_cost(Context&, Args args) { return args.size() - 2; }

// Every key of the database.
uint64_t database_cost(Context& context, Args) {
  Database& state = context.state();
  return state.counts(state.physical(context.database())).keys;
}

// A walk of which nobody knows beforehand how far it goes: the records that it meets tell.
uint64_t walk_cost(Context&, Args) { return 0; }

// ---------------------------------------------------------------- for one

uint64_t scan_cost(Context& context, Args args) {
  return std::min(database_cost(context, args), count_option(args.subspan(2)));
}

// A page of a collection.
uint64_t page_cost(Context& context, Args args) {
  return std::min(size_of(context, args[1]), count_option(args.subspan(3)));
}

// So many random elements.
uint64_t random_cost(Context& context, Args args) {
  const uint64_t size = size_of(context, args[1]);
  std::optional<int64_t> count = args.size() > 2 ? parse_integer(args[2]) : 1;
  if (!count || size == 0) {
    return 0;
  }
  return *count < 0 ? magnitude(*count) : std::min(size, magnitude(*count));
}

// Fields that may be due are counted one by one.
uint64_t hlen_cost(Context& context, Args args) {
  const Key key = context.find(args[1]);
  const bool counts = key.live && key.meta.spread && key.meta.may_be_due(context.now_ms());
  return counts ? key.meta.field_deadlines : 0;
}

uint64_t lrange_cost(Context& context, Args args) {
  std::optional<int64_t> first = parse_integer(args[2]);
  std::optional<int64_t> last = parse_integer(args[3]);
  if (!first || !last) {
    return 0;
  }
  const auto range = clamp_range(*first, *last, size_of(context, args[1]));
  return range ? range->count : 0;
}

// Every chunk of a long string.
uint64_t chunks_cost(Context& context, Args args) {
  return context.find(args[1]).meta.string_bytes() / context.state().shape().chunk_bytes;
}

// The registers of each.
uint64_t pfcount_cost(Context&, Args args) {
  return args.size() < 3 ? 0 : (args.size() - 1) * hyperloglog::kStepsOfMerge;
}

// What MEMORY USAGE does not estimate it walks, and what it is told to.
uint64_t memory_usage_cost(Context& context, Args args) {
  const Key key = context.find(args[2]);
  if (!key.live || !key.meta.has_elements()) {
    return 0;
  }
  const std::optional<int64_t> samples =
      args.size() > 4 ? parse_integer(args[4]) : std::optional<int64_t>(5);
  const bool estimated = samples && *samples > 0 && key.meta.type != rocks::Type::kList &&
                         key.meta.type != rocks::Type::kSortedSet &&
                         key.meta.type != rocks::Type::kStream;
  const uint64_t records = key.is(rocks::Type::kString)
                               ? key.meta.size / context.state().shape().chunk_bytes
                               : key.meta.size;
  return estimated ? std::min(records, magnitude(*samples)) : records;
}

// A table of so many cells.
uint64_t lcs_cost(Context& context, Args args) {
  const uint64_t a = context.find(args[1]).meta.string_bytes();
  return a * context.find(args[2]).meta.string_bytes() / LcsTable::kCellsPerStep;
}

}  // namespace kiwi::resp::commands
