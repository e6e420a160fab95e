#include <algorithm>
#include <array>
#include <cstddef>

#include "config/base/check.hpp"
#include "resp/command.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace commands {

#define LOCAL_ROW(handler, ...) void handler(Session& session, Args args, ReplyWriter& reply);
#define DATA_ROW(handler, ...) void handler(Context& context, Args args, ReplyWriter& reply);
#define COST(function) uint64_t function(Context& context, Args args);
#define ROUTE_OF(function) Route function(Args args);
#define WAITING(object) extern const WaitRule object;
#include "resp/commands/all.def"
#undef LOCAL_ROW
#undef DATA_ROW
#undef COST
#undef ROUTE_OF
#undef WAITING

}  // namespace commands

namespace {

// ---------------------------------------------------------------- rows as they are written

constexpr CommandSpec written(
    std::string_view name, int arity, uint32_t flags, uint32_t acl, std::string_view text) {
  CommandSpec row;
  row.name = name;
  row.arity = arity;
  row.flags = flags;
  row.acl_categories = acl;
  row.text = text;
  return row;
}

constexpr CommandSpec local_row(LocalHandler handler,
                                Route route,
                                SessionRole role,
                                CommandSpec row) {
  row.local = handler;
  row.route = route;
  row.role = role;
  row.flags |= route == Route::kAdmin ? kAdmin | kNoMulti : 0u;
  return row;
}

constexpr CommandSpec data_row(DataHandler handler,
                               Route route,
                               RouteFunction route_of,
                               CostFunction cost,
                               const WaitRule* waiting,
                               CommandSpec row) {
  row.data = handler;
  row.route = route;
  row.route_of = route_of;
  row.cost = cost;
  row.waiting = waiting;
  // Alone, a publication goes beside the log: the session takes it.
  row.role = (row.flags & kPubSub) != 0 ? SessionRole::kPublish : SessionRole::kNone;
  return row;
}

constexpr CommandSpec kWritten[] = {
#define LOCAL_ROW(handler, route, role, ...) \
  local_row(&commands::handler, route, role, written(__VA_ARGS__)),
#define DATA_ROW(handler, route, route_of, cost, waiting, ...) \
  data_row(&commands::handler, route, route_of, cost, waiting, written(__VA_ARGS__)),
#define COST(function)
#define ROUTE_OF(function)
#define WAITING(object)
#include "resp/commands/all.def"
#undef LOCAL_ROW
#undef DATA_ROW
#undef COST
#undef ROUTE_OF
#undef WAITING
};
constexpr size_t kCount = std::size(kWritten);

// ---------------------------------------------------------------- what follows from them

// Calls visit(word, rest) for the lines of a row's text, but for the args and their parts.
template <class Visit>
constexpr void for_each_fact(std::string_view text, Visit visit) {
  while (!text.empty()) {
    std::string_view line = key_text::take(text, "\n");
    if (!line.empty() && line[0] != ' ') {
      const std::string_view word = key_text::take(line, " ");
      visit(word, line);
    }
  }
}

constexpr size_t count_key_specs() {
  size_t count = 0;
  for (const CommandSpec& row : kWritten) {
    for_each_fact(row.text, [&](std::string_view word, std::string_view) {
      count += word == "key" ? 1u : 0u;
    });
  }
  return count;
}

using KeySpecs = std::array<KeySpec, count_key_specs()>;

constexpr KeySpecs read_key_specs() {
  KeySpecs specs{};
  size_t next = 0;
  for (const CommandSpec& row : kWritten) {
    for_each_fact(row.text, [&](std::string_view word, std::string_view rest) {
      if (word == "key") {
        specs[next++] = parse_key_spec(rest);
      } else if (word == "vary") {
        parse_key_variation(rest, specs[next - 1]);
      }
    });
  }
  return specs;
}

constexpr KeySpecs kKeySpecs = read_key_specs();

// The categories that Redis derives from a command's flags.
constexpr uint32_t implied_categories(const CommandSpec& row) {
  uint32_t acl = 0;
  // By its route, not by its handler: a sanitizer's compiler knows no function's address yet.
  const bool data = (row.route == Route::kRead || row.route == Route::kWrite) &&
                    row.role != SessionRole::kPublish;
  if (data && (row.acl_categories & kAclScripting) == 0 && (row.flags & kNeutral) == 0) {
    acl |= row.route == Route::kWrite ? kAclWrite : kAclRead;
  }
  if ((row.flags & kAdmin) != 0) {
    acl |= kAclAdmin | kAclDangerous;
  }
  if ((row.flags & kPubSub) != 0) {
    acl |= kAclPubSub;
  }
  if ((row.flags & kBlocking) != 0) {
    acl |= kAclBlocking;
  }
  return acl | ((row.flags & kFast) != 0 ? kAclFast : kAclSlow);
}

// The range of positions that COMMAND INFO had before it had specifications: as Redis makes it, of
// those that follow each other; anything that is not such a range is left out.
constexpr void set_plain_range(CommandSpec& row) {
  int before = -1;  // the last key of the specification before, from the start
  for (const KeySpec& spec : row.keys) {
    const auto [behind_first, step, parts] = spec.numbers;
    const bool range = spec.begin == KeySpec::Begin::kIndex && spec.find == KeySpec::Find::kRange;
    if (!range || (row.keys.size() > 1 && step != 1) ||
        (before > 0 && spec.begin_at != before + 1)) {
      continue;
    }
    row.first_key = row.first_key == 0 ? spec.begin_at : row.first_key;
    row.last_key = behind_first < 0 ? behind_first : spec.begin_at + behind_first;
    row.key_step = row.keys.size() > 1 ? 1 : step;
    before = row.last_key;
  }
}

// Who knows its container knows it.
constexpr uint32_t inherited_flags(const CommandSpec& row) {
  uint32_t flags = 0;
  if (row.is_subcommand()) {
    const std::string_view container = row.name.substr(0, row.name.find('|'));
    for (const CommandSpec& other : kWritten) {
      flags |= other.name == container ? other.flags & (kClusterFace | kSentinelOnly | kSentinelToo)
                                       : 0u;
    }
  }
  return flags;
}

using Rows = std::array<CommandSpec, kCount>;

constexpr Rows complete_rows() {
  Rows rows{};
  size_t next_key = 0;
  for (size_t i = 0; i < kCount; ++i) {
    CommandSpec& row = rows[i];
    row = kWritten[i];
    size_t keys = 0;
    for_each_fact(row.text, [&](std::string_view word, std::string_view rest) {
      keys += word == "key" ? 1u : 0u;
      if (word == "cluster-version") {
        row.cluster_version = static_cast<uint32_t>(key_text::number(rest));
      }
    });
    row.keys = std::span<const KeySpec>(kKeySpecs).subspan(next_key, keys);
    next_key += keys;
    row.flags |= inherited_flags(row);
    row.acl_categories |= implied_categories(row);
    set_plain_range(row);
  }
  return rows;
}

constexpr Rows kRows = complete_rows();

// ---------------------------------------------------------------- finding them

constexpr size_t kBuckets = 1024;  // load below one half for every plausible number of commands
static_assert(kCount * 2 < kBuckets);

constexpr size_t bucket_of(std::string_view name) {  // FNV-1a over the lower-case name
  uint32_t h = 2166136261u;
  for (char c : name) {
    h = (h ^ static_cast<uint8_t>(lower_case(c))) * 16777619u;
  }
  return (h ^ (h >> 15)) % kBuckets;
}

using Buckets = std::array<uint16_t, kBuckets>;  // row + 1; 0 = empty

constexpr Buckets make_buckets() {
  Buckets buckets{};
  for (size_t row = 0; row < kCount; ++row) {
    if (kRows[row].is_subcommand()) {
      continue;
    }
    size_t at = bucket_of(kRows[row].name);
    while (buckets[at] != 0) {
      if (kRows[buckets[at] - 1u].name == kRows[row].name) {
        throw "a command has two rows";  // makes the compiler refuse the table
      }
      at = (at + 1) % kBuckets;
    }
    buckets[at] = static_cast<uint16_t>(row + 1);
  }
  return buckets;
}

constexpr Buckets kIndex = make_buckets();

}  // namespace

const CommandSpec* find_command(std::string_view name) {
  for (size_t at = bucket_of(name); kIndex[at] != 0; at = (at + 1) % kBuckets) {
    const CommandSpec& row = kRows[kIndex[at] - 1u];
    if (same_word(name, row.name)) {
      return &row;
    }
  }
  return nullptr;
}

const CommandSpec* find_subcommand(const CommandSpec& container, std::string_view name) {
  size_t prefix = container.name.size();
  for (const CommandSpec& row : kRows) {
    if (row.name.size() > prefix && row.name[prefix] == '|' &&
        row.name.starts_with(container.name) && same_word(name, row.name.substr(prefix + 1))) {
      return &row;
    }
  }
  return nullptr;
}

Resolved resolve_command(Args argv, uint32_t version) {
  const CommandSpec* row = find_command(argv[0]);
  if (row == nullptr || row->cluster_version > version) {
    return {};
  }
  if ((row->flags & kContainer) == 0 || argv.size() == 1) {
    return {row, false};
  }
  const CommandSpec* sub = find_subcommand(*row, argv[1]);
  return sub != nullptr && sub->cluster_version <= version ? Resolved{sub, false}
                                                           : Resolved{row, true};
}

std::span<const CommandSpec> all_commands() { return kRows; }

}  // namespace kiwi::resp
