// The bytes of commands on their way: from the session through the router into a log entry, the
// same bytes everywhere: encoded once. ON DISK inside log entries: frozen by golden bytes.
//
//   batch   := version:u8 (=1) count:varint (size:varint command)*count
//   command := kind:u8 database:varint body
//   plain        (kind 1) argc:varint (size:varint bytes)*argc
//   transaction  (kind 2) tokens:varint token* commands:varint (size:varint command[plain])*
//   token   := database:varint incarnation:u64 key:sized flags:u8 counter:u64   (WATCH, F11)
//
// Decoding takes untrusted bytes; views point into them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/watch.hpp"

namespace kiwi::resp {

using Args = std::span<const std::string_view>;

inline constexpr uint8_t kBatchVersion = 1;  // a payload's first byte

enum class PackedKind : uint8_t { kPlain = 1, kTransaction = 2 };

// Appends one command (without its size prefix) to out.
void pack_command(std::string& out, uint32_t database, Args args);
// commands: each one packed plain command, in order.
void pack_transaction(std::string& out,
                      uint32_t database,
                      std::span<const WatchToken> tokens,
                      std::span<const std::string> commands);

struct PackedCommand {
  PackedKind kind = PackedKind::kPlain;
  uint32_t database = 0;
  std::vector<std::string_view> args;      // plain
  std::vector<WatchToken> tokens;          // transaction
  std::vector<std::string_view> commands;  // transaction: packed plain commands
};
// Reuses `into`'s vectors. False = malformed.
bool unpack_command(std::string_view bytes, PackedCommand& into);

// Builds an entry's payload.
class BatchBuilder {
 public:
  void add(std::string_view packed_command);
  size_t count() const { return count_; }
  size_t bytes() const { return body_.size(); }
  std::string take();  // the payload; the builder is empty again

 private:
  std::string body_;
  size_t count_ = 0;
};

// Walks a payload.
class BatchReader {
 public:
  explicit BatchReader(std::string_view payload);
  bool ok() const { return ok_; }  // false = malformed
  size_t count() const { return count_; }
  std::optional<std::string_view> next();  // packed command; nullopt at the end or when malformed

 private:
  std::string_view rest_;
  size_t count_ = 0;
  size_t given_ = 0;
  bool ok_ = true;
};

}  // namespace kiwi::resp
