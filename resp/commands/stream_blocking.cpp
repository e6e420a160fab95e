// XREAD and XREADGROUP, and how they wait with BLOCK (F31). XREAD changes nothing: it is served
// where its client waits. XREADGROUP goes through the log, as many at a time as its group has
// entries that nobody got.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "resp/commands/blocking.hpp"
#include "resp/commands/stream_read.hpp"
#include "resp/commands/stream_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/resp_writer.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// Without COUNT, who had to wait gets no more at once, as in Redis: it may ask for very old ids.
constexpr uint64_t kWaitedCount = 1000;
// So many undelivered entries are told apart; the key is looked at again when they were delivered.
constexpr uint64_t kSupplyMost = 512;
// Each one that waits is to be told.
constexpr uint64_t kForAll = UINT64_MAX;

constexpr std::string_view kKeyGone = "UNBLOCKED the stream key no longer exists";
constexpr std::string_view kGroupGone =
    "NOGROUP the consumer group this client was blocked on no longer exists";

std::optional<StreamReadQuery> query_of(Args args, bool grouped) {
  RespWriter nobody(nullptr, 2);
  return read_stream_query(args, grouped, nobody);
}

bool wait_with(const std::optional<StreamReadQuery>& query, WaitFor& into) {
  if (!query || !query->block_ms) {
    return false;
  }
  into.type = Stream::kType;
  into.keys.assign(query->keys.begin(), query->keys.end());
  into.count = query->count == 0 ? kWaitedCount : query->count;
  into.timeout_ms = *query->block_ms;
  into.lane = query->group;
  return true;
}

bool wait_for_entries(Args args, WaitFor& into) { return wait_with(query_of(args, false), into); }

// Whoever asks for its history is answered at once.
bool wait_for_delivery(Args args, WaitFor& into) {
  const std::optional<StreamReadQuery> query = query_of(args, true);
  return wait_with(query, into) &&
         std::ranges::all_of(query->ids, [](std::string_view id) { return id == ">"; });
}

// The same words, with a COUNT.
std::vector<std::string> counted(Args args, const StreamReadQuery& query) {
  std::vector<std::string> words(args.begin(), args.end());
  if (query.count == 0) {
    words.insert(words.begin() + 1, {"COUNT", std::to_string(kWaitedCount)});
  }
  return words;
}

// "$" is the last id of the moment at which it begins to wait.
std::vector<std::string> pin_entries(Context& context, Args args) {
  const std::optional<StreamReadQuery> query = query_of(args, false);
  CHECK_INVARIANT(query.has_value());
  std::vector<std::string> words = counted(args, *query);
  for (size_t i = 0; i < query->ids.size(); ++i) {
    if (query->ids[i] == "$") {
      const Key key = context.find(query->keys[i]);
      const StreamId last = key.is(Stream::kType) ? key.meta.stream.last_id : StreamId{};
      words[words.size() - query->ids.size() + i] = stream_id_text(last);
    }
  }
  return words;
}

std::vector<std::string> pin_delivery(Context&, Args args) {
  const std::optional<StreamReadQuery> query = query_of(args, true);
  CHECK_INVARIANT(query.has_value());
  return counted(args, *query);
}

bool check_delivery(Context& context, Args args, ReplyWriter& reply) {
  std::optional<StreamReadQuery> query = read_stream_query(args, true, reply);
  return query && resolve_xreadgroup(context, *query, reply);
}

// nullptr: the key is no stream, or has no such group.
const StreamGroup* find_group(Context& context,
                              std::string_view key,
                              std::string_view group,
                              const Stream*& stream) {
  const Key found = context.find(key);
  stream = found.is(Stream::kType) ? context.open_for_reading<Stream>(found) : nullptr;
  return stream != nullptr ? stream->group(group) : nullptr;
}

// Entries of the key that its group has not delivered.
uint64_t undelivered(Context& context, std::string_view key, std::string_view lane) {
  const Stream* stream = nullptr;
  const StreamGroup* group = find_group(context, key, lane, stream);
  if (group == nullptr) {
    return kForAll;
  }
  const std::optional<StreamId> from = next_id(group->last_id());
  uint64_t entries = 0;
  if (from && !stream->empty() && stream->last_entry() >= *from) {
    stream->range(*from, kStreamIdMax,
                  [&entries](const StreamEntry&) { return ++entries < kSupplyMost; });
  }
  return entries;
}

// Why a client that waits for entries of a group waits in vain; or nothing.
std::string_view reason_to_end(Context& context, const StreamReadQuery& query) {
  for (std::string_view key : query.keys) {
    const Stream* stream = nullptr;
    if (find_group(context, key, query.group, stream) == nullptr) {
      return stream == nullptr ? kKeyGone : kGroupGone;
    }
  }
  return {};
}

// Who reads goes on waiting beside keys that are no streams now.
struct StreamsOnly {
  StreamsOnly(Context& context, StreamReadQuery& query) {
    for (size_t i = 0; i < query.keys.size(); ++i) {
      if (context.takes_from(query.keys[i], Stream::kType)) {
        keys.push_back(query.keys[i]);
        ids.push_back(query.ids[i]);
      }
    }
    query.keys = keys;
    query.ids = ids;
  }
  std::vector<std::string_view> keys;
  std::vector<std::string_view> ids;
};

void read_entries(Context& context, StreamReadQuery& query, ReplyWriter& reply) {
  if (resolve_xread(context, query, reply) && !serve_xread(context, query, reply)) {
    context.nothing_there();
    reply.null_array();
  }
}

}  // namespace

bool says_block(Args args) {
  for (size_t at = 1; at < args.size(); ++at) {
    const bool more = at + 1 < args.size();
    if (same_word(args[at], "block")) {
      return more;
    }
    if (same_word(args[at], "count") && more) {
      ++at;
    } else if (same_word(args[at], "group") && at + 2 < args.size()) {
      at += 2;
    } else if (!same_word(args[at], "noack")) {
      return false;  // the streams, or what is no option
    }
  }
  return false;
}

namespace commands {

const WaitRule waits_for_entries{
    .wait = wait_for_entries, .pin = pin_entries, .timeout = TimeoutAt::kOptions};
const WaitRule waits_for_delivery{.wait = wait_for_delivery,
                                  .check = check_delivery,
                                  .supply = undelivered,
                                  .pin = pin_delivery,
                                  .timeout = TimeoutAt::kOptions};

void xread(Context& context, Args args, ReplyWriter& reply) {
  std::optional<StreamReadQuery> query = read_stream_query(args, false, reply);
  if (!query) {
    return;
  }
  if (!context.serves()) {
    return read_entries(context, *query, reply);
  }
  const StreamsOnly streams(context, *query);
  read_entries(context, *query, reply);
}

void xreadgroup(Context& context, Args args, ReplyWriter& reply) {
  std::optional<StreamReadQuery> query = read_stream_query(args, true, reply);
  if (!query) {
    return;
  }
  if (context.serves()) {
    if (const auto reason = reason_to_end(context, *query); !reason.empty()) {
      return reply.error(reason);
    }
  }
  if (resolve_xreadgroup(context, *query, reply) && !serve_xreadgroup(context, *query, reply)) {
    context.nothing_there();
    reply.null_array();
  }
}

}  // namespace commands
}  // namespace kiwi::resp
