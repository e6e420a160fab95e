// MIGRATE, without sockets and without a session: what is asked of this node's state and of the
// target, step by step, and what becomes of it. Reads keys and their WATCH tokens at an index, has
// the target RESTORE them, and then deletes them if they are still what was read: a block of MULTI
// with the tokens, through the log.
//
// If one of them changed meanwhile, the changed ones are sent again over their copies (REPLACE,
// whether or not the client said so), kAttempts times. If one went meanwhile, or if they still
// change, the answer is an error that names them. All keys are deleted or none, and only if the
// target confirmed each: so an error but TIMEOUT says that nothing was deleted here, and OK that
// the target has no key that went here in the meantime.
//
// Plain class of a session; session_migration.cpp carries out the steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/watch.hpp"

namespace kiwi::resp {

struct MigrateOrder {
  std::string host;
  std::string port;
  int64_t database = 0;  // of the target
  int64_t timeout_ms = 0;
  bool copy = false;
  bool replace = false;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::vector<std::string> keys;
};

class Migration {
 public:
  static constexpr int kAttempts = 3;

  explicit Migration(MigrateOrder order);

  enum class Step : uint8_t {
    kRead,      // watch order().keys, read them as kiwi.migrate says
    kExchange,  // request() to the target, which answers replies() times
    kDelete,    // the block of tokens() and doomed()
    kAnswer,    // answer() is the client's
  };
  const MigrateOrder& order() const { return order_; }

  // ---- what came of the step before, as RESP bytes
  // `tokens`: of order().keys, in their order.
  Step watched(std::string_view reply, std::vector<WatchToken> tokens);
  Step read(std::string_view reply);
  // `bytes`: '+' and all replies of the target, or an error line of our own.
  Step exchanged(std::string_view bytes);
  Step deleted(std::string_view reply);

  const std::string& request() const { return request_; }
  std::string take_request() { return std::move(request_); }
  size_t replies() const { return replies_; }
  const std::vector<WatchToken>& tokens() const { return watched_; }
  const std::vector<std::string>& doomed() const { return here_; }
  const std::string& answer() const { return answer_; }
  size_t memory_bytes() const { return request_.capacity() + names_bytes_; }

  // Of exchanged(): where it failed, as Redis says it.
  static std::string io_error(std::string_view where);

 private:
  using Names = std::vector<std::string_view>;

  Step say(std::string reply);
  void add_preface();
  void add_restore(std::string_view key, std::string_view ttl, std::string_view payload);
  bool keep_tokens_of_what_is_here();  // false: one has none
  Step stay(const Names& went, const Names& changed);

  MigrateOrder order_;
  size_t names_bytes_ = 0;           // of all keys in all lists below, at most
  int attempt_ = 1;                  // above kAttempts: only to name what changed
  std::vector<WatchToken> copies_;   // of order_.keys: what the target has of an earlier attempt
  std::vector<WatchToken> watched_;  // from read() on those of here_
  std::vector<std::string> here_;    // those of order_.keys that are there, in their order
  std::string request_;
  size_t replies_ = 0;
  std::string answer_;
};

}  // namespace kiwi::resp
