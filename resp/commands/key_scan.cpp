// Walking over the keys of a database. Their order is that of the key grammar: by hash.
#include <optional>
#include <string>

#include "config/base/check.hpp"
#include "resp/commands/scan.hpp"
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
  const rocks::DatabaseId database = state.physical(context.database());
  auto cursor = state.key_cursor(database, hash);
  for (; cursor->valid(); cursor->next()) {
    state.step();
    auto meta = rocks::decode_metadata(cursor->value());
    if (!meta) {
      fatal("a metadata record of the state database is corrupt; replace this node's data");
    }
    const bool live = state.is_live(*meta, database, context.now_ms());
    if (live && meta->has_deadline()) {
      context.saw_ttl();
    }
    if (!visit(keys_of::meta_user_key(cursor->key()), keys_of::meta_hash(cursor->key()), *meta,
               live)) {
      return;
    }
  }
}

// An array of names that is answered while it is found: nothing is collected first.
class Names {
 public:
  explicit Names(ReplyWriter& reply) : reply_(reply), begin_(reply.where()) {}
  void add(std::string_view name) {
    reply_.bulk(name);
    ++count_;
  }
  size_t size() const { return count_; }
  void finish() {
    const size_t head = reply_.where();
    reply_.array(count_);
    reply_.put_first(begin_, head);
  }

 private:
  ReplyWriter& reply_;
  size_t begin_;
  size_t count_ = 0;
};

// Calls visit(user key) for every live key of a cluster slot, which is one range of hashes, until
// it answers false.
template <class Visit>
void walk_slot(Context& context, int64_t slot, Visit visit) {
  constexpr unsigned kHashBitsBelowSlot = 34;
  auto first = static_cast<uint64_t>(slot) << kHashBitsBelowSlot;
  auto end = static_cast<uint64_t>(slot + 1) << kHashBitsBelowSlot;
  walk(context, first,
       [&](std::string_view name, uint64_t hash, const rocks::Metadata&, bool live) {
         return hash < end && (!live || visit(name));
       });
}

}  // namespace

void keys(Context& context, Args args, ReplyWriter& reply) {
  Names found(reply);
  walk(context, 0, [&](std::string_view name, uint64_t, const rocks::Metadata&, bool live) {
    if (live && matches(args[1], name, context.state().steps())) {
      found.add(name);
    }
    return true;
  });
  found.finish();
}

void scan(Context& context, Args args, ReplyWriter& reply) {
  ScanOptions options;
  auto cursor = read_cursor(args[1], reply);
  if (!cursor || !read_scan_options(args, 2, true, options, reply)) {
    return;
  }
  ScanPage page(options, context.state().steps(), reply);
  walk(context, *cursor,
       [&](std::string_view name, uint64_t hash, const rocks::Metadata& meta, bool live) {
         if (!page.look(hash)) {
           return false;
         }
         bool wanted = !options.type || same_word(*options.type, rocks::type_name(meta.type));
         if (live && wanted) {
           page.add(name);
         }
         return true;
       });
  page.finish();
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

void cluster_countkeysinslot(Context& context, Args args, ReplyWriter& reply) {
  std::optional<int64_t> slot = parse_integer(args[2]);
  if (!slot) {
    return reply.error(texts::kNotInteger);
  }
  if (*slot < 0 || *slot >= rocks::kSlots) {
    return reply.error("ERR Invalid slot");
  }
  int64_t count = 0;
  walk_slot(context, *slot, [&](std::string_view) { return ++count, true; });
  reply.integer(count);
}

void cluster_getkeysinslot(Context& context, Args args, ReplyWriter& reply) {
  std::optional<int64_t> slot = parse_integer(args[2]);
  std::optional<int64_t> most = parse_integer(args[3]);
  if (!slot || !most) {
    return reply.error(texts::kNotInteger);
  }
  if (*slot < 0 || *slot >= rocks::kSlots || *most < 0) {
    return reply.error("ERR Invalid slot or number of keys");
  }
  Names found(reply);
  if (*most > 0) {
    walk_slot(context, *slot, [&](std::string_view name) {
      found.add(name);
      return found.size() < static_cast<size_t>(*most);
    });
  }
  found.finish();
}

}  // namespace kiwi::resp::commands
