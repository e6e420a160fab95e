// Streams: entries that come and go.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "resp/commands/stream_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// What Redis' node takes at most, and so its entries.
constexpr size_t kEntryBytesMax = size_t{1} << 30;

// Of XADD and XTRIM, in front of the id or at the end.
struct AddOptions {
  StreamTrim trim;
  bool make = true;            // a stream that is not there
  bool id_given = false;       // else "*"
  bool sequence_given = true;  // else "ms-*"
  StreamId id;
  size_t behind = 0;  // where the words go on: XADD's at the id
};

class AddOptionsReader {
 public:
  AddOptionsReader(Args args, bool add, ReplyWriter& reply)
      : args_(args), add_(add), reply_(reply) {}

  // nullopt: the error was answered.
  std::optional<AddOptions> read() {
    for (; at_ < args_.size(); ++at_) {
      const std::string_view word = args_[at_];
      const bool more = at_ + 1 < args_.size();
      if (add_ && word == "*") {
        break;
      }
      if (more && (same_word(word, "maxlen") || same_word(word, "minid"))) {
        if (!threshold(same_word(word, "maxlen"))) {
          return std::nullopt;
        }
      } else if (same_word(word, "limit") && more) {
        if (!limit()) {
          return std::nullopt;
        }
      } else if (add_ && same_word(word, "nomkstream")) {
        options_.make = false;
      } else if (add_) {
        const auto id =
            parse_stream_id(word, {.ends = false, .given_sequence = &options_.sequence_given});
        if (!id) {
          return refuse(kBadStreamId);
        }
        options_.id_given = true;
        options_.id = *id;
        break;
      } else {
        return refuse(texts::kSyntax);
      }
    }
    return finish();
  }

 private:
  std::nullopt_t refuse(std::string_view error) {
    reply_.error(error);
    return std::nullopt;
  }

  bool threshold(bool by_length) {
    StreamTrim& trim = options_.trim;
    if (trim.by != StreamTrim::By::kNothing) {
      refuse("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
      return false;
    }
    trim.about = false;
    if (at_ + 2 < args_.size() && (args_[at_ + 1] == "~" || args_[at_ + 1] == "=")) {
      trim.about = args_[at_ + 1] == "~";
      ++at_;
    }
    ++at_;
    if (!by_length) {
      const std::optional<StreamId> id = read_stream_id(args_[at_], reply_);
      trim.by = StreamTrim::By::kId;
      trim.id = id.value_or(StreamId{});
      return id.has_value();
    }
    const auto length = parse_integer(args_[at_]);
    if (!length || *length < 0) {
      refuse(length ? "ERR The MAXLEN argument must be >= 0." : texts::kNotInteger);
      return false;
    }
    trim.by = StreamTrim::By::kLength;
    trim.length = static_cast<uint64_t>(*length);
    return true;
  }

  bool limit() {
    const auto limit = parse_integer(args_[++at_]);
    if (!limit || *limit < 0) {
      refuse(limit ? "ERR The LIMIT argument must be >= 0." : texts::kNotInteger);
      return false;
    }
    limited_ = true;
    options_.trim.limit = static_cast<uint64_t>(*limit);
    return true;
  }

  std::optional<AddOptions> finish() {
    StreamTrim& trim = options_.trim;
    const bool none = trim.by == StreamTrim::By::kNothing;
    if (trim.limit != 0 && none) {
      return refuse(
          "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    }
    if (!add_ && none) {
      return refuse("ERR syntax error, XTRIM must be called with a trimming strategy");
    }
    if (limited_ && !trim.about) {
      return refuse("ERR syntax error, LIMIT cannot be used without the special ~ option");
    }
    if (!limited_ && trim.about) {
      trim.limit = 100 * kBlockEntries;
    }
    options_.behind = at_;
    return options_;
  }

  const Args args_;
  const bool add_;
  ReplyWriter& reply_;
  size_t at_ = 2;
  bool limited_ = false;
  AddOptions options_;
};

// The id of a new entry. nullopt: it would not be above the last one. The time is the entry's of
// the log, so it is the same on every node.
std::optional<StreamId> new_id(const AddOptions& options, const StreamId& last, int64_t now_ms) {
  StreamId id = options.id;
  if (!options.id_given) {
    const auto now = static_cast<uint64_t>(now_ms);
    return now > last.ms ? std::optional(StreamId{now, 0}) : next_id(last);
  }
  if (!options.sequence_given && id.ms == last.ms) {
    if (last.sequence == UINT64_MAX) {
      return std::nullopt;
    }
    id.sequence = last.sequence + 1;
  }
  return id > last ? std::optional(id) : std::nullopt;
}

size_t bytes_of(Args words) {
  size_t bytes = 0;
  for (std::string_view word : words) {
    bytes += word.size();
  }
  return bytes;
}

}  // namespace

void xadd(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<AddOptions> options = AddOptionsReader(args, true, reply).read();
  if (!options) {
    return;
  }
  const Args fields = args.subspan(std::min(options->behind + 1, args.size()));
  if (fields.size() < 2 || fields.size() % 2 == 1) {
    return reply_wrong_arity(context, reply);
  }
  if (options->id_given && options->sequence_given && options->id == StreamId{}) {
    return reply.error("ERR The ID specified in XADD must be greater than 0-0");
  }
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  if (!stream->there() && !options->make) {
    return reply.null();
  }
  const StreamId last = stream->tail().last_id;
  if (last == kStreamIdMax) {
    return reply.error(
        "ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  const std::optional<StreamId> id = new_id(*options, last, context.now_ms());
  if (!id) {
    return reply.error(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  }
  if (bytes_of(fields) > kEntryBytesMax) {
    return reply.error("ERR Elements are too large to be stored");
  }
  stream->append(*id, fields);
  const uint64_t gone = stream->trim(options->trim);
  context.save(*stream, config::kEventStream, "xadd");
  if (gone > 0) {
    context.notify(config::kEventStream, "xtrim", args[1]);
  }
  reply_stream_id(reply, *id);
}

void xlen(Context& context, Args args, ReplyWriter& reply) {
  if (const Stream* stream = context.read<Stream>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(stream->size()));
  }
}

void xdel(Context& context, Args args, ReplyWriter& reply) {
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  if (!stream->there()) {
    return reply.integer(0);
  }
  std::vector<StreamId> ids;
  for (std::string_view word : args.subspan(2)) {
    const std::optional<StreamId> id = read_stream_id(word, reply);
    if (!id) {
      return;
    }
    ids.push_back(*id);
  }
  int64_t deleted = 0;
  for (const StreamId& id : ids) {
    deleted += stream->erase(id) ? 1 : 0;
  }
  context.save(*stream, config::kEventStream, "xdel");
  reply.integer(deleted);
}

void xtrim(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<AddOptions> options = AddOptionsReader(args, false, reply).read();
  if (!options) {
    return;
  }
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  const uint64_t gone = stream->trim(options->trim);
  stream->save();
  if (gone > 0) {
    context.notify(config::kEventStream, "xtrim", args[1]);
  }
  reply.integer(static_cast<int64_t>(gone));
}

// ---------------------------------------------------------------- XSETID

namespace {

struct SetIdOptions {
  StreamId id;
  std::optional<uint64_t> entries_added;
  StreamId max_deleted;  // 0-0: stays
};

std::optional<SetIdOptions> read_set_id(Args args, ReplyWriter& reply) {
  SetIdOptions options;
  const std::optional<StreamId> id = read_stream_id(args[2], reply);
  if (!id) {
    return std::nullopt;
  }
  options.id = *id;
  for (size_t at = 3; at < args.size(); at += 2) {
    const bool more = at + 1 < args.size();
    if (same_word(args[at], "entriesadded") && more) {
      const auto count = parse_integer(args[at + 1]);
      if (!count || *count < 0) {
        reply.error(count ? "ERR entries_added must be positive" : texts::kNotInteger);
        return std::nullopt;
      }
      options.entries_added = static_cast<uint64_t>(*count);
    } else if (same_word(args[at], "maxdeletedid") && more) {
      const std::optional<StreamId> deleted = read_stream_id(args[at + 1], reply);
      if (!deleted) {
        return std::nullopt;
      }
      if (options.id < *deleted) {
        reply.error(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
        return std::nullopt;
      }
      options.max_deleted = *deleted;
    } else {
      reply.error(texts::kSyntax);
      return std::nullopt;
    }
  }
  return options;
}

// What is wrong with it for this stream; nothing if it is fine.
std::string_view refuse_set_id(const Stream& stream, const SetIdOptions& options) {
  if (stream.empty()) {
    return {};
  }
  if (options.id < stream.last_entry()) {
    return "ERR The ID specified in XSETID is smaller than the target stream top item";
  }
  if (options.entries_added && *options.entries_added < stream.size()) {
    return "ERR The entries_added specified in XSETID is smaller than the target stream length";
  }
  return {};
}

}  // namespace

void xsetid(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<SetIdOptions> options = read_set_id(args, reply);
  if (!options) {
    return;
  }
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  if (!stream->there()) {
    return reply.error(texts::kNoSuchKey);
  }
  if (const std::string_view error = refuse_set_id(*stream, *options); !error.empty()) {
    return reply.error(error);
  }
  stream->set_last_id(options->id);
  if (options->entries_added) {
    stream->set_entries_added(*options->entries_added);
  }
  if (options->max_deleted != StreamId{}) {
    stream->set_max_deleted(options->max_deleted);
  }
  context.save(*stream, config::kEventStream, "xsetid");
  reply.ok();
}

}  // namespace kiwi::resp::commands
