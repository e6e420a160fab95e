#include "config/options.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "config/base/glob.hpp"
#include "config/options_table.hpp"

namespace kiwi::config {
namespace {

Refusal parse_fixed(std::string_view text, std::string_view only) {
  if (lower_case(text) == lower_case(only)) {
    return std::nullopt;
  }
  return "can't set immutable config";
}

std::string only_value(std::string_view value) {
  std::string text = "only '";
  text.append(value).append("'");
  return text;
}

// Integers and byte counts are both int64_t: their rows name parser and bounds themselves.
#define ROW(field, name, flags, doc, many, parse_call, sample_call, allowed_call)    \
  OptionRow{name,                                                                    \
            doc,                                                                     \
            flags,                                                                   \
            many,                                                                    \
            [](Options& o, std::string_view text) -> Refusal { return parse_call; }, \
            [](const Options& o) -> std::string { return format_value(o.field); },   \
            [](const Options& o) -> std::string { return sample_call; },             \
            []() -> std::string { return allowed_call; }},
#define SECTION(title) OptionRow{.name = "", .doc = title},
#define INTEGER(field, name, value, min, max, flags, doc)                     \
  ROW(field, name, flags, doc, false, parse_integer(text, min, max, o.field), \
      format_value(o.field), describe_integer(min, max))
#define MEMORY(field, name, value, min, max, flags, doc)                     \
  ROW(field, name, flags, doc, false, parse_memory(text, min, max, o.field), \
      format_memory(o.field), describe_memory(min, max))
#define CUSTOM(field, Type, name, value, flags, doc)                                \
  ROW(field, name, flags, doc, takes_many_words(static_cast<const Type*>(nullptr)), \
      parse_value(text, o.field), format_value(o.field),                            \
      describe(static_cast<const Type*>(nullptr)))
#define BOOLEAN(field, name, value, flags, doc) CUSTOM(field, bool, name, value, flags, doc)
#define TEXT(field, name, value, flags, doc) CUSTOM(field, std::string, name, value, flags, doc)
#define ALIAS(field, Type, name, flags, doc)                                           \
  ROW(field, name, (flags) | kAlias | kHidden, doc,                                    \
      takes_many_words(static_cast<const Type*>(nullptr)), parse_value(text, o.field), \
      format_value(o.field), describe(static_cast<const Type*>(nullptr)))
#define FIXED(name, value, doc)                                                                  \
  OptionRow{name,                                                                                \
            doc,                                                                                 \
            kFixed | kHidden,                                                                    \
            false,                                                                               \
            [](Options&, std::string_view text) -> Refusal { return parse_fixed(text, value); }, \
            [](const Options&) -> std::string { return value; },                                 \
            [](const Options&) -> std::string { return value; },                                 \
            []() -> std::string { return only_value(value); }},

constexpr auto kRows = std::to_array<OptionRow>({
#include "config/options.def"
});

std::string failed(std::string_view name, std::string_view why) {
  return "CONFIG SET failed (possibly related to argument '" + std::string(name) + "') - " +
         std::string(why);
}

Error invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// What CONFIG SET checks before it looks at any value.
Result<void> check_names(std::span<const std::string_view> words) {
  for (size_t i = 0; i < words.size(); i += 2) {
    if (find_option(words[i]) == nullptr) {
      return invalid("Unknown option or number of arguments for CONFIG SET - '" +
                     std::string(words[i]) + "'");
    }
  }
  for (size_t i = 0; i < words.size(); i += 2) {
    const OptionRow* row = find_option(words[i]);
    if ((row->flags & kRuntime) == 0) {
      return invalid(failed(words[i], "can't set immutable config"));
    }
    for (size_t j = 0; j < i; j += 2) {
      if (find_option(words[j]) == row) {
        return invalid(failed(words[i], "duplicate parameter"));
      }
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> default_bind() { return {"127.0.0.1", "-::1"}; }

std::span<const OptionRow> option_rows() { return kRows; }

const OptionRow* find_option(std::string_view name) {
  std::string wanted = lower_case(name);
  for (const OptionRow& row : kRows) {
    if (!row.name.empty() && row.name == wanted) {
      return &row;
    }
  }
  return nullptr;
}

std::string nearest_option(std::string_view name) {
  std::string wanted = lower_case(name);
  std::string_view best;
  size_t best_distance = std::min<size_t>(4, wanted.size() / 2 + 1);
  for (const OptionRow& row : kRows) {
    // raft. is easily forgotten: it costs nothing.
    size_t distance = row.name.substr(0, 5) == "raft." && row.name.substr(5) == wanted
                          ? 0
                          : edit_distance(wanted, row.name);
    if (!row.name.empty() && distance < best_distance) {
      best_distance = distance;
      best = row.name;
    }
  }
  return std::string(best);
}

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  for (const OptionRow& row : kRows) {
    if (!row.name.empty()) {
      names.push_back(row.name);
    }
  }
  return names;
}

std::string_view protected_option(std::span<const std::string_view> names_and_values) {
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const OptionRow* row = find_option(names_and_values[i]);
    if (row != nullptr && (row->flags & kProtected) != 0) {
      return row->name;
    }
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> get(const Options& options,
                                                     std::span<const std::string_view> patterns) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const OptionRow& row : kRows) {
    auto asked = [&row](std::string_view pattern) {
      bool glob = pattern.find_first_of("*?[") != std::string_view::npos;
      return glob ? (row.flags & (kHidden | kFixed)) != kHidden &&
                        glob_match(pattern, row.name, /*ignore_case=*/true)
                  : pattern.size() == row.name.size() && lower_case(pattern) == row.name;
    };
    if (row.name.empty() || !std::ranges::any_of(patterns, asked)) {
      continue;
    }
    std::string value = row.print(options);
    bool masked = (row.flags & kSecret) != 0 && !value.empty();
    out.emplace_back(row.name, masked ? "********" : std::move(value));
  }
  return out;
}

Result<void> set(Options& options, std::span<const std::string_view> names_and_values) {
  if (names_and_values.empty() || names_and_values.size() % 2 != 0) {
    return invalid("syntax error");
  }
  if (Result<void> names = check_names(names_and_values); !names) {
    return names;
  }
  Options changed = options;
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const OptionRow* row = find_option(names_and_values[i]);
    if (Refusal refusal = row->parse(changed, names_and_values[i + 1])) {
      return invalid(failed(names_and_values[i], *refusal));
    }
  }
  options = std::move(changed);
  return {};
}

// Of sizes as RedisRaft takes them what a node can live with.
uint64_t Options::log_cache_bytes() const {
  constexpr int64_t kLeast = 64 * limits::kKiB;
  const int64_t bytes = raft_log_max_cache_size;
  return static_cast<uint64_t>(bytes == 0 ? Options{}.raft_log_max_cache_size
                                          : std::max(bytes, kLeast));
}

uint64_t Options::log_file_bytes() const {
  return static_cast<uint64_t>(raft_log_max_file_size == 0 ? INT64_MAX : raft_log_max_file_size);
}

uint64_t Options::append_message_bytes() const {
  constexpr int64_t kMost = 64 * limits::kMiB;
  return static_cast<uint64_t>(std::min(raft_append_req_max_size, kMost));
}

uint32_t Options::append_messages() const {
  constexpr int64_t kMost = 1024;
  return static_cast<uint32_t>(std::min(raft_append_req_max_count, kMost));
}

uint16_t Options::peer_port() const {
  return static_cast<uint16_t>(raft_peer_port != 0 ? raft_peer_port
                                                   : main_port() + kPeerPortOffset);
}

uint16_t Options::web_port() const {
  if (http_port >= 0) {
    return static_cast<uint16_t>(http_port);
  }
  const int64_t chosen = main_port() + kHttpPortOffset;
  // A port that others were given to is theirs.
  const bool taken = chosen == peer_port() || chosen == tls_port || chosen == cluster_client_port ||
                     chosen == sentinel_port;
  return chosen > UINT16_MAX || taken ? 0 : static_cast<uint16_t>(chosen);
}

HostPort Options::client_address() const {
  if (!raft_addr.empty()) {
    if (Result<HostPort> address = parse_host_port(raft_addr); address) {
      return *address;
    }
  }
  for (const PeerAddress& peer : raft_peers) {
    if (peer.id == node_id()) {
      return peer.client;
    }
  }
  std::string host = bind.empty() ? "127.0.0.1" : bind.front();
  host.erase(0, host.starts_with('-') ? 1 : 0);
  bool any = host == "*" || host == "0.0.0.0" || host == "::*" || host == "::";
  return {any ? "127.0.0.1" : host, static_cast<uint16_t>(main_port())};
}

std::string Options::tls_client_address() const {
  if (tls_port == 0) {
    return {};
  }
  if (!raft_tls_addr.empty()) {
    return raft_tls_addr;
  }
  return HostPort{client_address().host, static_cast<uint16_t>(tls_port)}.text();
}

HostPort Options::peer_address() const {
  for (const PeerAddress& peer : raft_peers) {
    if (peer.id == node_id()) {
      return peer.peer;
    }
  }
  return {client_address().host, peer_port()};
}

}  // namespace kiwi::config
