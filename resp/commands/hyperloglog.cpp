// HyperLogLogs. PFCOUNT is a read: it takes the cardinality that the value holds if that is valid,
// else computes it, and leaves the value as it is. In Redis it writes it back.
#include "resp/types/hyperloglog.hpp"

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "config/base/check.hpp"
#include "resp/commands/support.hpp"
#include "resp/session.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace hll = hyperloglog;

namespace {

// False: an error was answered.
bool load(Context& context, const Key& key, std::string& value, ReplyWriter& reply) {
  switch (hll::load(StringChunks(context.state(), key), value)) {
    case hll::Fault::kNone:
      return true;
    case hll::Fault::kNotOne:
      reply.error(texts::kNotHyperLogLog);
      return false;
    case hll::Fault::kCorrupt:
      reply.error(texts::kCorruptHyperLogLog);
      return false;
  }
  return false;
}

// A dense value keeps its chunks.
void store(String& string, std::string& value) {
  if (string.exists() && hll::form_of(value) == hll::Form::kDense &&
      string.size() == value.size()) {
    string.overwrite(0, value);
  } else {
    string.replace(value, true);
  }
  string.save();
}

// In a dense value only what one element means is read and written.
void add_one(Context& context, String& string, std::string_view element, ReplyWriter& reply) {
  const bool changed = hll::add_to_dense(string, hll::place_of(element)) == hll::Change::kChanged;
  context.save(string, config::kEventString, "pfadd");
  reply.integer(changed ? 1 : 0);
}

}  // namespace

void pfadd(Context& context, Args args, ReplyWriter& reply) {
  String* string = context.open<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  const Args elements = args.subspan(2);
  std::string value;
  bool changed = !string->exists();
  if (!string->exists()) {
    value = hll::empty_value();
  } else if (elements.size() == 1 && hll::form_of(*string) == hll::Form::kDense) {
    return add_one(context, *string, elements[0], reply);
  } else if (!load(context, string->key(), value, reply)) {
    return;
  }
  constexpr size_t kFew = 64;  // for so many it stays as Redis leaves it
  if (elements.size() > kFew && hll::is_overlong(value) && !hll::make_dense(value)) {
    return reply.error(texts::kCorruptHyperLogLog);
  }
  for (std::string_view element : elements) {
    context.state().steps().step(hll::steps_of_search(value));
    hll::Hint begin;
    const hll::Change change = hll::set_register(value, hll::place_of(element), begin);
    if (change == hll::Change::kCorrupt) {
      return reply.error(texts::kCorruptHyperLogLog);
    }
    changed = changed || change == hll::Change::kChanged;
  }
  if (changed) {
    hll::forget_cardinality(value);
    store(*string, value);
    context.notify(config::kEventString, "pfadd", args[1]);
  }
  reply.integer(changed ? 1 : 0);
}

namespace {

// The larger registers of all that are there; a name that comes again adds nothing. False: an error
// was answered.
bool merge_all(
    Context& context, Args names, hll::Registers& registers, bool& dense, ReplyWriter& reply) {
  CHECK_INVARIANT(!names.empty());
  std::set<std::string_view> seen;
  std::string value;
  for (std::string_view name : names) {
    const Key key = context.read(name);
    if (!key.live || !seen.insert(name).second) {
      continue;
    }
    if (refuse_type(key, rocks::Type::kString, reply) || !load(context, key, value, reply)) {
      return false;
    }
    context.state().steps().step(hll::kStepsOfMerge);
    dense = dense || hll::form_of(value) == hll::Form::kDense;
    if (!hll::merge(value, registers)) {
      reply.error(texts::kCorruptHyperLogLog);
      return false;
    }
  }
  return true;
}

}  // namespace

void pfcount(Context& context, Args args, ReplyWriter& reply) {
  bool dense = false;
  if (args.size() > 2) {
    const auto registers = std::make_unique<hll::Registers>();
    if (merge_all(context, args.subspan(1), *registers, dense, reply)) {
      reply.integer(hll::cardinality(*registers));
    }
    return;
  }
  const Key key = context.read(args[1]);
  std::string value;
  if (!key.live) {
    return reply.integer(0);
  }
  if (refuse_type(key, rocks::Type::kString, reply) || !load(context, key, value, reply)) {
    return;
  }
  auto count = hll::known_cardinality(value);
  if (!count) {
    count = hll::cardinality(value);
  }
  return count ? reply.integer(*count) : reply.error(texts::kCorruptHyperLogLog);
}

void pfmerge(Context& context, Args args, ReplyWriter& reply) {
  const auto registers = std::make_unique<hll::Registers>();
  bool dense = false;
  if (!merge_all(context, args.subspan(1), *registers, dense, reply)) {
    return;
  }
  std::string value;
  String* target = context.open<String>(args[1], reply);
  if (!target->exists()) {
    value = hll::empty_value();
  } else if (!load(context, target->key(), value, reply)) {
    return;
  }
  if (dense && !hll::make_dense(value)) {
    return reply.error(texts::kCorruptHyperLogLog);
  }
  hll::Hint hint;
  for (uint32_t i = 0; i < hll::kRegisters; ++i) {
    const uint8_t count = (*registers)[i];
    if (count != 0 && hll::set_register(value, {i, count}, hint) == hll::Change::kCorrupt) {
      return reply.error(texts::kCorruptHyperLogLog);
    }
  }
  hll::forget_cardinality(value);
  store(*target, value);
  context.notify(config::kEventString, "pfadd", args[1]);
  reply.ok();
}

namespace {

void reply_registers(std::string_view dense, ReplyWriter& reply) {
  reply.array(hll::kRegisters);
  for (uint32_t i = 0; i < hll::kRegisters && !reply.discards(); ++i) {
    reply.integer(hll::dense_register(dense, i));
  }
}

}  // namespace

// GETREG makes a sparse one dense, as in Redis.
void pfdebug(Context& context, Args args, ReplyWriter& reply) {
  String* string = context.open<String>(args[2], reply);
  if (string == nullptr) {
    return;
  }
  if (!string->exists()) {
    return reply.error("ERR The specified key does not exist");
  }
  std::string value;
  if (!load(context, string->key(), value, reply)) {
    return;
  }
  const bool sparse = hll::form_of(value) == hll::Form::kSparse;
  const bool registers = same_word(args[1], "getreg");
  if (registers || same_word(args[1], "todense")) {
    if (!hll::make_dense(value)) {
      return reply.error(texts::kCorruptHyperLogLog);
    }
    if (sparse) {
      store(*string, value);
    }
    return registers ? reply_registers(value, reply) : reply.integer(sparse ? 1 : 0);
  }
  if (same_word(args[1], "decode")) {
    return sparse ? reply.bulk(hll::describe_runs(value))
                  : reply.error("ERR HLL encoding is not sparse");
  }
  if (same_word(args[1], "encoding")) {
    return reply.simple(sparse ? "sparse" : "dense");
  }
  reply.error("ERR Unknown PFDEBUG subcommand '" + std::string(args[1]) + "'");
}

void pfselftest(Session&, Args, ReplyWriter& reply) {
  const std::string failure = hll::self_test();
  return failure.empty() ? reply.ok() : reply.error(failure);
}

}  // namespace kiwi::resp::commands
