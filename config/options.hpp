// The options of a node: one typed field per row of options.def, read from the command line and
// the configuration file, shown and changed by CONFIG GET and CONFIG SET.
//
// main() parses once and hands copies of Options to whoever needs them; the copy that CONFIG SET
// changes belongs to the client loop. Rows without kRuntime never change, so any copy will do.
// Executor code (what apply runs) must not read an option: its results would differ by node (F35).
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/address.hpp"
#include "config/base/log.hpp"
#include "config/base/result.hpp"
#include "config/key_events.hpp"
#include "config/limits.hpp"
#include "config/setting.hpp"
#include "config/skip_entry.hpp"

namespace kiwi::config {

enum class Bootstrap : uint8_t { kAuto, kManual };
enum class IoEngine : uint8_t { kAuto, kEpoll, kUring };
enum class PeerTls : uint8_t { kNo, kPrefer, kYes };  // of links between nodes
enum class StateEngine : uint8_t { kPlain, kTable };
enum class TlsAuthClients : uint8_t { kNo, kYes, kOptional };         // who shows a certificate
enum class TlsUserOf : uint8_t { kOff, kCommonName };                 // whom a certificate logs in
enum class DebugAccess : uint8_t { kNo, kYes, kLocal };               // who may say DEBUG
enum class PubSubDefault : uint8_t { kResetChannels, kAllChannels };  // acl-pubsub-default
enum class Dialect : uint8_t { kKiwi, kRedisRaft };
enum class RoleShown : uint8_t { kAuto, kAny, kAnnounced };

struct OutputBufferLimit {
  int64_t hard_bytes = 0;  // 0 = none, for each of the three
  int64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
  bool operator==(const OutputBufferLimit&) const = default;
};
// Redis leaves normal clients unlimited; Kiwi does not (memory is always bounded).
struct OutputBufferLimits {
  OutputBufferLimit normal{1LL << 30, 256LL << 20, 60};
  OutputBufferLimit slave{256LL << 20, 64LL << 20, 60};
  OutputBufferLimit pubsub{32LL << 20, 8LL << 20, 60};
  bool operator==(const OutputBufferLimits&) const = default;
};

// Bytes, or percents of the memory that this machine (or its cgroup) has; 0 bytes = no limit.
struct MemoryShare {
  int64_t bytes = 0;
  int64_t percent = 0;

  uint64_t of(uint64_t machine_bytes) const {
    return percent == 0 ? static_cast<uint64_t>(bytes)
                        : machine_bytes / 100 * static_cast<uint64_t>(percent);
  }
  bool operator==(const MemoryShare&) const = default;
};

// latency-tracking-info-percentiles: each from 0 to 100.
struct Percentiles {
  std::vector<double> values;

  bool operator==(const Percentiles&) const = default;
};
// As CONFIG GET and INFO write one.
std::string percentile_text(double value);

std::vector<std::string> default_bind();  // 127.0.0.1 -::1

enum OptionFlags : uint32_t {
  kRuntime = 1,
  kHidden = 2,
  kSecret = 4,
  kFixed = 8,
  kCluster = 16,
  kProtected = 32,  // changed only where enable-protected-configs lets it
  kAlias = 64,
};
// A kCluster row's flags also hold the cluster version that brought it (version.hpp).
inline constexpr unsigned kBroughtByShift = 16;
constexpr uint32_t since_version(uint32_t version) { return version << kBroughtByShift; }
constexpr uint32_t brought_by(uint32_t flags) { return flags >> kBroughtByShift; }

// The names of options that a file or the command line gave. What was given is no difference
// between options.
struct GivenNames {
  std::set<std::string, std::less<>> names;
  bool operator==(const GivenNames&) const { return true; }
};

struct Options {
#define SECTION(title)
#define ALIAS(field, Type, name, flags, doc)
#define INTEGER(field, name, value, min, max, flags, doc) int64_t field = value;
#define MEMORY(field, name, value, min, max, flags, doc) int64_t field = value;
#define BOOLEAN(field, name, value, flags, doc) bool field = value;
#define TEXT(field, name, value, flags, doc) std::string field = value;
#define CUSTOM(field, Type, name, value, flags, doc) Type field = value;
#define FIXED(name, value, doc)
#include "config/options.def"
#undef SECTION
#undef INTEGER
#undef MEMORY
#undef BOOLEAN
#undef TEXT
#undef CUSTOM
#undef ALIAS
#undef FIXED

  GivenNames given;
  bool was_given(std::string_view name) const { return given.names.contains(name); }

  std::string config_file;  // absolute path of the file that was read; empty without one
  // Lines "user NAME RULE...", without the first word (resp/acl/file.hpp).
  std::vector<std::vector<std::string>> users;
  // rename-command: the command and its new name, both in lower case; empty: it has none.
  std::vector<std::pair<std::string, std::string>> renamed;
  // Options of a Redis command line that mean nothing here ("loadmodule x.so"), to be logged.
  std::vector<std::string> ignored;
  std::vector<std::string> adapted;  // by apply_dialect(), to be logged
  // Not empty: --help, --version or --print-config asked for this text; print it and exit 0.
  std::string text_to_print;
  std::string restore;  // --restore: the backup to make a data directory of, instead of running
  std::string import;   // --import: the same of an RDB file of Redis
  bool import_skip_unsupported = false;  // what cannot be held is left out and named

  // What the defaults mean for this node.
  NodeId node_id() const { return NodeId{raft_id == 0 ? 1 : static_cast<uint64_t>(raft_id)}; }
  uint16_t peer_port() const;             // the port to listen on for peers
  uint16_t web_port() const;              // the port to listen on for HTTP; 0: none
  uint64_t log_cache_bytes() const;       // raft.log-max-cache-size
  uint64_t log_file_bytes() const;        // raft.log-max-file-size
  uint64_t append_message_bytes() const;  // raft.append-req-max-size
  uint32_t append_messages() const;       // raft.append-req-max-count
  HostPort client_address() const;  // told to clients and peers (MOVED, Member.client_address)
  // The same for clients that speak TLS; empty: none can.
  std::string tls_client_address() const;
  // Of the one port that is always there: port, or tls-port if that is 0.
  int64_t main_port() const { return port != 0 ? port : tls_port; }
  HostPort peer_address() const;  // told to peers (Member.peer_address)

  bool operator==(const Options&) const = default;
};

// kiwi-server [file] [--name value ...]. Later settings win over earlier ones, the command line
// over the file. An error is one sentence: where, what, and what would be allowed.
Result<Options> parse_command_line(int argc, const char* const* argv);

// What the dialect means for options that were not given, and for times that RedisRaft takes and
// this server does not; parse_command_line() calls it before validate(). Sentences for the log.
std::vector<std::string> apply_dialect(Options& options);

// Checks that concern several options at once; parse_command_line() calls it.
Result<void> validate(const Options& options);

// CONFIG GET: name and value of every option that a pattern matches, each once, in table order.
std::vector<std::pair<std::string, std::string>> get(const Options& options,
                                                     std::span<const std::string_view> patterns);

// CONFIG SET name value [name value ...]: all or none. The error is Redis 7.0's text without its
// first word ERR. The caller puts what changed into force (log level, idle timeout, ...).
Result<void> set(Options& options, std::span<const std::string_view> names_and_values);

// The first of CONFIG SET's names that is a kProtected one, as options.def spells it; empty: none
// is.
std::string_view protected_option(std::span<const std::string_view> names_and_values);

// CONFIG REWRITE: the text of the file that was read, as it is now, with these options.
std::string rewritten_config(std::string_view file, const Options& options);

// The names of all options in table order, hidden and fixed ones included.
std::vector<std::string_view> option_names();

// The text of config/kiwi.conf (--print-config).
std::string sample_config();
std::string help_text();

}  // namespace kiwi::config
