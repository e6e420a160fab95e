// The bytes of commands on their way: from the session through the router into a log entry, the
// same bytes everywhere: encoded once. ON DISK inside log entries: frozen by golden bytes.
//
//   batch   := version:u8 (=1) count:varint (size:varint command)*count
//            | version:u8 (=2) count:varint acl_version:varint (size:varint command)*count
//   command := kind:u8 body
//   plain        (kind 1) database:varint argc:varint (size:varint bytes)*argc
//   transaction  (kind 2) database:varint tokens:varint token* commands:varint
//                         (size:varint command[plain])*
//   serve        (kind 4) command[plain]     for a client that waits: it takes what is there (F31)
//   of a user    (kind 3) user:varint command[plain, transaction, serve or once]   in version 2
//   only once         (kind 5) form:u8 (1 token, 2 producer) name:sized [number:varint
//   after:varint]
//                         protocol:u8 flags:u8 (1 WATCHED) command[plain, transaction or serve]
//   token   := database:varint incarnation:u64 key:sized flags:u8 counter:u64   (WATCH, F11)
//
// Decoding takes untrusted bytes; views point into them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/bytes.hpp"
#include "resp/types/watch.hpp"

namespace kiwi::resp {

using Args = std::span<const std::string_view>;

// A payload's first byte. Routers write the second; both are read always.
enum class BatchFormat : uint8_t { kPlain = 1, kWithUsers = 2 };

// Which users a session checked a command by: those of this version of the state, or none.
inline constexpr uint64_t kUnchecked = 0;
inline constexpr uint64_t kNeedsNoCheck = UINT64_MAX;  // of nodes themselves

enum class PackedKind : uint8_t {
  kPlain = 1,
  kTransaction = 2,
  kOfUser = 3,
  kServe = 4,
  kOnce = 5
};

// By what a command counts once, however often it is sent (KIWI.ONCE, KIWI.SEQ).
struct OnceMark {
  enum class Form : uint8_t { kToken = 1, kProducer = 2 };
  Form form = Form::kToken;
  std::string_view name;  // a token's one form (once_token.hpp), or a producer
  uint64_t number = 0;    // producers: of this command, and of the one before it
  uint64_t after = 0;
  uint8_t resp = 2;      // the protocol that its reply is kept in
  bool watched = false;  // a block that is worth nothing without the tokens of its WATCH
};

// Appends one command (without its size prefix) to out.
void pack_command(std::string& out, uint32_t database, Args args);
// commands: each one packed plain command, in order.
void pack_transaction(std::string& out,
                      uint32_t database,
                      std::span<const WatchToken> tokens,
                      std::span<const std::string> commands);

// `command`: packed, plain, whoever's. Appends it as a serve.
void pack_serve(std::string& out, std::string_view command);

// What stands in front of a packed command, plain, a transaction or a serve, that counts once. No
// user's prefix may stand behind it.
void pack_once(std::string& out, const OnceMark& mark);

// What is packed behind it, a plain command, a transaction, a serve or once, this user asked for.
void begin_of_user(std::string& out, uint64_t user);
// The same of one that is packed.
void pack_as_user(std::string& out, uint64_t user, std::string_view command);

struct PackedCommand {
  PackedKind kind = PackedKind::kPlain;  // what it is, whoever asked for it: one of the first two
  bool serve = false;                    // plain: nothing there is no reply
  std::optional<uint64_t> user;          // none: the user who may do everything
  std::optional<OnceMark> once;
  uint32_t database = 0;
  std::vector<std::string_view> args;      // plain
  std::vector<WatchToken> tokens;          // transaction
  std::vector<std::string_view> commands;  // transaction: packed plain commands
};
// Reuses `into`'s vectors. False = malformed.
bool unpack_command(std::string_view bytes, PackedCommand& into);

// Builds an entry's payload in place: room for the header stands in front of the commands from the
// first one on, so that take() moves nothing.
class BatchBuilder {
 public:
  // From now on format 2: all its commands were checked by the users of this version or of a later
  // one. The lowest that is said until take() counts: at apply all are checked by it or again.
  void set_acl_version(uint64_t acl_version) {
    acl_version_ = std::min(acl_version, acl_version_.value_or(acl_version));
  }
  void add(std::string_view packed_command);
  size_t count() const { return count_; }
  size_t bytes() const { return body_.empty() ? 0 : body_.size() - kHeaderBytesMax; }
  SharedBytes take();  // the payload; the builder is empty again

 private:
  static constexpr size_t kVarintBytesMax = 10;
  static constexpr size_t kHeaderBytesMax = 1 + kVarintBytesMax + kVarintBytesMax;

  void make_room(size_t bytes);

  std::string body_;  // empty, or kHeaderBytesMax bytes and the commands
  size_t count_ = 0;
  std::optional<uint64_t> acl_version_;
};

// Walks a payload.
class BatchReader {
 public:
  // A format that this build reads; an empty payload has any.
  static bool knows_format_of(std::string_view payload);

  explicit BatchReader(std::string_view payload);
  bool ok() const { return ok_; }                                       // false = malformed
  std::optional<uint64_t> acl_version() const { return acl_version_; }  // format 2
  size_t count() const { return count_; }
  std::optional<std::string_view> next();  // packed command; nullopt at the end or when malformed

 private:
  std::string_view rest_;
  size_t count_ = 0;
  size_t given_ = 0;
  std::optional<uint64_t> acl_version_;
  bool ok_ = true;
};

}  // namespace kiwi::resp
