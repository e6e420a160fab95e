#include <array>
#include <cstddef>

#include "config/base/check.hpp"
#include "resp/command.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace commands {

#define LOCAL(handler, name, arity, flags, first, last, step, acl) \
  void handler(Session& session, Args args, ReplyWriter& reply);
#define READ(handler, name, arity, flags, first, last, step, acl) \
  void handler(Context& context, Args args, ReplyWriter& reply);
#define WRITE(handler, name, arity, flags, first, last, step, acl) \
  void handler(Context& context, Args args, ReplyWriter& reply);
#include "resp/commands/all.def"
#undef LOCAL
#undef READ
#undef WRITE

}  // namespace commands

namespace {

// The categories that Redis derives from a command's flags.
constexpr uint32_t with_implied(uint32_t acl, Route route, uint32_t flags) {
  if (route == Route::kRead && (acl & kAclScripting) == 0) {
    acl |= kAclRead;
  }
  if (route == Route::kWrite && (acl & kAclScripting) == 0) {
    acl |= kAclWrite;
  }
  if ((flags & kAdmin) != 0) {
    acl |= kAclAdmin | kAclDangerous;
  }
  if ((flags & kPubSub) != 0) {
    acl |= kAclPubSub;
  }
  if ((flags & kBlocking) != 0) {
    acl |= kAclBlocking;
  }
  return acl | ((flags & kFast) != 0 ? kAclFast : kAclSlow);
}

constexpr CommandSpec kRows[] = {
#define LOCAL(handler, name, arity, flags, first, last, step, acl) \
  CommandSpec{name,                                                \
              arity,                                               \
              Route::kLocal,                                       \
              (flags),                                             \
              first,                                               \
              last,                                                \
              step,                                                \
              with_implied((acl), Route::kLocal, (flags)),         \
              &commands::handler,                                  \
              nullptr},
#define READ(handler, name, arity, flags, first, last, step, acl)       \
  CommandSpec{name,         arity,                                      \
              Route::kRead, (flags),                                    \
              first,        last,                                       \
              step,         with_implied((acl), Route::kRead, (flags)), \
              nullptr,      &commands::handler},
#define WRITE(handler, name, arity, flags, first, last, step, acl)        \
  CommandSpec{name,          arity,                                       \
              Route::kWrite, (flags),                                     \
              first,         last,                                        \
              step,          with_implied((acl), Route::kWrite, (flags)), \
              nullptr,       &commands::handler},
#include "resp/commands/all.def"
#undef LOCAL
#undef READ
#undef WRITE
};

constexpr size_t kBuckets = 1024;  // load below one half for every plausible number of commands
static_assert(std::size(kRows) * 2 < kBuckets);

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
  for (size_t row = 0; row < std::size(kRows); ++row) {
    if (kRows[row].name.find('|') != std::string_view::npos) {
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

std::span<const CommandSpec> all_commands() { return kRows; }

}  // namespace kiwi::resp
