// Streams: ranges, and what XREAD and XREADGROUP read (stream_blocking.cpp has the two commands).
#include "resp/commands/stream_read.hpp"

#include <algorithm>
#include <string>

#include "resp/commands/stream_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kPage = 128;  // entries that are looked at before any of them is changed

// Up to `count` entries (0: all) as an array.
void reply_range(const Stream& stream,
                 const StreamId& from,
                 const StreamId& to,
                 bool back,
                 uint64_t count,
                 ReplyWriter& reply) {
  const size_t begin = reply.where();
  size_t entries = 0;
  const StreamVisit visit = [&](const StreamEntry& entry) {
    reply_stream_entry(reply, entry);
    return ++entries != count && !reply.lost();
  };
  back ? stream.range_back(from, to, visit) : stream.range(from, to, visit);
  const size_t head = reply.where();
  reply.array(entries);
  reply.put_first(begin, head);
}

// Mostly the last id alone tells, which is in the key's record.
bool has_entries_after(const Stream& stream, const StreamId& id) {
  return !stream.empty() && stream.tail().last_id > id && stream.last_entry() > id;
}

// In front of what one stream gives.
void reply_stream_name(ReplyWriter& reply, std::string_view key) {
  if (reply.version() < 3) {
    reply.array(2);
  }
  reply.bulk(key);
}

// In front of what all streams gave.
void finish_streams(ReplyWriter& reply, size_t begin, size_t streams) {
  const size_t head = reply.where();
  reply.version() < 3 ? reply.array(streams) : reply.map(streams);
  reply.put_first(begin, head);
}

std::optional<int64_t> read_block(std::string_view text, ReplyWriter& reply) {
  const auto timeout = parse_integer(text);
  if (!timeout) {
    reply.error("ERR timeout is not an integer or out of range");
  } else if (*timeout < 0) {
    reply.error("ERR timeout is negative");
  } else {
    return timeout;
  }
  return std::nullopt;
}

class QueryReader {
 public:
  QueryReader(Args args, bool grouped, ReplyWriter& reply)
      : args_(args), grouped_(grouped), reply_(reply) {}

  std::optional<StreamReadQuery> read() {
    bool fine = true;
    for (at_ = 1; fine && at_ < args_.size() && query_.keys.empty(); ++at_) {
      fine = word();
    }
    if (!fine) {
      return std::nullopt;
    }
    if (query_.keys.empty()) {
      reply_.error(texts::kSyntax);
      return std::nullopt;
    }
    if (grouped_ && !group_given_) {
      reply_.error("ERR Missing GROUP option for XREADGROUP");
      return std::nullopt;
    }
    return query_;
  }

 private:
  bool refuse(std::string_view error) {
    reply_.error(error);
    return false;
  }

  bool word() {
    const std::string_view word = args_[at_];
    const size_t more = args_.size() - at_ - 1;
    if (same_word(word, "block") && more > 0) {
      query_.block_ms = read_block(args_[++at_], reply_);
      return query_.block_ms.has_value();
    }
    if (same_word(word, "count") && more > 0) {
      const auto count = parse_integer(args_[++at_]);
      query_.count = static_cast<uint64_t>(std::max<int64_t>(count.value_or(0), 0));
      return count.has_value() || refuse(texts::kNotInteger);
    }
    if (same_word(word, "streams") && more > 0) {
      return streams(args_.subspan(at_ + 1));
    }
    if (same_word(word, "group") && more >= 2) {
      query_.group = args_[at_ + 1];
      query_.consumer = args_[at_ + 2];
      at_ += 2;
      group_given_ = true;
      return grouped_ || refuse(
                             "ERR The GROUP option is only supported by XREADGROUP. You called "
                             "XREAD instead.");
    }
    if (same_word(word, "noack")) {
      query_.no_ack = true;
      return grouped_ || refuse(
                             "ERR The NOACK option is only supported by XREADGROUP. You called "
                             "XREAD instead.");
    }
    return refuse(texts::kSyntax);
  }

  bool streams(Args words) {
    if (words.size() % 2 != 0) {
      return refuse(
          "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
          "specified.");
    }
    query_.keys = words.first(words.size() / 2);
    query_.ids = words.subspan(words.size() / 2);
    return true;
  }

  const Args args_;
  const bool grouped_;
  ReplyWriter& reply_;
  size_t at_ = 1;
  bool group_given_ = false;
  StreamReadQuery query_;
};

}  // namespace

std::optional<StreamReadQuery> read_stream_query(Args args, bool grouped, ReplyWriter& reply) {
  return QueryReader(args, grouped, reply).read();
}

// ---------------------------------------------------------------- XREAD

bool resolve_xread(Context& context, StreamReadQuery& query, ReplyWriter& reply) {
  query.after.clear();
  for (size_t i = 0; i < query.keys.size(); ++i) {
    const Stream* stream = context.read<Stream>(query.keys[i], reply);
    if (stream == nullptr) {
      return false;
    }
    if (query.ids[i] == "$") {
      query.after.push_back(stream->there() ? stream->tail().last_id : StreamId{});
      continue;
    }
    if (query.ids[i] == ">") {
      reply.error(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
          "<consumer> option.");
      return false;
    }
    const std::optional<StreamId> id = read_stream_id(query.ids[i], reply);
    if (!id) {
      return false;
    }
    query.after.push_back(*id);
  }
  return true;
}

bool serve_xread(Context& context, const StreamReadQuery& query, ReplyWriter& reply) {
  const size_t begin = reply.where();
  size_t served = 0;
  for (size_t i = 0; i < query.keys.size(); ++i) {
    const Stream* stream = context.read<Stream>(query.keys[i], reply);
    if (stream == nullptr || !has_entries_after(*stream, query.after[i])) {
      continue;
    }
    ++served;
    reply_stream_name(reply, query.keys[i]);
    reply_range(*stream, *next_id(query.after[i]), kStreamIdMax, false, query.count, reply);
  }
  if (served > 0) {
    finish_streams(reply, begin, served);
  }
  return served > 0;
}

// ---------------------------------------------------------------- XREADGROUP

bool resolve_xreadgroup(Context& context, StreamReadQuery& query, ReplyWriter& reply) {
  query.after.clear();
  for (size_t i = 0; i < query.keys.size(); ++i) {
    Stream* stream = context.open<Stream>(query.keys[i], reply);
    if (stream == nullptr) {
      return false;
    }
    if (stream->group(query.group) == nullptr) {
      reply_no_group(reply, query.keys[i], query.group, " in XREADGROUP with GROUP option");
      return false;
    }
    if (query.ids[i] == "$") {
      reply.error(
          "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history "
          "of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ "
          "ID would just return an empty result set.");
      return false;
    }
    const std::optional<StreamId> id =
        query.ids[i] == ">" ? kStreamIdMax : read_stream_id(query.ids[i], reply);
    if (!id) {
      return false;
    }
    query.after.push_back(*id);
  }
  return true;
}

namespace {

StreamConsumer& consumer_for(Context& context,
                             std::string_view key,
                             StreamGroup& group,
                             std::string_view name) {
  StreamConsumer* known = group.consumer(name);
  if (known == nullptr) {
    context.notify(config::kEventStream, kConsumerCreated, key);
    return group.create_consumer(name, context.now_ms());
  }
  group.saw(*known, context.now_ms());
  return *known;
}

// One stream's share of an XREADGROUP. Every node does all of it: what is pending is state.
class GroupRead {
 public:
  GroupRead(Context& context, Stream& stream, const StreamReadQuery& query, ReplyWriter& reply)
      : context_(context),
        stream_(stream),
        group_(*stream.group(query.group)),
        query_(query),
        now_ms_(context.now_ms()),
        reply_(reply) {}

  bool serve(std::string_view key, const StreamId& after) {
    const bool only_new = after == kStreamIdMax;
    if (only_new && !has_entries_after(stream_, group_.last_id())) {
      return false;
    }
    reply_stream_name(reply_, key);
    StreamConsumer& consumer = consumer_for(context_, key, group_, query_.consumer);
    const size_t begin = reply_.where();
    const uint64_t entries = only_new ? fresh(consumer) : history(consumer, *next_id(after));
    const size_t head = reply_.where();
    reply_.array(entries);
    reply_.put_first(begin, head);
    stream_.save();
    return true;
  }

 private:
  uint64_t wanted() const { return query_.count == 0 ? UINT64_MAX : query_.count; }

  uint64_t fresh(StreamConsumer& consumer) {
    uint64_t entries = 0;
    std::vector<StreamId> page;
    do {
      page.clear();
      const uint64_t most = std::min<uint64_t>(kPage, wanted() - entries);
      const std::optional<StreamId> from = next_id(group_.last_id());
      if (!from || most == 0) {
        break;
      }
      stream_.range(*from, kStreamIdMax, [&](const StreamEntry& entry) {
        reply_stream_entry(reply_, entry);
        page.push_back(entry.id);
        return page.size() < most;
      });
      for (const StreamId& id : page) {
        stream_.entry_delivered(group_, id);
        if (!query_.no_ack) {
          group_.deliver(consumer, id, 1, now_ms_);
        }
      }
      entries += page.size();
    } while (page.size() == kPage);
    return entries;
  }

  // What the consumer got and has not acknowledged; of what was deleted meanwhile only the id.
  uint64_t history(StreamConsumer& consumer, const StreamId& from) {
    uint64_t entries = 0;
    std::vector<PendingEntry> page;
    const bool from_its_first = from <= consumer.record.floor;
    PendingWalk walk = StreamGroup::walk_of(consumer.record, from);
    StreamId last = id_before(from).value_or(StreamId{});
    while (!walk.over && entries < wanted()) {
      group_.next(walk, std::min<uint64_t>(kPage, wanted() - entries), page);
      if (entries == 0 && from_its_first && !page.empty()) {
        group_.raise_floor(consumer, page.front().id);
      }
      last = page.empty() ? last : page.back().id;
      for (const PendingEntry& pending : page) {
        const bool there = stream_.find(pending.id, [&](const StreamEntry& entry) {
          reply_stream_entry(reply_, entry);
          return false;
        });
        if (there) {
          group_.deliver(consumer, pending.id, pending.deliveries + 1, now_ms_);
        } else {
          reply_.array(2);
          reply_stream_id(reply_, pending.id);
          reply_.null_array();
        }
      }
      entries += page.size();
    }
    if (walk.over) {
      group_.lower_ceiling(consumer, last);
    }
    return entries;
  }

  Context& context_;
  Stream& stream_;
  StreamGroup& group_;
  const StreamReadQuery& query_;
  const int64_t now_ms_;
  ReplyWriter& reply_;
};

}  // namespace

bool serve_xreadgroup(Context& context, const StreamReadQuery& query, ReplyWriter& reply) {
  const size_t begin = reply.where();
  size_t served = 0;
  for (size_t i = 0; i < query.keys.size(); ++i) {
    Stream* stream = context.open<Stream>(query.keys[i], reply);
    if (stream == nullptr || stream->group(query.group) == nullptr) {
      continue;
    }
    GroupRead read(context, *stream, query, reply);
    served += read.serve(query.keys[i], query.after[i]) ? 1 : 0;
  }
  if (served > 0) {
    finish_streams(reply, begin, served);
  }
  return served > 0;
}

// ---------------------------------------------------------------- commands

namespace commands {

namespace {

void range_command(Context& context, Args args, bool back, ReplyWriter& reply) {
  const std::optional<StreamId> from = read_range_start(args[back ? 3 : 2], reply);
  if (!from) {
    return;
  }
  const std::optional<StreamId> to = read_range_end(args[back ? 2 : 3], reply);
  if (!to) {
    return;
  }
  std::optional<uint64_t> count;
  for (size_t at = 4; at < args.size(); at += 2) {
    if (!same_word(args[at], "count") || at + 1 == args.size()) {
      return reply.error(texts::kSyntax);
    }
    const auto number = parse_integer(args[at + 1]);
    if (!number) {
      return reply.error(texts::kNotInteger);
    }
    count = static_cast<uint64_t>(std::max<int64_t>(*number, 0));
  }
  const Stream* stream = context.read<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  if (!stream->there()) {
    return reply.array(0);
  }
  if (count == 0) {
    return reply.null_array();
  }
  reply_range(*stream, *from, *to, back, count.value_or(0), reply);
}

}  // namespace

void xrange(Context& context, Args args, ReplyWriter& reply) {
  range_command(context, args, false, reply);
}
void xrevrange(Context& context, Args args, ReplyWriter& reply) {
  range_command(context, args, true, reply);
}

}  // namespace commands
}  // namespace kiwi::resp
