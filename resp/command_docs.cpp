#include "resp/command_docs.hpp"

#include <algorithm>
#include <bit>

#include "config/base/check.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp {

namespace {

// Redis prints flags in this order. READ and WRITE rows are readonly and write.
struct FlagName {
  uint32_t bit;
  std::string_view name;
};
constexpr FlagName kFlagNames[] = {
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoadingOk, "loading"},
    {kStaleOk, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
    {kTouchesArbitraryKeys, "touches_arbitrary_keys"},
};

constexpr std::string_view kAclNames[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting"};

std::vector<std::string_view> values(std::span<const DocLine> doc, std::string_view word) {
  std::vector<std::string_view> out;
  for (const DocLine& line : doc) {
    if (line.depth == 0 && line.word == word) {
      out.push_back(line.rest);
    }
  }
  return out;
}

std::pair<std::string_view, std::string_view> cut(std::string_view text, std::string_view at) {
  size_t found = text.find(at);
  return found == std::string_view::npos
             ? std::pair(text, std::string_view())
             : std::pair(text.substr(0, found), text.substr(found + at.size()));
}

void write_number(std::string_view digits, ReplyWriter& reply) {
  std::optional<int64_t> number = parse_integer(digits);
  CHECK_INVARIANT(number.has_value());
  reply.integer(*number);
}

// ---------------------------------------------------------------- COMMAND DOCS

struct Argument {
  std::string_view name;
  std::string_view type;
  std::string_view key_spec;
  std::string_view token;
  std::string_view since;
  std::string_view deprecated_since;
  std::vector<std::string_view> flags;
};

Argument parse_argument(std::string_view text) {
  std::vector<std::string_view> words = split(text, " ");
  CHECK_INVARIANT(words.size() >= 2);
  Argument out;
  out.name = words[0];
  out.type = words[1];
  for (std::string_view word : std::span(words).subspan(2)) {
    if (word.starts_with('#')) {
      out.key_spec = word.substr(1);
    } else if (word.starts_with("token=")) {
      out.token = word.substr(6);
    } else if (word.starts_with("since=")) {
      out.since = word.substr(6);
    } else if (word.starts_with("deprecated-since=")) {
      out.deprecated_since = word.substr(17);
    } else {
      out.flags.push_back(word == "multiple-token" ? "multiple_token" : word);
    }
  }
  return out;
}

void write_field(std::string_view name, std::string_view value, ReplyWriter& reply) {
  reply.bulk(name);
  reply.bulk(value);
}

void write_optional(std::string_view name, std::string_view value, ReplyWriter& reply) {
  if (!value.empty()) {
    write_field(name, value, reply);
  }
}

// The args among `lines` that are `depth` deep, each with those inside it.
void write_arguments(std::span<const DocLine> lines, size_t depth, ReplyWriter& reply) {
  auto is_own = [depth](const DocLine& line) { return line.depth == depth && line.word == "arg"; };
  reply.array(static_cast<size_t>(std::ranges::count_if(lines, is_own)));
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!is_own(lines[i])) {
      continue;
    }
    size_t end = i + 1;
    while (end < lines.size() && lines[end].depth > depth) {
      ++end;
    }
    std::span<const DocLine> inner = lines.subspan(i + 1, end - i - 1);
    Argument argument = parse_argument(lines[i].rest);
    auto one = [](bool there) { return there ? size_t{1} : size_t{0}; };
    reply.map(2 + one(!argument.key_spec.empty()) + one(!argument.token.empty()) +
              one(!argument.since.empty()) + one(!argument.deprecated_since.empty()) +
              one(!argument.flags.empty()) + one(!inner.empty()));
    write_field("name", argument.name, reply);
    write_field("type", argument.type, reply);
    if (!argument.key_spec.empty()) {
      reply.bulk("key_spec_index");
      write_number(argument.key_spec, reply);
    }
    write_optional("token", argument.token, reply);
    write_optional("since", argument.since, reply);
    write_optional("deprecated_since", argument.deprecated_since, reply);
    if (!argument.flags.empty()) {
      reply.bulk("flags");
      reply.set(argument.flags.size());
      for (std::string_view flag : argument.flags) {
        reply.simple(flag);
      }
    }
    if (!inner.empty()) {
      reply.bulk("arguments");
      write_arguments(inner, depth + 1, reply);
    }
  }
}

std::vector<const CommandSpec*> subcommands(const CommandSpec& container) {
  std::vector<const CommandSpec*> out;
  if ((container.flags & kContainer) != 0) {
    std::string prefix = std::string(container.name) + "|";
    for (const CommandSpec& row : all_commands()) {
      if (row.name.starts_with(prefix)) {
        out.push_back(&row);
      }
    }
  }
  return out;
}

void write_history(std::span<const std::string_view> entries, ReplyWriter& reply) {
  reply.bulk("history");
  reply.set(entries.size());
  for (std::string_view entry : entries) {
    auto [version, text] = cut(entry, " ");
    reply.array(2);
    reply.bulk(version);
    reply.bulk(text);
  }
}

// ---------------------------------------------------------------- COMMAND INFO

void write_flags(const CommandSpec& row, ReplyWriter& reply) {
  std::vector<std::string_view> names;
  if (row.is_data() && row.role != SessionRole::kPublish && (row.flags & kNeutral) == 0) {
    names.push_back(row.route == Route::kWrite ? "write" : "readonly");
  } else if ((row.flags & kCalledReadonly) != 0) {
    names.push_back("readonly");
  }
  for (const FlagName& flag : kFlagNames) {
    if ((row.flags & flag.bit) != 0) {
      names.push_back(flag.name);
    }
  }
  reply.set(names.size());
  for (std::string_view name : names) {
    reply.simple(name);
  }
}

// A type and its numbers, which have names.
void write_search(std::string_view title,
                  std::string_view type,
                  std::span<const std::string_view> names,
                  std::span<const int> numbers,
                  ReplyWriter& reply) {
  CHECK_INVARIANT(names.size() == numbers.size());
  reply.bulk(title);
  reply.map(2);
  write_field("type", type, reply);
  reply.bulk("spec");
  reply.map(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    reply.bulk(names[i]);
    reply.integer(numbers[i]);
  }
}

void write_begin(const KeySpec& key, ReplyWriter& reply) {
  constexpr std::string_view kTitle = "begin_search";
  constexpr std::string_view kIndex[] = {"index"};
  switch (key.begin) {
    case KeySpec::Begin::kIndex:
      return write_search(kTitle, "index", kIndex, std::span(&key.begin_at, 1), reply);
    case KeySpec::Begin::kUnknown:
      return write_search(kTitle, "unknown", {}, {}, reply);
    case KeySpec::Begin::kKeyword:
      break;
  }
  reply.bulk(kTitle);
  reply.map(2);
  write_field("type", "keyword", reply);
  reply.bulk("spec");
  reply.map(2);
  write_field("keyword", key.keyword, reply);
  reply.bulk("startfrom");
  reply.integer(key.begin_at);
}

void write_find(const KeySpec& key, ReplyWriter& reply) {
  constexpr std::string_view kTitle = "find_keys";
  constexpr std::string_view kRange[] = {"lastkey", "keystep", "limit"};
  constexpr std::string_view kCounted[] = {"keynumidx", "firstkey", "keystep"};
  switch (key.find) {
    case KeySpec::Find::kRange:
      return write_search(kTitle, "range", kRange, key.numbers, reply);
    case KeySpec::Find::kCounted:
      return write_search(kTitle, "keynum", kCounted, key.numbers, reply);
    case KeySpec::Find::kUnknown:
      return write_search(kTitle, "unknown", {}, {}, reply);
  }
}

void write_key_specs(std::span<const KeySpec> specs, ReplyWriter& reply) {
  reply.set(specs.size());
  for (const KeySpec& key : specs) {
    reply.map(key.notes.empty() ? 3 : 4);
    if (!key.notes.empty()) {
      write_field("notes", key.notes, reply);
    }
    reply.bulk("flags");
    write_key_flags(key.flags, reply);
    write_begin(key, reply);
    write_find(key, reply);
  }
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    auto [word, rest] = cut(text, separator);
    out.push_back(word);
    text = rest;
  }
  return out;
}

std::vector<DocLine> command_doc(const CommandSpec& row) {
  std::vector<DocLine> out;
  for (std::string_view line : split(row.text, "\n")) {
    if (line.empty()) {
      continue;
    }
    size_t indent = line.find_first_not_of(' ');
    auto [word, rest] = cut(line.substr(indent), " ");
    out.push_back({indent / 2, word, rest});
  }
  return out;
}

void write_key_flags(uint16_t flags, ReplyWriter& reply) {
  reply.set(static_cast<size_t>(std::popcount(flags)));
  for (size_t bit = 0; bit < std::size(kKeyFlagNames); ++bit) {
    if ((flags & (1u << bit)) != 0) {
      reply.simple(kKeyFlagNames[bit]);
    }
  }
}

std::span<const std::string_view> acl_names() { return kAclNames; }

void write_command_docs(const CommandSpec& spec, ReplyWriter& reply) {
  // Fields with one value, as a row names them and as the reply does.
  constexpr std::pair<std::string_view, std::string_view> kSimple[] = {
      {"summary", "summary"}, {"since", "since"}, {"group", "group"}, {"complexity", "complexity"}};
  constexpr std::pair<std::string_view, std::string_view> kDeprecated[] = {
      {"deprecated-since", "deprecated_since"}, {"replaced-by", "replaced_by"}};
  std::vector<DocLine> doc = command_doc(spec);
  std::vector<std::string_view> flags = values(doc, "flag");
  std::vector<std::string_view> history = values(doc, "history");
  std::vector<const CommandSpec*> inner = subcommands(spec);
  bool has_arguments = !values(doc, "arg").empty();
  size_t fields = (flags.empty() ? 0 : 1) + (history.empty() ? 0 : 1) + (inner.empty() ? 0 : 1) +
                  (has_arguments ? 1 : 0);
  for (const auto& [word, name] : kSimple) {
    fields += values(doc, word).size();
  }
  for (const auto& [word, name] : kDeprecated) {
    fields += values(doc, word).size();
  }
  reply.bulk(spec.name);
  reply.map(fields);
  auto write_all = [&](std::span<const std::pair<std::string_view, std::string_view>> names) {
    for (const auto& [word, name] : names) {
      for (std::string_view value : values(doc, word)) {
        write_field(name, value, reply);
      }
    }
  };
  write_all(kSimple);
  if (!flags.empty()) {
    reply.bulk("doc_flags");
    reply.set(flags.size());
    for (std::string_view flag : flags) {
      reply.simple(flag);
    }
  }
  write_all(kDeprecated);
  if (!history.empty()) {
    write_history(history, reply);
  }
  if (has_arguments) {
    reply.bulk("arguments");
    write_arguments(doc, 0, reply);
  }
  if (!inner.empty()) {
    reply.bulk("subcommands");
    reply.map(inner.size());
    for (const CommandSpec* row : inner) {
      write_command_docs(*row, reply);
    }
  }
}

void write_command_info(const CommandSpec& spec, ReplyWriter& reply) {
  std::vector<DocLine> doc = command_doc(spec);
  reply.array(10);
  reply.bulk(spec.name);
  reply.integer(spec.arity);
  write_flags(spec, reply);
  reply.integer(spec.first_key);
  reply.integer(spec.last_key);
  reply.integer(spec.key_step);
  std::vector<std::string> categories;
  for (size_t bit = 0; bit < std::size(kAclNames); ++bit) {
    if ((spec.acl_categories & (1u << bit)) != 0) {
      categories.push_back("@" + std::string(kAclNames[bit]));
    }
  }
  reply.set(categories.size());
  for (const std::string& category : categories) {
    reply.simple(category);
  }
  std::vector<std::string_view> tips = values(doc, "tip");
  reply.set(tips.size());
  for (std::string_view tip : tips) {
    reply.bulk(tip);
  }
  write_key_specs(spec.keys, reply);
  std::vector<const CommandSpec*> inner = subcommands(spec);
  if (inner.empty()) {
    reply.set(0);
    return;
  }
  reply.array(inner.size());
  for (const CommandSpec* row : inner) {
    write_command_info(*row, reply);
  }
}

}  // namespace kiwi::resp
