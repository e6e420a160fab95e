// Streams: what they, their groups and consumers are, and who has which entry.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "resp/commands/stream_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/help.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr size_t kPage = 128;  // pending entries that are held in memory

int64_t signed_count(uint64_t count) { return static_cast<int64_t>(count); }

void reply_count(ReplyWriter& reply, std::optional<uint64_t> count) {
  count ? reply.integer(signed_count(*count)) : reply.null();
}

// How many entries the group has not had yet, if that can be known. As Redis 7.0 computes it.
std::optional<uint64_t> lag_of(const Stream& stream, const GroupRecord& group) {
  const uint64_t added = stream.tail().entries_added;
  if (added == 0) {
    return 0;
  }
  if (group.entries_read && !stream.may_lack_entries_from(group.last_id)) {
    return added - *group.entries_read;
  }
  const std::optional<uint64_t> read = stream.entries_up_to(group.last_id);
  return read ? std::optional(added - *read) : std::nullopt;
}

// Redis' radix tree has more nodes when ids share fewer bytes; it has these at least.
uint64_t radix_nodes(const Stream& stream) { return stream.tail().blocks + 1; }

// ---------------------------------------------------------------- XPENDING

struct PendingQuery {
  int64_t idle_ms = 0;
  StreamId from;
  StreamId to;
  uint64_t count = 0;
  std::optional<std::string_view> consumer;
};

std::optional<PendingQuery> read_pending(Args args, ReplyWriter& reply) {
  PendingQuery query;
  size_t at = 3;
  if (same_word(args[at], "idle")) {
    const auto idle = parse_integer(args[at + 1]);
    if (!idle) {
      reply.error(texts::kNotInteger);
      return std::nullopt;
    }
    query.idle_ms = *idle;
    at += 2;
    if (args.size() < at + 3) {
      reply.error(texts::kSyntax);
      return std::nullopt;
    }
  }
  const auto count = parse_integer(args[at + 2]);
  if (!count) {
    reply.error(texts::kNotInteger);
    return std::nullopt;
  }
  query.count = static_cast<uint64_t>(std::max<int64_t>(*count, 0));
  const std::optional<StreamId> from = read_range_start(args[at], reply);
  if (!from) {
    return std::nullopt;
  }
  const std::optional<StreamId> to = read_range_end(args[at + 1], reply);
  if (!to) {
    return std::nullopt;
  }
  query.from = *from;
  query.to = *to;
  if (at + 3 < args.size()) {
    query.consumer = args[at + 3];
  }
  return query;
}

void reply_pending_summary(const StreamGroup& group, ReplyWriter& reply) {
  reply.array(4);
  reply.integer(signed_count(group.pending()));
  const std::optional<PendingEntry> first = group.first();
  if (!first) {
    reply.null();
    reply.null();
    return reply.null_array();
  }
  reply_stream_id(reply, first->id);
  reply_stream_id(reply, group.last()->id);
  const size_t begin = reply.where();
  size_t consumers = 0;
  group.each_consumer([&](std::string_view name, const ConsumerRecord& consumer) {
    if (consumer.pending > 0) {
      ++consumers;
      reply.array(2);
      reply.bulk(name);
      reply.bulk(std::to_string(consumer.pending));
    }
  });
  const size_t head = reply.where();
  reply.array(consumers);
  reply.put_first(begin, head);
}

void reply_pending_entries(const StreamGroup& group,
                           const PendingQuery& query,
                           const StreamConsumer* consumer,
                           int64_t now_ms,
                           ReplyWriter& reply) {
  PendingWalk walk;
  walk.from = query.from;
  if (consumer != nullptr) {
    walk = StreamGroup::walk_of(consumer->record, query.from);
  }
  walk.to = std::min(walk.to, query.to);
  std::vector<PendingEntry> page;
  const size_t begin = reply.where();
  uint64_t entries = 0;
  while (entries < query.count && !walk.over && !reply.lost()) {
    group.next(walk, std::min<uint64_t>(kPage, query.count - entries), page);
    for (const PendingEntry& entry : page) {
      if (query.idle_ms != 0 && now_ms - entry.delivered_ms < query.idle_ms) {
        continue;
      }
      ++entries;
      reply.array(4);
      reply_stream_id(reply, entry.id);
      reply.bulk(group.name_of(entry.consumer));
      reply.integer(std::max<int64_t>(now_ms - entry.delivered_ms, 0));
      reply.integer(signed_count(entry.deliveries));
    }
  }
  const size_t head = reply.where();
  reply.array(entries);
  reply.put_first(begin, head);
}

}  // namespace

void xpending(Context& context, Args args, ReplyWriter& reply) {
  const bool summary = args.size() == 3;
  if (!summary && (args.size() < 6 || args.size() > 9)) {
    return reply.error(texts::kSyntax);
  }
  const std::optional<PendingQuery> query = summary ? PendingQuery{} : read_pending(args, reply);
  if (!query) {
    return;
  }
  const Stream* stream = context.read<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  const StreamGroup* group = stream->group(args[2]);
  if (group == nullptr) {
    return reply_no_group(reply, args[1], args[2]);
  }
  if (summary) {
    return reply_pending_summary(*group, reply);
  }
  const StreamConsumer* consumer = query->consumer ? group->consumer(*query->consumer) : nullptr;
  if (query->consumer && consumer == nullptr) {
    return reply.array(0);
  }
  reply_pending_entries(*group, *query, consumer, context.now_ms(), reply);
}

// ---------------------------------------------------------------- XINFO

namespace {

// The stream of an XINFO; nullptr: there is none, which was answered.
const Stream* stream_of(Context& context, Args args, ReplyWriter& reply) {
  const Stream* stream = context.read<Stream>(args[2], reply);
  if (stream != nullptr && !stream->there()) {
    reply.error(texts::kNoSuchKey);
    return nullptr;
  }
  return stream;
}

// They are held, so they count as work of the read.
std::vector<std::string> names_of_groups(Context& context, const Stream& stream) {
  std::vector<std::string> names;
  stream.each_group([&](std::string_view name, const GroupRecord&) {
    context.state().effects().spend(name.size());
    names.emplace_back(name);
  });
  return names;
}

void reply_edge(const Stream& stream, bool last, ReplyWriter& reply) {
  bool there = false;
  const StreamVisit visit = [&](const StreamEntry& entry) {
    there = true;
    reply_stream_entry(reply, entry);
    return false;
  };
  last ? stream.range_back({}, kStreamIdMax, visit) : stream.range({}, kStreamIdMax, visit);
  if (!there) {
    reply.null();
  }
}

void reply_stream_head(const Stream& stream, ReplyWriter& reply) {
  const rocks::StreamTail& tail = stream.tail();
  reply.bulk("length");
  reply.integer(signed_count(stream.size()));
  reply.bulk("radix-tree-keys");
  reply.integer(signed_count(tail.blocks));
  reply.bulk("radix-tree-nodes");
  reply.integer(signed_count(radix_nodes(stream)));
  reply.bulk("last-generated-id");
  reply_stream_id(reply, tail.last_id);
  reply.bulk("max-deleted-entry-id");
  reply_stream_id(reply, tail.max_deleted_id);
  reply.bulk("entries-added");
  reply.integer(signed_count(tail.entries_added));
  reply.bulk("recorded-first-entry-id");
  reply_stream_id(reply, tail.first_id);
}

// XINFO STREAM key FULL: at most `count` of each (0: all).
class FullInfo {
 public:
  FullInfo(Context& context, const Stream& stream, uint64_t count, ReplyWriter& reply)
      : context_(context),
        stream_(stream),
        count_(count == 0 ? UINT64_MAX : count),
        reply_(reply) {}

  void write() {
    reply_.map(9);
    reply_stream_head(stream_, reply_);
    reply_.bulk("entries");
    const size_t begin = reply_.where();
    uint64_t entries = 0;
    stream_.range({}, kStreamIdMax, [&](const StreamEntry& entry) {
      reply_stream_entry(reply_, entry);
      return ++entries < count_ && !reply_.lost();
    });
    finish_array(begin, entries);
    reply_.bulk("groups");
    const std::vector<std::string> names = names_of_groups(context_, stream_);
    reply_.array(names.size());
    for (const std::string& name : names) {
      group(*stream_.group(name));
    }
  }

 private:
  struct Consumer {
    std::string name;
    ConsumerRecord record;
    std::vector<PendingEntry> pending;
  };

  void finish_array(size_t begin, uint64_t elements) {
    const size_t head = reply_.where();
    reply_.array(elements);
    reply_.put_first(begin, head);
  }

  void group(const StreamGroup& group) {
    const GroupRecord record = group.record();
    reply_.map(7);
    reply_.bulk("name");
    reply_.bulk(group.name());
    reply_.bulk("last-delivered-id");
    reply_stream_id(reply_, record.last_id);
    reply_.bulk("entries-read");
    reply_count(reply_, record.entries_read);
    reply_.bulk("lag");
    reply_count(reply_, lag_of(stream_, record));
    reply_.bulk("pel-count");
    reply_.integer(signed_count(group.pending()));
    reply_.bulk("pending");
    pending(group);
    reply_.bulk("consumers");
    std::vector<Consumer> consumers = consumers_of(group);
    gather(group, consumers);
    reply_.array(consumers.size());
    for (const Consumer& one : consumers) {
      consumer(one);
    }
  }

  void pending(const StreamGroup& group) {
    PendingWalk walk;
    std::vector<PendingEntry> page;
    const size_t begin = reply_.where();
    uint64_t entries = 0;
    while (!walk.over && entries < count_ && !reply_.lost()) {
      group.next(walk, std::min<uint64_t>(kPage, count_ - entries), page);
      for (const PendingEntry& entry : page) {
        reply_.array(4);
        reply_stream_id(reply_, entry.id);
        reply_.bulk(group.name_of(entry.consumer));
        reply_.integer(entry.delivered_ms);
        reply_.integer(signed_count(entry.deliveries));
      }
      entries += page.size();
    }
    finish_array(begin, entries);
  }

  std::vector<Consumer> consumers_of(const StreamGroup& group) {
    std::vector<Consumer> consumers;
    group.each_consumer([&](std::string_view name, const ConsumerRecord& record) {
      context_.state().effects().spend(name.size());
      consumers.push_back({std::string(name), record, {}});
    });
    return consumers;
  }

  // The first ones of each consumer in one walk, for what is pending stands by id: a walk for each
  // would pass by the others' again and again. It begins, and goes on, where somebody may have
  // some.
  void gather(const StreamGroup& group, std::vector<Consumer>& consumers) {
    std::map<uint64_t, Consumer*> by_number;
    std::set<std::pair<StreamId, uint64_t>> missing;  // whose, by their floor
    for (Consumer& one : consumers) {
      by_number[one.record.number] = &one;
      if (one.record.pending > 0) {
        missing.emplace(one.record.floor, one.record.number);
      }
    }
    std::vector<PendingEntry> page;
    for (PendingWalk walk; !missing.empty() && !walk.over && !reply_.lost();) {
      walk.from = std::max(walk.from, missing.begin()->first);
      group.next(walk, kPage, page);
      for (const PendingEntry& entry : page) {
        Consumer& one = *by_number.at(entry.consumer);
        if (one.pending.size() < count_) {
          context_.state().effects().spend(sizeof(PendingEntry));
          one.pending.push_back(entry);
        }
        if (one.pending.size() == std::min(count_, one.record.pending)) {
          missing.erase({one.record.floor, one.record.number});
        }
      }
    }
  }

  void consumer(const Consumer& consumer) {
    reply_.map(4);
    reply_.bulk("name");
    reply_.bulk(consumer.name);
    reply_.bulk("seen-time");
    reply_.integer(consumer.record.seen_ms);
    reply_.bulk("pel-count");
    reply_.integer(signed_count(consumer.record.pending));
    reply_.bulk("pending");
    reply_.array(consumer.pending.size());
    for (const PendingEntry& entry : consumer.pending) {
      reply_.array(3);
      reply_stream_id(reply_, entry.id);
      reply_.integer(entry.delivered_ms);
      reply_.integer(signed_count(entry.deliveries));
    }
  }

  Context& context_;
  const Stream& stream_;
  const uint64_t count_;
  ReplyWriter& reply_;
};

// Behind the key: nothing, or FULL [COUNT n]. False: the error was answered.
bool read_full(Args args, std::optional<uint64_t>& count, ReplyWriter& reply) {
  constexpr uint64_t kUsualCount = 10;
  const Args words = args.subspan(3);
  if (words.empty()) {
    return true;
  }
  if ((words.size() != 1 && words.size() != 3) || !same_word(words[0], "full") ||
      (words.size() == 3 && !same_word(words[1], "count"))) {
    reply_subcommand_syntax(reply, args);
    return false;
  }
  count = kUsualCount;
  if (words.size() == 3) {
    const auto given = parse_integer(words[2]);
    if (!given) {
      reply.error(texts::kNotInteger);
      return false;
    }
    count = *given < 0 ? kUsualCount : static_cast<uint64_t>(*given);
  }
  return true;
}

}  // namespace

void xinfo_stream(Context& context, Args args, ReplyWriter& reply) {
  const Stream* stream = stream_of(context, args, reply);
  std::optional<uint64_t> full;
  if (stream == nullptr || !read_full(args, full, reply)) {
    return;
  }
  if (full) {
    return FullInfo(context, *stream, *full, reply).write();
  }
  reply.map(10);
  reply_stream_head(*stream, reply);
  reply.bulk("groups");
  int64_t groups = 0;
  stream->each_group([&](std::string_view, const GroupRecord&) { ++groups; });
  reply.integer(groups);
  reply.bulk("first-entry");
  reply_edge(*stream, false, reply);
  reply.bulk("last-entry");
  reply_edge(*stream, true, reply);
}

void xinfo_groups(Context& context, Args args, ReplyWriter& reply) {
  const Stream* stream = stream_of(context, args, reply);
  if (stream == nullptr) {
    return;
  }
  const size_t begin = reply.where();
  size_t groups = 0;
  stream->each_group([&](std::string_view name, const GroupRecord& group) {
    ++groups;
    reply.map(6);
    reply.bulk("name");
    reply.bulk(name);
    reply.bulk("consumers");
    reply.integer(signed_count(group.consumers));
    reply.bulk("pending");
    reply.integer(signed_count(group.pending.size));
    reply.bulk("last-delivered-id");
    reply_stream_id(reply, group.last_id);
    reply.bulk("entries-read");
    reply_count(reply, group.entries_read);
    reply.bulk("lag");
    reply_count(reply, lag_of(*stream, group));
  });
  const size_t head = reply.where();
  reply.array(groups);
  reply.put_first(begin, head);
}

void xinfo_consumers(Context& context, Args args, ReplyWriter& reply) {
  const Stream* stream = stream_of(context, args, reply);
  if (stream == nullptr) {
    return;
  }
  const StreamGroup* group = stream->group(args[3]);
  if (group == nullptr) {
    return reply_no_such_group(reply, args[2], args[3]);
  }
  reply.array(group->consumers());
  group->each_consumer([&](std::string_view name, const ConsumerRecord& consumer) {
    reply.map(3);
    reply.bulk("name");
    reply.bulk(name);
    reply.bulk("pending");
    reply.integer(signed_count(consumer.pending));
    reply.bulk("idle");
    reply.integer(std::max<int64_t>(context.now_ms() - consumer.seen_ms, 0));
  });
}

void xinfo_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    Show consumers of <groupname>.",
      "GROUPS <key>",
      "    Show the stream consumer groups.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Show information about the stream.",
  };
  reply_help(reply, "XINFO", kLines);
}

}  // namespace kiwi::resp::commands
