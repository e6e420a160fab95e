// XREAD and XREADGROUP: what they ask for, and how that is served. Without BLOCK, and wherever
// nobody may wait, an ask that cannot be served is answered by null; who waits asks again by the
// same functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "resp/context.hpp"
#include "resp/reply.hpp"
#include "resp/types/stream.hpp"

namespace kiwi::resp {

struct StreamReadQuery {
  std::optional<int64_t> block_ms;  // 0: for ever
  uint64_t count = 0;               // 0: all
  // XREADGROUP only.
  std::string_view group;
  std::string_view consumer;
  bool no_ack = false;
  Args keys;
  Args ids;                     // as many, as they were given
  std::vector<StreamId> after;  // as many, once they were resolved; the largest: ">"
};

// Answers the error itself.
std::optional<StreamReadQuery> read_stream_query(Args args, bool grouped, ReplyWriter& reply);

// XREAD or XREADGROUP that says BLOCK, right or wrong: scripts may not.
bool says_block(Args args);

// Keys, groups and ids are looked at: "$" becomes the last id there is now. False: the error was
// answered.
bool resolve_xread(Context& context, StreamReadQuery& query, ReplyWriter& reply);
bool resolve_xreadgroup(Context& context, StreamReadQuery& query, ReplyWriter& reply);
// False: there is nothing, and nothing was answered or changed.
bool serve_xread(Context& context, const StreamReadQuery& query, ReplyWriter& reply);
bool serve_xreadgroup(Context& context, const StreamReadQuery& query, ReplyWriter& reply);

}  // namespace kiwi::resp
