// Streams: groups, their consumers, and what is acknowledged.
#include <optional>
#include <string>
#include <vector>

#include "resp/commands/stream_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/help.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kKeyMissing =
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
    "the MKSTREAM option to create an empty stream automatically.";
constexpr std::string_view kGroupExists = "BUSYGROUP Consumer Group name already exists";
constexpr std::string_view kTooManyGroups =
    "ERR this stream has had as many groups as a stream can have";

struct GroupOptions {
  bool make_stream = false;
  std::optional<uint64_t> entries_read;
};

// What follows the id of XGROUP CREATE and SETID. nullopt: the error was answered.
std::optional<GroupOptions> read_group_options(Args args, bool create, ReplyWriter& reply) {
  constexpr size_t kOptionsAt = 5;
  GroupOptions options;
  for (size_t at = kOptionsAt; at < args.size(); ++at) {
    if (create && same_word(args[at], "mkstream")) {
      options.make_stream = true;
    } else if (same_word(args[at], "entriesread") && at + 1 < args.size()) {
      const auto count = parse_integer(args[++at]);
      if (!count || *count < -1) {
        reply.error(count ? "ERR value for ENTRIESREAD must be positive or -1"
                          : texts::kNotInteger);
        return std::nullopt;
      }
      options.entries_read =
          *count < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(*count));
    } else {
      reply_subcommand_syntax(reply, args);
      return std::nullopt;
    }
  }
  return options;
}

// The stream of an XGROUP; nullptr: there is none, which was answered.
Stream* stream_of(Context& context, Args args, ReplyWriter& reply) {
  Stream* stream = context.open<Stream>(args[2], reply);
  if (stream != nullptr && !stream->there()) {
    reply.error(kKeyMissing);
    return nullptr;
  }
  return stream;
}

struct OpenGroup {
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
};
// And its group.
std::optional<OpenGroup> group_of(Context& context, Args args, ReplyWriter& reply) {
  Stream* stream = stream_of(context, args, reply);
  if (stream == nullptr) {
    return std::nullopt;
  }
  StreamGroup* group = stream->group(args[3]);
  if (group == nullptr) {
    reply_no_such_group(reply, args[2], args[3]);
    return std::nullopt;
  }
  return OpenGroup{stream, group};
}

}  // namespace

void xgroup_create(Context& context, Args args, ReplyWriter& reply) {
  constexpr size_t kWordsMax = 8;
  const std::optional<GroupOptions> options = read_group_options(args, true, reply);
  if (!options) {
    return;
  }
  Stream* stream =
      options->make_stream ? context.open<Stream>(args[2], reply) : stream_of(context, args, reply);
  if (stream == nullptr) {
    return;
  }
  if (args.size() > kWordsMax) {
    return reply_subcommand_syntax(reply, args);
  }
  const std::optional<StreamId> id =
      args[4] == "$" ? stream->tail().last_id : read_stream_id(args[4], reply);
  if (!id) {
    return;
  }
  if (stream->group(args[3]) != nullptr) {
    return reply.error(kGroupExists);
  }
  StreamGroup* group = stream->create_group(args[3], *id);
  if (group == nullptr) {
    return reply.error(kTooManyGroups);
  }
  group->set_entries_read(options->entries_read);
  context.save(*stream, config::kEventStream, "xgroup-create");
  reply.ok();
}

void xgroup_setid(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<GroupOptions> options = read_group_options(args, false, reply);
  if (!options) {
    return;
  }
  const std::optional<OpenGroup> open = group_of(context, args, reply);
  if (!open) {
    return;
  }
  if (args.size() != 5 && args.size() != 7) {
    return reply_subcommand_syntax(reply, args);
  }
  const std::optional<StreamId> id =
      args[4] == "$" ? open->stream->tail().last_id : parse_stream_id(args[4]);
  if (!id) {
    return reply.error(kBadStreamId);
  }
  open->group->set_last_id(*id);
  open->group->set_entries_read(options->entries_read);
  context.save(*open->stream, config::kEventStream, "xgroup-setid");
  reply.ok();
}

void xgroup_destroy(Context& context, Args args, ReplyWriter& reply) {
  Stream* stream = stream_of(context, args, reply);
  if (stream == nullptr) {
    return;
  }
  StreamGroup* group = stream->group(args[3]);
  if (group == nullptr) {
    return reply.integer(0);
  }
  stream->drop_group(*group);
  context.save(*stream, config::kEventStream, "xgroup-destroy");
  reply.integer(1);
}

void xgroup_createconsumer(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<OpenGroup> open = group_of(context, args, reply);
  if (!open) {
    return;
  }
  const bool known = open->group->consumer(args[4]) != nullptr;
  if (!known) {
    open->group->create_consumer(args[4], context.now_ms());
    context.save(*open->stream, config::kEventStream, kConsumerCreated);
  }
  reply.integer(known ? 0 : 1);
}

void xgroup_delconsumer(Context& context, Args args, ReplyWriter& reply) {
  const std::optional<OpenGroup> open = group_of(context, args, reply);
  if (!open) {
    return;
  }
  StreamConsumer* consumer = open->group->consumer(args[4]);
  uint64_t pending = 0;
  if (consumer != nullptr) {
    pending = open->group->remove_consumer(*consumer);
    context.save(*open->stream, config::kEventStream, "xgroup-delconsumer");
  }
  reply.integer(static_cast<int64_t>(pending));
}

void xgroup_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Create a new consumer group. Options are:",
      "    * MKSTREAM",
      "      Create the empty stream if it does not exist.",
      "    * ENTRIESREAD entries_read",
      "      Set the group's entries_read counter (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Create a new consumer in the specified group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove the specified consumer.",
      "DESTROY <key> <groupname>",
      "    Remove the specified group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the current group ID and entries_read counter.",
  };
  reply_help(reply, "XGROUP", kLines);
}

void xack(Context& context, Args args, ReplyWriter& reply) {
  Stream* stream = context.open<Stream>(args[1], reply);
  if (stream == nullptr) {
    return;
  }
  StreamGroup* group = stream->group(args[2]);
  if (group == nullptr) {
    return reply.integer(0);
  }
  std::vector<StreamId> ids;
  for (std::string_view word : args.subspan(3)) {
    const std::optional<StreamId> id = read_stream_id(word, reply);
    if (!id) {
      return;
    }
    ids.push_back(*id);
  }
  int64_t acknowledged = 0;
  for (const StreamId& id : ids) {
    acknowledged += group->acknowledge(id) ? 1 : 0;
  }
  stream->save();
  reply.integer(acknowledged);
}

}  // namespace kiwi::resp::commands
