// BITFIELD and BITFIELD_RO.
#include <algorithm>
#include <vector>

#include "resp/commands/bit_offset.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/bits.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

enum class FieldAction : uint8_t { kGet, kSet, kIncrement };

struct FieldOperation {
  FieldAction action = FieldAction::kGet;
  bits::Overflow rule = bits::Overflow::kWrap;
  bits::FieldType type;
  uint64_t offset = 0;
  int64_t value = 0;

  bool writes() const { return action != FieldAction::kGet; }
  uint64_t end_byte() const { return (offset + type.bits - 1) / 8 + 1; }
};

// False: an error was answered.
bool parse_type(std::string_view text, bits::FieldType& type, ReplyWriter& reply) {
  text = text.substr(0, text.find('\0'));
  type.is_signed = text.starts_with('i');
  const auto number =
      type.is_signed || text.starts_with('u') ? parse_integer(text.substr(1)) : std::nullopt;
  if (!number || *number < 1 || *number > (type.is_signed ? 64 : 63)) {
    reply.error(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
        "i64 is.");
    return false;
  }
  type.bits = static_cast<uint32_t>(*number);
  return true;
}

bool parse_rule(std::string_view word, bits::Overflow& rule, ReplyWriter& reply) {
  if (same_word(word, "wrap")) {
    rule = bits::Overflow::kWrap;
  } else if (same_word(word, "sat")) {
    rule = bits::Overflow::kSaturate;
  } else if (same_word(word, "fail")) {
    rule = bits::Overflow::kFail;
  } else {
    reply.error("ERR Invalid OVERFLOW type specified");
    return false;
  }
  return true;
}

// The operation at `at`, which moves to its last argument.
bool parse_operation(Args args, size_t& at, FieldOperation& operation, ReplyWriter& reply) {
  const std::string_view word = args[at];
  const size_t left = args.size() - at - 1;
  if (same_word(word, "get") && left >= 2) {
    operation.action = FieldAction::kGet;
  } else if (same_word(word, "set") && left >= 3) {
    operation.action = FieldAction::kSet;
  } else if (same_word(word, "incrby") && left >= 3) {
    operation.action = FieldAction::kIncrement;
  } else {
    reply.error(texts::kSyntax);
    return false;
  }
  if (!parse_type(args[at + 1], operation.type, reply)) {
    return false;
  }
  const auto offset = read_bit_offset(args[at + 2], reply, operation.type.bits);
  if (!offset) {
    return false;
  }
  operation.offset = *offset;
  at += 2;
  if (operation.writes()) {
    const auto value = parse_integer(args[++at]);
    if (!value) {
      reply.error(texts::kNotInteger);
      return false;
    }
    operation.value = *value;
  }
  return true;
}

bool parse_operations(Args args, std::vector<FieldOperation>& operations, ReplyWriter& reply) {
  FieldOperation next;
  for (size_t at = 2; at < args.size(); ++at) {
    if (same_word(args[at], "overflow") && at + 1 < args.size()) {
      if (!parse_rule(args[++at], next.rule, reply)) {
        return false;
      }
      continue;
    }
    if (!parse_operation(args, at, next, reply)) {
      return false;
    }
    operations.push_back(next);
  }
  return true;
}

void write_field(String& string, const FieldOperation& operation, ReplyWriter& reply) {
  const int64_t old = bits::get(string, operation.offset, operation.type);
  const bool sets = operation.action == FieldAction::kSet;
  const bits::Sum made = bits::add(operation.type, operation.rule, sets ? operation.value : old,
                                   sets ? 0 : operation.value);
  if (!made.fits && operation.rule == bits::Overflow::kFail) {
    return reply.null();
  }
  if (made.value != old) {
    bits::set(string, operation.offset, operation.type, made.value);
  }
  reply.integer(sets ? old : made.value);
}

void read_fields(Context& context,
                 std::string_view name,
                 const std::vector<FieldOperation>& operations,
                 ReplyWriter& reply) {
  const String* string = context.read<String>(name, reply);
  if (string == nullptr) {
    return;
  }
  reply.array(operations.size());
  for (const FieldOperation& operation : operations) {
    reply.integer(bits::get(*string, operation.offset, operation.type));
  }
}

}  // namespace

void bitfield_ro(Context& context, Args args, ReplyWriter& reply) {
  std::vector<FieldOperation> operations;
  if (!parse_operations(args, operations, reply)) {
    return;
  }
  if (std::ranges::any_of(operations, &FieldOperation::writes)) {
    return reply.error("ERR BITFIELD_RO only supports the GET subcommand");
  }
  read_fields(context, args[1], operations, reply);
}

// What only reads is no write. An argument that is no operation may be such a word, too: then this
// is a write that changes nothing.
Route bitfield_route(Args args) {
  const bool writes = std::ranges::any_of(args.subspan(2), [](std::string_view word) {
    return same_word(word, "set") || same_word(word, "incrby");
  });
  return writes ? Route::kWrite : Route::kRead;
}

// The string grows to what the operations mean before any of them is done, also if all of them then
// fail.
void bitfield(Context& context, Args args, ReplyWriter& reply) {
  std::vector<FieldOperation> operations;
  if (!parse_operations(args, operations, reply)) {
    return;
  }
  uint64_t end = 0;
  for (const FieldOperation& operation : operations) {
    end = operation.writes() ? std::max(end, operation.end_byte()) : end;
  }
  if (end == 0) {
    return read_fields(context, args[1], operations, reply);
  }
  String* string = context.open<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  string->extend(end);
  reply.array(operations.size());
  for (const FieldOperation& operation : operations) {
    if (operation.writes()) {
      write_field(*string, operation, reply);
    } else {
      reply.integer(bits::get(*string, operation.offset, operation.type));
    }
  }
  context.save(*string, config::kEventString, "setbit");
}

}  // namespace kiwi::resp::commands
