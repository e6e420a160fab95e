// What commands of streams share: ids as clients write them, entries as they are answered, and the
// texts of Redis. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "resp/context.hpp"
#include "resp/reply.hpp"
#include "resp/types/stream.hpp"

namespace kiwi::resp {

inline constexpr std::string_view kBadStreamId =
    "ERR Invalid stream ID specified as stream command argument";

inline constexpr std::string_view kConsumerCreated = "xgroup-createconsumer";  // an event

// "ms-seq", "ms", "-" and "+".
struct StreamIdForm {
  uint64_t missing_sequence = 0;   // of "ms"
  bool ends = true;                // "-" and "+" are ids
  bool* given_sequence = nullptr;  // not null: "ms-*" is one, too, and this says which it was
};
std::optional<StreamId> parse_stream_id(std::string_view text, const StreamIdForm& form = {});
// One that is no end. Answers the error itself.
std::optional<StreamId> read_stream_id(std::string_view text, ReplyWriter& reply);
// The ends of a range, which "(" in front excludes. Answer the error themselves.
std::optional<StreamId> read_range_start(std::string_view text, ReplyWriter& reply);
std::optional<StreamId> read_range_end(std::string_view text, ReplyWriter& reply);

std::string stream_id_text(const StreamId& id);
void reply_stream_id(ReplyWriter& reply, const StreamId& id);
// Its id, and an array of its names and values.
void reply_stream_entry(ReplyWriter& reply, const StreamEntry& entry);

// "NOGROUP No such key '...' or consumer group '...'" and what follows.
void reply_no_group(ReplyWriter& reply,
                    std::string_view key,
                    std::string_view group,
                    std::string_view more = {});
// "NOGROUP No such consumer group '...' for key name '...'".
void reply_no_such_group(ReplyWriter& reply, std::string_view key, std::string_view group);
// Of XGROUP and XINFO, by the words of the command.
void reply_subcommand_syntax(ReplyWriter& reply, Args args);

}  // namespace kiwi::resp
