#include "config/values.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace kiwi::config {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLogLevels{{
    {"debug", LogLevel::kDebug},
    {"verbose", LogLevel::kVerbose},
    {"notice", LogLevel::kNotice},
    {"warning", LogLevel::kWarning},
}};
constexpr std::array<std::pair<std::string_view, LogFormat>, 2> kLogFormats{{
    {"text", LogFormat::kText},
    {"json", LogFormat::kJson},
}};
constexpr std::array<std::pair<std::string_view, IoEngine>, 3> kIoEngines{{
    {"auto", IoEngine::kAuto},
    {"epoll", IoEngine::kEpoll},
    {"uring", IoEngine::kUring},
}};
constexpr std::array<std::pair<std::string_view, StateEngine>, 2> kStateEngines{{
    {"plain", StateEngine::kPlain},
    {"table", StateEngine::kTable},
}};
constexpr std::array<std::pair<std::string_view, PeerTls>, 3> kPeerTls{{
    {"no", PeerTls::kNo},
    {"prefer", PeerTls::kPrefer},
    {"yes", PeerTls::kYes},
}};
constexpr std::array<std::pair<std::string_view, Bootstrap>, 2> kBootstraps{{
    {"auto", Bootstrap::kAuto},
    {"manual", Bootstrap::kManual},
}};

constexpr std::array<std::pair<std::string_view, DebugAccess>, 3> kDebugAccesses{{
    {"no", DebugAccess::kNo},
    {"yes", DebugAccess::kYes},
    {"local", DebugAccess::kLocal},
}};

constexpr std::array<std::pair<std::string_view, TlsAuthClients>, 3> kTlsAuthClients{{
    {"no", TlsAuthClients::kNo},
    {"yes", TlsAuthClients::kYes},
    {"optional", TlsAuthClients::kOptional},
}};
constexpr std::array<std::pair<std::string_view, TlsUserOf>, 2> kTlsUsersOf{{
    {"off", TlsUserOf::kOff},
    {"CN", TlsUserOf::kCommonName},
}};

constexpr std::array<std::pair<std::string_view, PubSubDefault>, 2> kPubSubDefaults{{
    {"resetchannels", PubSubDefault::kResetChannels},
    {"allchannels", PubSubDefault::kAllChannels},
}};

constexpr std::array<std::pair<std::string_view, Dialect>, 2> kDialects{{
    {"kiwi", Dialect::kKiwi},
    {"redisraft", Dialect::kRedisRaft},
}};

constexpr std::array<std::pair<std::string_view, RoleShown>, 3> kRolesShown{{
    {"auto", RoleShown::kAuto},
    {"any", RoleShown::kAny},
    {"announced", RoleShown::kAnnounced},
}};

// Below it the node would close clients for being there.
constexpr int64_t kMemoryShareMin = 1LL << 20;
constexpr size_t kPercentiles = 100;  // that INFO tells for each command

std::optional<int64_t> to_integer(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// Redis' units: k, m, g are powers of 1000, kb, mb, gb of 1024.
std::optional<int64_t> to_bytes(std::string_view text) {
  size_t digits = text.find_first_not_of("0123456789");
  std::string unit = lower_case(digits == std::string_view::npos ? "" : text.substr(digits));
  std::optional<int64_t> number = to_integer(text.substr(0, digits));
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"", 1},          {"b", 1},          {"k", 1000},          {"kb", 1LL << 10},
      {"m", 1'000'000}, {"mb", 1LL << 20}, {"g", 1'000'000'000}, {"gb", 1LL << 30}};
  for (auto [name, factor] : kUnits) {
    int64_t bytes = 0;
    if (unit == name && number && !__builtin_mul_overflow(*number, factor, &bytes)) {
      return bytes;
    }
  }
  return std::nullopt;
}

Refusal in_range(int64_t value, int64_t min, int64_t max, int64_t& out) {
  if (value < min || value > max) {
    return "argument must be between " + std::to_string(min) + " and " + std::to_string(max) +
           " inclusive";
  }
  out = value;
  return std::nullopt;
}

template <class Names, class T>
Refusal parse_enum(std::string_view text, const Names& names, T& out) {
  std::string list;
  std::string wanted = lower_case(text);
  for (const auto& [name, value] : names) {
    if (lower_case(name) == wanted) {
      out = value;
      return std::nullopt;
    }
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  return "argument(s) must be one of the following: " + list;
}

template <class Names, class T>
std::string enum_name(const Names& names, T wanted) {
  for (const auto& [name, value] : names) {
    if (value == wanted) {
      return std::string(name);
    }
  }
  return {};
}

template <class Names>
std::string describe_enum(const Names& names) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    list += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
    list += names[i].first;
  }
  return list;
}

std::string format_limit(const OutputBufferLimit& limit) {
  return std::to_string(limit.hard_bytes) + " " + std::to_string(limit.soft_bytes) + " " +
         std::to_string(limit.soft_seconds);
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) {
      return words;
    }
    text.remove_prefix(start);
    words.push_back(text.substr(0, text.find_first_of(" \t")));
    text.remove_prefix(words.back().size());
  }
}

Refusal parse_integer(std::string_view text, int64_t min, int64_t max, int64_t& out) {
  std::optional<int64_t> value = to_integer(text);
  return value ? in_range(*value, min, max, out)
               : Refusal("argument couldn't be parsed into an integer");
}

Refusal parse_memory(std::string_view text, int64_t min, int64_t max, int64_t& out) {
  std::optional<int64_t> value = to_bytes(text);
  return value ? in_range(*value, min, max, out) : Refusal("argument must be a memory value");
}

Refusal parse_value(std::string_view text, bool& out) {
  std::string word = lower_case(text);
  if (word != "yes" && word != "no") {
    return "argument must be 'yes' or 'no'";
  }
  out = word == "yes";
  return std::nullopt;
}

Refusal parse_value(std::string_view text, std::string& out) {
  out = text;
  return std::nullopt;
}

Refusal parse_value(std::string_view text, LogFormat& out) {
  return parse_enum(text, kLogFormats, out);
}

Refusal parse_value(std::string_view text, LogLevel& out) {
  return parse_enum(text, kLogLevels, out);
}

Refusal parse_value(std::string_view text, IoEngine& out) {
  return parse_enum(text, kIoEngines, out);
}

Refusal parse_value(std::string_view text, SkipEntry& out) {
  if (text.empty()) {
    out = {};
    return std::nullopt;
  }
  SkipEntry value;
  const size_t colon = text.find(':');
  const std::string_view index = text.substr(0, colon);
  const std::string_view checksum =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  auto read = [](std::string_view digits, int base, uint64_t& number) {
    const char* end = digits.data() + digits.size();
    const auto [stop, failed] = std::from_chars(digits.data(), end, number, base);
    return failed == std::errc() && stop == end;
  };
  if (!read(index, 10, value.index) || value.index == 0 || checksum.size() != 16 ||
      !read(checksum, 16, value.checksum)) {
    return "argument must be " + describe(&value);
  }
  out = value;
  return std::nullopt;
}

Refusal parse_value(std::string_view text, KeyEventChoice& out) {
  const std::optional<KeyEvents> events = parse_key_events(text);
  if (!events) {
    return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
  }
  out.events = *events;
  return std::nullopt;
}

Refusal parse_value(std::string_view text, Bootstrap& out) {
  return parse_enum(text, kBootstraps, out);
}

Refusal parse_value(std::string_view text, PeerTls& out) { return parse_enum(text, kPeerTls, out); }

Refusal parse_value(std::string_view text, StateEngine& out) {
  return parse_enum(text, kStateEngines, out);
}

Refusal parse_value(std::string_view text, DebugAccess& out) {
  return parse_enum(text, kDebugAccesses, out);
}
Refusal parse_value(std::string_view text, TlsAuthClients& out) {
  return parse_enum(text, kTlsAuthClients, out);
}
Refusal parse_value(std::string_view text, TlsUserOf& out) {
  return parse_enum(text, kTlsUsersOf, out);
}

Refusal parse_value(std::string_view text, PubSubDefault& out) {
  return parse_enum(text, kPubSubDefaults, out);
}

Refusal parse_value(std::string_view text, RoleShown& out) {
  return parse_enum(text, kRolesShown, out);
}

Refusal parse_value(std::string_view text, Dialect& out) {
  return parse_enum(text, kDialects, out);
}

Refusal parse_value(std::string_view text, std::vector<std::string>& out) {
  std::vector<std::string> addresses;
  for (std::string_view word : split_words(text)) {
    addresses.emplace_back(word);
  }
  if (addresses.empty()) {
    return "at least one address is needed";
  }
  out = std::move(addresses);
  return std::nullopt;
}

Refusal parse_value(std::string_view text, OutputBufferLimits& out) {
  std::vector<std::string_view> words = split_words(text);
  if (words.empty() || words.size() % 4 != 0) {
    return "Wrong number of arguments in buffer limit configuration.";
  }
  OutputBufferLimits limits = out;  // classes that are not named keep what they have
  for (size_t i = 0; i < words.size(); i += 4) {
    std::string name = lower_case(words[i]);
    OutputBufferLimit* target = name == "normal"                       ? &limits.normal
                                : name == "slave" || name == "replica" ? &limits.slave
                                : name == "pubsub"                     ? &limits.pubsub
                                                                       : nullptr;
    if (target == nullptr) {
      return "Invalid client class specified in buffer limit configuration.";
    }
    std::optional<int64_t> hard = to_bytes(words[i + 1]);
    std::optional<int64_t> soft = to_bytes(words[i + 2]);
    std::optional<int64_t> seconds = to_integer(words[i + 3]);
    if (!hard || !soft || !seconds || *seconds < 0) {
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    *target = {*hard, *soft, *seconds};
  }
  out = limits;
  return std::nullopt;
}

Refusal parse_value(std::string_view text, MemoryShare& out) {
  const bool percent = text.ends_with('%');
  std::optional<int64_t> number =
      percent ? to_integer(text.substr(0, text.size() - 1)) : to_bytes(text);
  if (!number || *number < 0 || (percent && (*number == 0 || *number > 100)) ||
      (!percent && *number != 0 && *number < kMemoryShareMin)) {
    return "argument must be a memory or percent value";
  }
  out = percent ? MemoryShare{0, *number} : MemoryShare{*number, 0};
  return std::nullopt;
}

Refusal parse_value(std::string_view text, Percentiles& out) {
  Percentiles read;
  for (const std::string_view word : split_words(text)) {
    const std::string number(word);
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (end != number.c_str() + number.size() || std::isnan(value)) {
      return "Invalid latency-tracking-info-percentiles parameters";
    }
    if (value < 0 || value > 100) {
      return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    }
    read.values.push_back(value);
  }
  if (read.values.size() > kPercentiles) {
    return "latency-tracking-info-percentiles has too many parameters";
  }
  out = std::move(read);
  return std::nullopt;
}

Refusal parse_value(std::string_view text, std::vector<PeerAddress>& out) {
  Result<std::vector<PeerAddress>> peers = parse_peers(text);
  if (!peers) {
    return peers.error().text;
  }
  out = std::move(*peers);
  return std::nullopt;
}

std::string format_value(int64_t value) { return std::to_string(value); }
std::string format_value(bool value) { return value ? "yes" : "no"; }
std::string format_value(const std::string& value) { return value; }
std::string format_value(LogFormat value) { return enum_name(kLogFormats, value); }
std::string format_value(LogLevel value) { return enum_name(kLogLevels, value); }
std::string option_text(const SkipEntry& value) {
  if (value.index == 0) {
    return {};
  }
  char checksum[17];
  std::snprintf(checksum, sizeof(checksum), "%016llx",
                static_cast<unsigned long long>(value.checksum));
  return std::to_string(value.index) + ":" + checksum;
}
std::string format_value(IoEngine value) { return enum_name(kIoEngines, value); }
std::string format_value(const SkipEntry& value) { return option_text(value); }
std::string format_value(Bootstrap value) { return enum_name(kBootstraps, value); }
std::string format_value(PeerTls value) { return enum_name(kPeerTls, value); }
std::string format_value(StateEngine value) { return enum_name(kStateEngines, value); }
std::string format_value(DebugAccess value) { return enum_name(kDebugAccesses, value); }
std::string format_value(TlsAuthClients value) { return enum_name(kTlsAuthClients, value); }
std::string format_value(TlsUserOf value) { return enum_name(kTlsUsersOf, value); }
std::string format_value(PubSubDefault value) { return enum_name(kPubSubDefaults, value); }
std::string format_value(Dialect value) { return enum_name(kDialects, value); }
std::string format_value(RoleShown value) { return enum_name(kRolesShown, value); }
std::string format_value(const std::vector<PeerAddress>& value) { return format_peers(value); }

std::string format_value(const std::vector<std::string>& value) {
  std::string out;
  for (const std::string& word : value) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

std::string format_value(const KeyEventChoice& value) { return format_key_events(value.events); }

std::string format_value(const OutputBufferLimits& value) {
  return "normal " + format_limit(value.normal) + " slave " + format_limit(value.slave) +
         " pubsub " + format_limit(value.pubsub);
}

std::string format_value(const MemoryShare& value) {
  return value.percent != 0 ? std::to_string(value.percent) + "%" : std::to_string(value.bytes);
}

std::string format_memory(int64_t bytes) {
  constexpr std::pair<int64_t, const char*> kUnits[] = {
      {1LL << 30, "gb"}, {1LL << 20, "mb"}, {1LL << 10, "kb"}};
  for (auto [factor, unit] : kUnits) {
    if (bytes != 0 && bytes % factor == 0) {
      return std::to_string(bytes / factor) + unit;
    }
  }
  return std::to_string(bytes);
}

std::string describe_integer(int64_t min, int64_t max) {
  return "a whole number from " + std::to_string(min) +
         (max == INT64_MAX ? " on" : " to " + std::to_string(max));
}
std::string describe_memory(int64_t min, int64_t max) {
  return "bytes, with a unit or without (k, kb, m, mb, g, gb), at least " + format_memory(min) +
         (max == INT64_MAX ? "" : " and at most " + format_memory(max));
}
std::string describe(const bool*) { return "yes or no"; }
std::string describe(const std::string*) { return "one word, or text in quotes"; }
std::string describe(const LogFormat*) { return describe_enum(kLogFormats); }
std::string describe(const LogLevel*) { return describe_enum(kLogLevels); }
std::string describe(const IoEngine*) { return describe_enum(kIoEngines); }
std::string describe(const SkipEntry*) {
  return "index:checksum as the node's last words gave it, like 4711:00c0ffee00c0ffee";
}
std::string describe(const KeyEventChoice*) {
  return "none or some of the letters Ag$lshzxeKEtmdn, as in Redis";
}
std::string describe(const Bootstrap*) { return describe_enum(kBootstraps); }
std::string describe(const PeerTls*) { return describe_enum(kPeerTls); }
std::string describe(const StateEngine*) { return describe_enum(kStateEngines); }
std::string describe(const DebugAccess*) { return describe_enum(kDebugAccesses); }
std::string describe(const TlsAuthClients*) { return describe_enum(kTlsAuthClients); }
std::string describe(const TlsUserOf*) { return describe_enum(kTlsUsersOf); }
std::string describe(const PubSubDefault*) { return describe_enum(kPubSubDefaults); }
std::string describe(const Dialect*) { return describe_enum(kDialects); }
std::string describe(const RoleShown*) { return describe_enum(kRolesShown); }
std::string describe(const std::vector<std::string>*) {
  return "addresses, such as 127.0.0.1 -::1";
}
std::string describe(const OutputBufferLimits*) {
  return "<normal|slave|pubsub> <hard limit> <soft limit> <soft seconds>, maybe repeated";
}
std::string percentile_text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.15g", value);
  return text;
}

std::string format_value(const Percentiles& value) {
  std::string text;
  for (const double one : value.values) {
    text += text.empty() ? "" : " ";
    text += percentile_text(one);
  }
  return text;
}

std::string describe(const Percentiles*) { return "numbers from 0 to 100"; }

std::string describe(const MemoryShare*) {
  return "0, or bytes, with a unit or without (k, kb, m, mb, g, gb), at least " +
         format_memory(kMemoryShareMin) + ", or 1% to 100%";
}
std::string describe(const std::vector<PeerAddress>*) {
  return "id@host:port[/peerhost:peerport], separated by commas";
}

}  // namespace kiwi::config
