// Strings as bits. BITFIELD: bitfield.cpp.
#include <algorithm>
#include <string_view>

#include "resp/commands/bit_offset.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/bits.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

// From what a client says to bits; the ends are clamped to the string. nullopt: none.
std::optional<bits::Range> clamp_bits(int64_t first, int64_t last, uint64_t size, bool as_bits) {
  const auto length = static_cast<int64_t>(as_bits ? size * 8 : size);
  first = std::max<int64_t>(first < 0 ? first + length : first, 0);
  last = std::min(std::max<int64_t>(last < 0 ? last + length : last, 0), length - 1);
  if (first > last) {
    return std::nullopt;
  }
  const uint64_t unit = as_bits ? 1 : 8;
  return bits::Range{static_cast<uint64_t>(first) * unit,
                     static_cast<uint64_t>(last) * unit + unit - 1};
}

// BYTE or BIT; nullopt: neither.
std::optional<bool> is_bit_unit(std::string_view word) {
  if (same_word(word, "bit")) {
    return true;
  }
  return same_word(word, "byte") ? std::optional(false) : std::nullopt;
}

}  // namespace

void getbit(Context& context, Args args, ReplyWriter& reply) {
  const auto offset = read_bit_offset(args[2], reply);
  if (!offset) {
    return;
  }
  const String* string = context.read<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  reply.integer(bits::get(*string, *offset, {.is_signed = false, .bits = 1}));
}

void setbit(Context& context, Args args, ReplyWriter& reply) {
  const auto offset = read_bit_offset(args[2], reply);
  if (!offset) {
    return;
  }
  const auto bit = parse_integer(args[3]);
  if (!bit || (*bit & ~int64_t{1}) != 0) {
    return reply.error("ERR bit is not an integer or out of range");
  }
  String* string = context.open<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  const bits::FieldType type{.is_signed = false, .bits = 1};
  const int64_t old = bits::get(*string, *offset, type);
  if (old != *bit || *offset / 8 >= string->size()) {
    bits::set(*string, *offset, type, *bit);
    context.save(*string, config::kEventString, "setbit");
  }
  reply.integer(old);
}

// A key that is missing has no wrong arguments, as in Redis.
void bitcount(Context& context, Args args, ReplyWriter& reply) {
  const String* string = context.read<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  if (!string->exists()) {
    return reply.integer(0);
  }
  int64_t first = 0;
  int64_t last = -1;
  bool as_bits = false;
  if (args.size() == 4 || args.size() == 5) {
    const auto from = parse_integer(args[2]);
    const auto to = parse_integer(args[3]);
    if (!from || !to) {
      return reply.error(texts::kNotInteger);
    }
    first = *from;
    last = *to;
    if (first < 0 && last < 0 && first > last) {
      return reply.integer(0);
    }
    const auto unit = args.size() == 5 ? is_bit_unit(args[4]) : false;
    if (!unit) {
      return reply.error(texts::kSyntax);
    }
    as_bits = *unit;
  } else if (args.size() != 2) {
    return reply.error(texts::kSyntax);
  }
  const auto range = clamp_bits(first, last, string->size(), as_bits);
  reply.integer(range ? static_cast<int64_t>(bits::count(*string, *range)) : 0);
}

namespace {

struct Search {
  int64_t first = 0;
  int64_t last = -1;
  bool as_bits = false;
  bool has_end = false;
};

// False: an error was answered.
bool parse_search(Args args, Search& search, ReplyWriter& reply) {
  if (args.size() == 3) {
    return true;
  }
  if (args.size() > 6) {
    reply.error(texts::kSyntax);
    return false;
  }
  const auto first = parse_integer(args[3]);
  if (!first) {
    reply.error(texts::kNotInteger);
    return false;
  }
  search.first = *first;
  if (args.size() == 6) {
    const auto unit = is_bit_unit(args[5]);
    if (!unit) {
      reply.error(texts::kSyntax);
      return false;
    }
    search.as_bits = *unit;
  }
  if (args.size() >= 5) {
    const auto last = parse_integer(args[4]);
    if (!last) {
      reply.error(texts::kNotInteger);
      return false;
    }
    search.last = *last;
    search.has_end = true;
  }
  return true;
}

}  // namespace

void bitpos(Context& context, Args args, ReplyWriter& reply) {
  const auto bit = parse_integer(args[2]);
  if (!bit) {
    return reply.error(texts::kNotInteger);
  }
  if (*bit != 0 && *bit != 1) {
    return reply.error("ERR The bit argument must be 1 or 0.");
  }
  const String* string = context.read<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  if (!string->exists()) {
    return reply.integer(*bit == 1 ? -1 : 0);
  }
  Search search;
  if (!parse_search(args, search, reply)) {
    return;
  }
  const auto range = clamp_bits(search.first, search.last, string->size(), search.as_bits);
  const auto found = range ? bits::find(*string, *bit == 1, *range) : std::nullopt;
  if (found) {
    return reply.integer(static_cast<int64_t>(*found));
  }
  // Where no end was named, zeros go on behind the string.
  const bool goes_on = range && *bit == 0 && !search.has_end;
  reply.integer(goes_on ? static_cast<int64_t>(range->last + 1) : -1);
}

void bitop(Context& context, Args args, ReplyWriter& reply) {
  using bits::Operation;
  struct Word {
    std::string_view word;
    Operation operation;
  };
  static constexpr Word kWords[] = {{"and", Operation::kAnd},
                                    {"or", Operation::kOr},
                                    {"xor", Operation::kXor},
                                    {"not", Operation::kNot}};
  const Word* word = std::ranges::find_if(
      kWords, [&](const Word& known) { return same_word(args[1], known.word); });
  if (word == std::end(kWords)) {
    return reply.error(texts::kSyntax);
  }
  if (word->operation == Operation::kNot && args.size() != 4) {
    return reply.error("ERR BITOP NOT must be called with a single source key.");
  }
  bits::Combination combination(context.state(), word->operation);
  for (std::string_view name : args.subspan(3)) {
    const Key source = context.read(name);
    if (refuse_type(source, Type::kString, reply)) {
      return;
    }
    combination.add(source);
  }
  Key target = context.find(args[2]);
  if (combination.size() != 0) {
    combination.store(target);
    context.notify(config::kEventString, "set", args[2]);
  } else if (target.live) {
    context.state().remove(target);
    context.notify(config::kEventGeneric, "del", args[2]);
  }
  reply.integer(static_cast<int64_t>(combination.size()));
}

}  // namespace kiwi::resp::commands
