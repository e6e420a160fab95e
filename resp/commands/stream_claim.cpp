// Streams: pending entries that change hands, and who has which.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "resp/commands/stream_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr size_t kPage = 128;  // pending entries that are looked at before any of them is changed

struct ClaimOptions {
  std::vector<StreamId> ids;
  int64_t idle_ms = 0;  // at least so long
  bool force = false;
  bool only_ids = false;
  std::optional<int64_t> delivered_ms;
  std::optional<uint64_t> deliveries;
  StreamId last_id;
};

// The consumer that claims, made when it gets its first entry.
class Claimer {
 public:
  Claimer(Context& context, std::string_view key, StreamGroup& group, std::string_view name)
      : context_(context), key_(key), group_(group), name_(name) {}

  StreamConsumer& consumer() {
    if (consumer_ == nullptr) {
      consumer_ = group_.consumer(name_);
      if (consumer_ == nullptr) {
        consumer_ = &group_.create_consumer(name_, context_.now_ms());
        context_.notify(config::kEventStream, kConsumerCreated, key_);
      } else {
        group_.saw(*consumer_, context_.now_ms());
      }
    }
    return *consumer_;
  }

 private:
  Context& context_;
  const std::string_view key_;
  StreamGroup& group_;
  const std::string_view name_;
  StreamConsumer* consumer_ = nullptr;
};

class ClaimReader {
 public:
  ClaimReader(Args args, int64_t now_ms, ReplyWriter& reply)
      : args_(args), now_ms_(now_ms), reply_(reply) {}

  std::optional<ClaimOptions> read() {
    const auto idle = number(args_[4], "ERR Invalid min-idle-time argument for XCLAIM");
    if (!idle) {
      return std::nullopt;
    }
    options_.idle_ms = std::max<int64_t>(*idle, 0);
    for (at_ = 5; at_ < args_.size(); ++at_) {
      const std::optional<StreamId> id = parse_stream_id(args_[at_], {.ends = false});
      if (!id) {
        break;  // options begin
      }
      options_.ids.push_back(*id);
    }
    for (; at_ < args_.size(); ++at_) {
      if (!option(args_[at_], at_ + 1 < args_.size())) {
        return std::nullopt;
      }
    }
    return options_;
  }

 private:
  std::optional<int64_t> number(std::string_view text, std::string_view error) {
    const auto value = parse_integer(text);
    if (!value) {
      reply_.error(error);
    }
    return value;
  }

  bool option(std::string_view word, bool more) {
    if (same_word(word, "force")) {
      options_.force = true;
      return true;
    }
    if (same_word(word, "justid")) {
      options_.only_ids = true;
      return true;
    }
    if (same_word(word, "idle") && more) {
      const auto idle = number(args_[++at_], "ERR Invalid IDLE option argument for XCLAIM");
      // Wraps around as it does there.
      options_.delivered_ms = static_cast<int64_t>(static_cast<uint64_t>(now_ms_) -
                                                   static_cast<uint64_t>(idle.value_or(0)));
      return idle.has_value();
    }
    if (same_word(word, "time") && more) {
      options_.delivered_ms = number(args_[++at_], "ERR Invalid TIME option argument for XCLAIM");
      return options_.delivered_ms.has_value();
    }
    if (same_word(word, "retrycount") && more) {
      const auto count = number(args_[++at_], "ERR Invalid RETRYCOUNT option argument for XCLAIM");
      options_.deliveries =
          count && *count >= 0 ? std::optional(static_cast<uint64_t>(*count)) : std::nullopt;
      return count.has_value();
    }
    if (same_word(word, "lastid") && more) {
      const std::optional<StreamId> id = read_stream_id(args_[++at_], reply_);
      options_.last_id = id.value_or(StreamId{});
      return id.has_value();
    }
    reply_.error("ERR Unrecognized XCLAIM option '" + std::string(quoted_word(word)) + "'");
    return false;
  }

  const Args args_;
  const int64_t now_ms_;
  ReplyWriter& reply_;
  size_t at_ = 0;
  ClaimOptions options_;
};

void reply_claimed(Stream& stream, const StreamId& id, bool only_id, ReplyWriter& reply) {
  if (only_id) {
    return reply_stream_id(reply, id);
  }
  stream.find(id, [&](const StreamEntry& entry) {
    reply_stream_entry(reply, entry);
    return false;
  });
}

// True: it changed hands, and was answered.
bool claim(Stream& stream,
           StreamGroup& group,
           Claimer& claimer,
           const ClaimOptions& options,
           const StreamId& id,
           int64_t now_ms,
           ReplyWriter& reply) {
  std::optional<PendingEntry> pending = group.find(id);
  if (!stream.has(id)) {  // it is gone, and nobody needs to acknowledge it
    if (pending) {
      group.acknowledge(id);
    }
    return false;
  }
  if (!pending && !options.force) {
    return false;
  }
  if (pending && options.idle_ms != 0 && now_ms - pending->delivered_ms < options.idle_ms) {
    return false;
  }
  uint64_t deliveries = pending ? pending->deliveries : 1;
  if (options.deliveries) {
    deliveries = *options.deliveries;
  } else if (!options.only_ids) {
    ++deliveries;
  }
  group.deliver(claimer.consumer(), id, deliveries, options.delivered_ms.value_or(now_ms));
  reply_claimed(stream, id, options.only_ids, reply);
  return true;
}

}  // namespace

void xclaim(Context& context, Args args, ReplyWriter& reply) {
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  StreamGroup* group = stream->group(args[2]);
  if (group == nullptr) {
    return reply_no_group(reply, args[1], args[2]);
  }
  const int64_t now_ms = context.now_ms();
  std::optional<ClaimOptions> options = ClaimReader(args, now_ms, reply).read();
  if (!options) {
    return;
  }
  if (options->last_id > group->last_id()) {
    group->set_last_id(options->last_id);
  }
  // A time that cannot be is now; so is -1, which Redis has for none.
  if (options->delivered_ms && (*options->delivered_ms < 0 || *options->delivered_ms > now_ms)) {
    options->delivered_ms = now_ms;
  }
  Claimer claimer(context, args[1], *group, args[3]);
  const size_t begin = reply.where();
  size_t claimed = 0;
  for (const StreamId& id : options->ids) {
    claimed += claim(*stream, *group, claimer, *options, id, now_ms, reply) ? 1 : 0;
  }
  const size_t head = reply.where();
  reply.array(claimed);
  reply.put_first(begin, head);
  stream->save();
}

// ---------------------------------------------------------------- XAUTOCLAIM

namespace {

struct AutoClaimOptions {
  int64_t idle_ms = 0;
  StreamId from;
  uint64_t count = 100;
  bool only_ids = false;
};

std::optional<AutoClaimOptions> read_autoclaim(Args args, ReplyWriter& reply) {
  constexpr int64_t kCountMax = std::numeric_limits<int64_t>::max() / 16;
  AutoClaimOptions options;
  const auto idle = parse_integer(args[4]);
  if (!idle) {
    reply.error("ERR Invalid min-idle-time argument for XAUTOCLAIM");
    return std::nullopt;
  }
  options.idle_ms = std::max<int64_t>(*idle, 0);
  const std::optional<StreamId> from = read_range_start(args[5], reply);
  if (!from) {
    return std::nullopt;
  }
  options.from = *from;
  for (size_t at = 6; at < args.size(); ++at) {
    if (same_word(args[at], "count") && at + 1 < args.size()) {
      const auto count = parse_integer(args[++at]);
      if (!count || *count < 1 || *count > kCountMax) {
        reply.error("ERR COUNT must be > 0");
        return std::nullopt;
      }
      options.count = static_cast<uint64_t>(*count);
    } else if (same_word(args[at], "justid")) {
      options.only_ids = true;
    } else {
      reply.error(texts::kSyntax);
      return std::nullopt;
    }
  }
  return options;
}

class AutoClaim {
 public:
  AutoClaim(Context& context,
            Stream& stream,
            StreamGroup& group,
            const Claimer& claimer,
            const AutoClaimOptions& options,
            ReplyWriter& reply)
      : context_(context),
        stream_(stream),
        group_(group),
        claimer_(claimer),
        options_(options),
        now_ms_(context.now_ms()),
        reply_(reply) {}

  // Redis looks at ten times as many as it may claim.
  void run() {
    constexpr uint64_t kLooks = 10;
    const size_t begin = reply_.where();
    uint64_t left = options_.count;
    uint64_t looks = options_.count * kLooks;
    PendingWalk walk;
    walk.from = options_.from;
    std::vector<PendingEntry> page;
    while (left > 0 && looks > 0 && !walk.over) {
      // No more than may all be claimed, so that the walk ends behind the last one looked at.
      group_.next(walk, std::min<uint64_t>({kPage, left, looks}), page);
      for (const PendingEntry& entry : page) {
        left -= take(entry) ? 1 : 0;
      }
      looks -= page.size();
    }
    group_.next(walk, 1, page);
    const StreamId next = page.empty() ? StreamId{} : page.front().id;
    const size_t head = reply_.where();
    reply_.array(3);
    reply_stream_id(reply_, next);
    reply_.array(claimed_);
    reply_.put_first(begin, head);
    reply_.array(deleted_.size());
    for (const StreamId& id : deleted_) {
      reply_stream_id(reply_, id);
    }
  }

 private:
  // False: it is too young.
  bool take(const PendingEntry& entry) {
    if (!stream_.has(entry.id)) {
      group_.acknowledge(entry.id);
      context_.state().effects().spend(sizeof(StreamId));  // it is held until the answer
      deleted_.push_back(entry.id);
      return true;
    }
    if (options_.idle_ms != 0 && now_ms_ - entry.delivered_ms < options_.idle_ms) {
      return false;
    }
    group_.deliver(claimer_.consumer(), entry.id, entry.deliveries + (options_.only_ids ? 0 : 1),
                   now_ms_);
    reply_claimed(stream_, entry.id, options_.only_ids, reply_);
    ++claimed_;
    return true;
  }

  Context& context_;
  Stream& stream_;
  StreamGroup& group_;
  Claimer claimer_;
  const AutoClaimOptions& options_;
  const int64_t now_ms_;
  ReplyWriter& reply_;
  size_t claimed_ = 0;
  std::vector<StreamId> deleted_;
};

}  // namespace

void xautoclaim(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<AutoClaimOptions> options = read_autoclaim(args, reply);
  if (!options) {
    return;
  }
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  StreamGroup* group = stream->group(args[2]);
  if (group == nullptr) {
    return reply_no_group(reply, args[1], args[2]);
  }
  const Claimer claimer(context, args[1], *group, args[3]);
  AutoClaim(context, *stream, *group, claimer, *options, reply).run();
  stream->save();
}

}  // namespace kiwi::resp::commands
