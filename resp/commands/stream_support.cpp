#include "resp/commands/stream_support.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kIdTextMax = 127;

// As Redis: what strtoull takes, signs and zeros in front included, but for negative numbers in
// their usual form.
std::optional<uint64_t> parse_part(const char* text) {
  if (const auto number = parse_integer(text)) {
    return *number >= 0 ? std::optional(static_cast<uint64_t>(*number)) : std::nullopt;
  }
  errno = 0;
  char* end = nullptr;
  const uint64_t number = std::strtoull(text, &end, 10);
  if (errno != 0 || *text == '\0' || *end != '\0') {
    return std::nullopt;
  }
  return number;
}

// A "(" in front that is not all there is.
bool take_exclusion(std::string_view& text) {
  const bool excluded = text.size() > 1 && text[0] == '(';
  text.remove_prefix(excluded ? 1 : 0);
  return excluded;
}

std::optional<StreamId> read_bound(std::string_view text,
                                   uint64_t missing_sequence,
                                   std::optional<StreamId> (*inwards)(const StreamId&),
                                   std::string_view at_the_end,
                                   ReplyWriter& reply) {
  const bool excluded = take_exclusion(text);
  std::optional<StreamId> id = parse_stream_id(text, {missing_sequence, !excluded, nullptr});
  if (!id) {
    reply.error(kBadStreamId);
  } else if (excluded) {
    id = inwards(*id);
    if (!id) {
      reply.error(at_the_end);
    }
  }
  return id;
}

}  // namespace

std::optional<StreamId> parse_stream_id(std::string_view text, const StreamIdForm& form) {
  if (text.size() > kIdTextMax) {
    return std::nullopt;
  }
  char buffer[kIdTextMax + 1] = {};
  std::copy(text.begin(), text.end(), buffer);
  if (form.given_sequence != nullptr) {
    *form.given_sequence = true;
  }
  if ((buffer[0] == '-' || buffer[0] == '+') && buffer[1] == '\0') {
    if (!form.ends) {
      return std::nullopt;
    }
    return buffer[0] == '-' ? StreamId{} : kStreamIdMax;
  }
  char* const dash = std::strchr(buffer, '-');
  if (dash != nullptr) {
    *dash = '\0';
  }
  const std::optional<uint64_t> ms = parse_part(buffer);
  if (!ms) {
    return std::nullopt;
  }
  if (dash == nullptr) {
    return StreamId{*ms, form.missing_sequence};
  }
  if (form.given_sequence != nullptr && std::strcmp(dash + 1, "*") == 0) {
    *form.given_sequence = false;
    return StreamId{*ms, 0};
  }
  const std::optional<uint64_t> sequence = parse_part(dash + 1);
  return sequence ? std::optional(StreamId{*ms, *sequence}) : std::nullopt;
}

std::optional<StreamId> read_stream_id(std::string_view text, ReplyWriter& reply) {
  const std::optional<StreamId> id = parse_stream_id(text, {.ends = false});
  if (!id) {
    reply.error(kBadStreamId);
  }
  return id;
}

std::optional<StreamId> read_range_start(std::string_view text, ReplyWriter& reply) {
  return read_bound(text, 0, next_id, "ERR invalid start ID for the interval", reply);
}

std::optional<StreamId> read_range_end(std::string_view text, ReplyWriter& reply) {
  return read_bound(text, UINT64_MAX, id_before, "ERR invalid end ID for the interval", reply);
}

std::string stream_id_text(const StreamId& id) {
  return std::to_string(id.ms) + "-" + std::to_string(id.sequence);
}

void reply_stream_id(ReplyWriter& reply, const StreamId& id) {
  if (!reply.discards()) {
    reply.bulk(stream_id_text(id));
  }
}

void reply_stream_entry(ReplyWriter& reply, const StreamEntry& entry) {
  if (reply.discards()) {
    return;
  }
  reply.array(2);
  reply_stream_id(reply, entry.id);
  reply.array(2 * entry.fields);
  entry.each([&](std::string_view name, std::string_view value) {
    reply.bulk(name);
    reply.bulk(value);
  });
}

void reply_no_group(ReplyWriter& reply,
                    std::string_view key,
                    std::string_view group,
                    std::string_view more) {
  reply.error("NOGROUP No such key '" + std::string(quoted_word(key)) + "' or consumer group '" +
              std::string(quoted_word(group)) + "'" + std::string(more));
}

void reply_no_such_group(ReplyWriter& reply, std::string_view key, std::string_view group) {
  reply.error("NOGROUP No such consumer group '" + std::string(quoted_word(group)) +
              "' for key name '" + std::string(quoted_word(key)) + "'");
}

void reply_subcommand_syntax(ReplyWriter& reply, Args args) {
  constexpr size_t kShown = 128;
  std::string container(quoted_word(args[0]));
  std::transform(container.begin(), container.end(), container.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  reply.error("ERR unknown subcommand or wrong number of arguments for '" +
              std::string(quoted_word(args[1]).substr(0, kShown)) + "'. Try " + container +
              " HELP.");
}

}  // namespace kiwi::resp
