// ACL LOG: what was refused to clients of this node, the latest first. Refusals that are alike
// count as one, as in Redis 7.0. Plain; client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "resp/acl/permission.hpp"

namespace kiwi::resp::acl {

enum class Where : uint8_t { kTopLevel, kBlock, kScript };

// Where a command was executed, of a connection of this node.
struct Refusal {
  uint64_t connection = 0;
  Denied denied = Denied::kCommand;
  Where where = Where::kTopLevel;
  std::string object;
};

struct Denial {
  Denied reason = Denied::kCommand;
  Where where = Where::kTopLevel;
  std::string object;  // a command's name, a key, a channel; of a login, the command as it was said
  std::string user;
  int64_t at_ms = 0;   // monotonic
  std::string client;  // as CLIENT INFO shows it
  uint64_t count = 1;

  std::string_view reason_name() const;
  std::string_view where_name() const;
};

class DenialLog {
 public:
  static constexpr size_t kObjectBytes = 4096;        // of a key, what is kept
  static constexpr size_t kBytes = size_t{16} << 20;  // of all; the oldest go

  // Above `most` the oldest go.
  void add(Denial denial, size_t most);
  void clear();
  const std::deque<Denial>& newest_first() const { return entries_; }
  size_t bytes() const { return bytes_; }

 private:
  static size_t bytes_of(const Denial& denial);

  std::deque<Denial> entries_;
  size_t bytes_ = 0;
};

}  // namespace kiwi::resp::acl
