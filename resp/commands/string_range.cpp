// Strings as bytes: parts of them, appending, and the longest common subsequence.
#include <algorithm>
#include <vector>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

void append(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  if (!key.live) {
    context.set_string(key, args[2], 0);
    return reply.integer(static_cast<int64_t>(args[2].size()));
  }
  if (key.meta.value.size() + args[2].size() > kStringBytes) {
    return reply.error(kStringTooLong);
  }
  std::string& value = context.scratch();
  value.append(key.meta.value).append(args[2]);
  key.meta.value = value;
  context.state().update(key);
  reply.integer(static_cast<int64_t>(value.size()));
}

void getrange(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[2]);
  auto last = parse_integer(args[3]);
  if (!first || !last) {
    return reply.error(texts::kNotInteger);
  }
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  std::string_view value = key.live ? key.meta.value : std::string_view{};
  // A last index before the start means the first byte, unless both count from the end in the wrong
  // order.
  if (value.empty() || (*first < 0 && *last < 0 && *first > *last)) {
    return reply.bulk({});
  }
  auto size = static_cast<int64_t>(value.size());
  int64_t end = *last < 0 ? std::max<int64_t>(*last + size, 0) : *last;
  auto range = clamp_range(*first, end, value.size());
  reply.bulk(range ? value.substr(range->first, range->count) : std::string_view{});
}

void setrange(Context& context, Args args, ReplyWriter& reply) {
  auto offset = parse_integer(args[2]);
  if (!offset) {
    return reply.error(texts::kNotInteger);
  }
  if (*offset < 0) {
    return reply.error("ERR offset is out of range");
  }
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  size_t size = key.live ? key.meta.value.size() : 0;
  if (args[3].empty()) {
    return reply.integer(static_cast<int64_t>(size));
  }
  auto at = static_cast<uint64_t>(*offset);
  if (at > kStringBytes || at + args[3].size() > kStringBytes) {
    return reply.error(kStringTooLong);
  }
  std::string& value = context.scratch();
  if (key.live) {
    value.append(key.meta.value);
  }
  value.resize(std::max(value.size(), at + args[3].size()), '\0');
  value.replace(at, args[3].size(), args[3]);
  if (key.live) {
    key.meta.value = value;
    context.state().update(key);
  } else {
    context.set_string(key, value, 0);
  }
  reply.integer(static_cast<int64_t>(value.size()));
}

// ---------------------------------------------------------------- LCS

namespace {

struct LcsOptions {
  bool length = false;
  bool indexes = false;
  bool with_match_length = false;
  uint64_t match_length_min = 0;
};

struct LcsMatch {  // last byte of each range included
  size_t a_first = 0, a_last = 0, b_first = 0, b_last = 0;
  size_t length() const { return a_last - a_first + 1; }
};

// Lengths of the longest common subsequences of every pair of prefixes.
class LcsTable {
 public:
  LcsTable(std::string_view a, std::string_view b)
      : a_(a), b_(b), cells_((a.size() + 1) * (b.size() + 1), 0) {
    for (size_t i = 1; i <= a.size(); ++i) {
      for (size_t j = 1; j <= b.size(); ++j) {
        cell(i, j) = a[i - 1] == b[j - 1] ? cell(i - 1, j - 1) + 1
                                          : std::max(cell(i - 1, j), cell(i, j - 1));
      }
    }
  }
  size_t length() { return cell(a_.size(), b_.size()); }

  // Walks back from the end; matches come last first, as Redis lists them.
  void walk(std::string& common, std::vector<LcsMatch>& matches) {
    size_t i = a_.size();
    size_t j = b_.size();
    common.resize(length());
    size_t left = common.size();
    bool open = false;  // matches.back() still grows
    while (left > 0) {
      if (a_[i - 1] == b_[j - 1]) {
        common[--left] = a_[i - 1];
        --i;
        --j;
        if (open) {
          matches.back().a_first = i;
          matches.back().b_first = j;
        } else {
          matches.push_back({i, i, j, j});
          open = true;
        }
        continue;
      }
      open = false;
      if (cell(i - 1, j) > cell(i, j - 1)) {
        --i;
      } else {
        --j;
      }
    }
  }

 private:
  uint32_t& cell(size_t i, size_t j) { return cells_[i * (b_.size() + 1) + j]; }
  std::string_view a_;
  std::string_view b_;
  std::vector<uint32_t> cells_;
};

bool parse_lcs(Args args, LcsOptions& options, ReplyWriter& reply) {
  for (size_t at = 3; at < args.size(); ++at) {
    if (same_word(args[at], "idx")) {
      options.indexes = true;
    } else if (same_word(args[at], "len")) {
      options.length = true;
    } else if (same_word(args[at], "withmatchlen")) {
      options.with_match_length = true;
    } else if (same_word(args[at], "minmatchlen") && at + 1 < args.size()) {
      auto least = parse_integer(args[++at]);
      if (!least) {
        reply.error(texts::kNotInteger);
        return false;
      }
      options.match_length_min = static_cast<uint64_t>(std::max<int64_t>(*least, 0));
    } else {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  if (options.length && options.indexes) {
    reply.error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

void reply_lcs(LcsTable& table, const LcsOptions& options, ReplyWriter& reply) {
  if (options.length) {
    return reply.integer(static_cast<int64_t>(table.length()));
  }
  std::string common;
  std::vector<LcsMatch> matches;
  table.walk(common, matches);
  if (!options.indexes) {
    return reply.bulk(common);
  }
  std::erase_if(matches, [&](const LcsMatch& m) { return m.length() < options.match_length_min; });
  reply.map(2);
  reply.bulk("matches");
  reply.array(matches.size());
  for (const LcsMatch& m : matches) {
    reply.array(options.with_match_length ? 3 : 2);
    reply.array(2);
    reply.integer(static_cast<int64_t>(m.a_first));
    reply.integer(static_cast<int64_t>(m.a_last));
    reply.array(2);
    reply.integer(static_cast<int64_t>(m.b_first));
    reply.integer(static_cast<int64_t>(m.b_last));
    if (options.with_match_length) {
      reply.integer(static_cast<int64_t>(m.length()));
    }
  }
  reply.bulk("len");
  reply.integer(static_cast<int64_t>(table.length()));
}

}  // namespace

void lcs(Context& context, Args args, ReplyWriter& reply) {
  Key first = context.read(args[1]);
  std::string a(first.is(Type::kString) ? first.meta.value : std::string_view{});
  Key second = context.read(args[2]);
  if ((first.live && !first.is(Type::kString)) || (second.live && !second.is(Type::kString))) {
    return reply.error("ERR The specified keys must contain string values");
  }
  LcsOptions options;
  if (!parse_lcs(args, options, reply)) {
    return;
  }
  std::string_view b = second.live ? second.meta.value : std::string_view{};
  if ((a.size() + 1) * (b.size() + 1) > kStringBytes / sizeof(uint32_t)) {
    return reply.error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  LcsTable table(a, b);
  reply_lcs(table, options, reply);
}

}  // namespace kiwi::resp::commands
