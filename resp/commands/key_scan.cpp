// Walking over the keys of a database. Their order is that of the key grammar: by hash.
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/glob.hpp"
#include "resp/commands/scan.hpp"
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

void scan(Context& context, Args args, ReplyWriter& reply) {
  ScanOptions options;
  auto cursor = read_cursor(args[1], reply);
  if (!cursor || !read_scan_options(args, 2, true, options, reply)) {
    return;
  }
  ScanPage page(options);
  walk(context, *cursor,
       [&](std::string_view name, uint64_t hash, const rocks::Metadata& meta, bool live) {
         if (!page.look(hash)) {
           return false;
         }
         bool wanted = options.type.empty() || same_word(options.type, rocks::type_name(meta.type));
         if (live && wanted) {
           page.add(name);
         }
         return true;
       });
  page.reply_to(reply);
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
