// What the load generator says and how it counts the answers: Redis' protocol, and etcd's gRPC over
// plain HTTP/2. One Protocol object per connection, made and used by scripts/lib/bench/load.cpp on
// its one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::bench {

// One command of the load: its keys, drawn by the caller, or the whole of it as Redis' protocol has
// it.
struct Operation {
  enum class Kind { kSet, kGet, kIncr, kMset, kPacked };
  Kind kind = Kind::kSet;
  std::vector<uint64_t> keys;
  std::string packed;
};

// What a turn of reading brought.
struct Answers {
  uint64_t good = 0;
  uint64_t bad = 0;
  std::string first_error;  // text of the first bad one
  bool broken = false;      // not the protocol, or the server said goodbye
};

class Protocol {
 public:
  virtual ~Protocol() = default;
  // What a connection begins with; its answers, if any, count as `answers_to_greeting()`.
  virtual std::string greeting() = 0;
  virtual uint64_t answers_to_greeting() const = 0;
  virtual void encode(const Operation& operation, std::string& out) = 0;
  // Takes whole answers off the front of `input`; `out` gets what the protocol itself must send.
  virtual Answers parse(std::string& input, std::string& out) = 0;
};

// `prelude` is one command without arguments, such as READONLY, or empty.
std::unique_ptr<Protocol> make_redis(std::string value, std::string prelude);
std::unique_ptr<Protocol> make_etcd(std::string value);

}  // namespace kiwi::bench
