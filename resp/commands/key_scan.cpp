// Walking over the keys of a database. Their order is that of the key grammar: by hash.
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/glob.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::kHashEnd;
namespace keys_of = rocks::keys;

namespace {

// Calls visit(user key, hash, metadata) for every record from `hash` on until it answers false;
// expired ones too, with live = false.
template <class Visit>
void walk(Context& context, uint64_t hash, Visit visit) {
  Database& state = context.state();
  auto cursor = state.key_cursor(state.physical(context.database()), hash);
  for (; cursor->valid(); cursor->next()) {
    auto meta = rocks::decode_metadata(cursor->value());
    if (!meta) {
      fatal("a metadata record of the state database is corrupt; replace this node's data");
    }
    bool live = !meta->expired(context.now_ms());
    if (live && meta->expire_at_ms != 0) {
      context.saw_ttl();
    }
    if (!visit(keys_of::meta_user_key(cursor->key()), keys_of::meta_hash(cursor->key()), *meta,
               live)) {
      return;
    }
  }
}

struct ScanOptions {
  uint64_t cursor = 0;
  int64_t count = 10;
  std::string_view pattern = "*";
  std::string_view type;  // empty: any
};

// As strtoul reads it, which is what Redis does with cursors.
std::optional<uint64_t> parse_cursor(std::string_view text) {
  std::string terminated(text);
  if (!text.empty() && std::isspace(static_cast<unsigned char>(text[0]))) {
    return std::nullopt;
  }
  char* end = nullptr;
  errno = 0;
  uint64_t cursor = std::strtoul(terminated.c_str(), &end, 10);
  if (end != terminated.c_str() + terminated.size() || errno == ERANGE) {
    return std::nullopt;
  }
  return cursor;
}

bool parse_scan(Args args, ScanOptions& options, ReplyWriter& reply) {
  auto cursor = parse_cursor(args[1]);
  if (!cursor) {
    reply.error("ERR invalid cursor");
    return false;
  }
  options.cursor = *cursor;
  for (size_t at = 2; at < args.size(); at += 2) {
    bool has_value = at + 1 < args.size();
    if (same_word(args[at], "count") && has_value) {
      auto count = parse_integer(args[at + 1]);
      if (!count) {
        reply.error(texts::kNotInteger);
        return false;
      }
      if (*count < 1) {
        reply.error(texts::kSyntax);
        return false;
      }
      options.count = *count;
    } else if (same_word(args[at], "match") && has_value) {
      options.pattern = args[at + 1];
    } else if (same_word(args[at], "type") && has_value) {
      options.type = args[at + 1];
    } else {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  return true;
}

}  // namespace

void keys(Context& context, Args args, ReplyWriter& reply) {
  std::vector<std::string> found;
  walk(context, 0, [&](std::string_view name, uint64_t, const rocks::Metadata&, bool live) {
    if (live && glob_match(args[1], name)) {
      found.emplace_back(name);
    }
    return true;
  });
  reply.array(found.size());
  for (const std::string& name : found) {
    reply.bulk(name);
  }
}

// F33: the cursor is one past the hash of the last key that was looked at, so it means the same on
// every node and after a failover. Keys of one hash are looked at together.
void scan(Context& context, Args args, ReplyWriter& reply) {
  ScanOptions options;
  if (!parse_scan(args, options, reply)) {
    return;
  }
  std::vector<std::string> found;
  uint64_t next = 0;  // the walk came to the end
  int64_t seen = 0;
  uint64_t last_hash = kHashEnd;
  if (options.cursor < kHashEnd) {
    walk(context, options.cursor,
         [&](std::string_view name, uint64_t hash, const rocks::Metadata& meta, bool live) {
           if (seen >= options.count && hash != last_hash) {
             next = last_hash + 1;
             return false;
           }
           ++seen;
           last_hash = hash;
           bool wanted =
               options.type.empty() || same_word(options.type, rocks::type_name(meta.type));
           if (live && wanted && glob_match(options.pattern, name)) {
             found.emplace_back(name);
           }
           return true;
         });
  }
  reply.array(2);
  reply.bulk(std::to_string(next));
  reply.array(found.size());
  for (const std::string& name : found) {
    reply.bulk(name);
  }
}

// The first live key from a random position on.
void randomkey(Context& context, Args /*args*/, ReplyWriter& reply) {
  Prng prng = context.prng();
  uint64_t start = prng.below(kHashEnd);
  std::optional<std::string> found;
  auto take_first = [&](std::string_view name, uint64_t, const rocks::Metadata&, bool live) {
    if (live) {
      found.emplace(name);
    }
    return !live;
  };
  walk(context, start, take_first);
  if (!found) {
    walk(context, 0, take_first);
  }
  if (found) {
    reply.bulk(*found);
  } else {
    reply.null();
  }
}

}  // namespace kiwi::resp::commands
