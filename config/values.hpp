// How an option's value is read from text and written as text, one overload per type; used by the
// table in options.cpp only. A parser leaves its target alone when it fails.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"

namespace kiwi::config {

// Why a value was refused, in the words of Redis 7.0 where Redis has them (CONFIG SET shows it);
// nullopt = taken.
using Refusal = std::optional<std::string>;

Refusal parse_integer(std::string_view text, int64_t min, int64_t max, int64_t& out);
Refusal parse_memory(std::string_view text, int64_t min, int64_t max, int64_t& out);
Refusal parse_value(std::string_view text, bool& out);
Refusal parse_value(std::string_view text, std::string& out);
Refusal parse_value(std::string_view text, LogFormat& out);
Refusal parse_value(std::string_view text, LogLevel& out);
Refusal parse_value(std::string_view text, IoEngine& out);
Refusal parse_value(std::string_view text, Bootstrap& out);
Refusal parse_value(std::string_view text, PeerTls& out);
Refusal parse_value(std::string_view text, StateEngine& out);
Refusal parse_value(std::string_view text, DebugAccess& out);
Refusal parse_value(std::string_view text, TlsAuthClients& out);
Refusal parse_value(std::string_view text, TlsUserOf& out);
Refusal parse_value(std::string_view text, PubSubDefault& out);
Refusal parse_value(std::string_view text, Dialect& out);
Refusal parse_value(std::string_view text, RoleShown& out);
Refusal parse_value(std::string_view text, SkipEntry& out);
Refusal parse_value(std::string_view text, KeyEventChoice& out);
Refusal parse_value(std::string_view text, std::vector<std::string>& out);
Refusal parse_value(std::string_view text, OutputBufferLimits& out);
Refusal parse_value(std::string_view text, MemoryShare& out);
Refusal parse_value(std::string_view text, Percentiles& out);
Refusal parse_value(std::string_view text, std::vector<PeerAddress>& out);

std::string format_value(int64_t value);
std::string format_value(bool value);
std::string format_value(const std::string& value);
std::string format_value(LogFormat value);
std::string format_value(LogLevel value);
std::string format_value(IoEngine value);
std::string format_value(Bootstrap value);
std::string format_value(PeerTls value);
std::string format_value(StateEngine value);
std::string format_value(DebugAccess value);
std::string format_value(TlsAuthClients value);
std::string format_value(TlsUserOf value);
std::string format_value(PubSubDefault value);
std::string format_value(Dialect value);
std::string format_value(RoleShown value);
std::string format_value(const SkipEntry& value);
std::string format_value(const KeyEventChoice& value);
std::string format_value(const std::vector<std::string>& value);
std::string format_value(const OutputBufferLimits& value);
std::string format_value(const MemoryShare& value);
std::string format_value(const Percentiles& value);
std::string format_value(const std::vector<PeerAddress>& value);

// 1048576 -> 1mb: the shortest exact form with a binary unit.
std::string format_memory(int64_t bytes);

// What a start-up error says is allowed: "yes or no".
std::string describe_integer(int64_t min, int64_t max);
std::string describe_memory(int64_t min, int64_t max);
std::string describe(const bool*);
std::string describe(const std::string*);
std::string describe(const LogFormat*);
std::string describe(const LogLevel*);
std::string describe(const IoEngine*);
std::string describe(const Bootstrap*);
std::string describe(const PeerTls*);
std::string describe(const StateEngine*);
std::string describe(const DebugAccess*);
std::string describe(const TlsAuthClients*);
std::string describe(const TlsUserOf*);
std::string describe(const PubSubDefault*);
std::string describe(const Dialect*);
std::string describe(const RoleShown*);
std::string describe(const SkipEntry*);
std::string describe(const KeyEventChoice*);
std::string describe(const std::vector<std::string>*);
std::string describe(const OutputBufferLimits*);
std::string describe(const MemoryShare*);
std::string describe(const Percentiles*);
std::string describe(const std::vector<PeerAddress>*);

// May the value be given as several words (bind a b)? Others refuse a second word.
constexpr bool takes_many_words(const void*) { return false; }
constexpr bool takes_many_words(const std::vector<std::string>*) { return true; }
constexpr bool takes_many_words(const OutputBufferLimits*) { return true; }
constexpr bool takes_many_words(const Percentiles*) { return true; }

std::string lower_case(std::string_view text);
std::vector<std::string_view> split_words(std::string_view text);  // at spaces and tabs

}  // namespace kiwi::config
