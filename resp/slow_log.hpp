// SLOWLOG: the last commands of this node's clients whose execution took long. Arguments are cut as
// in Redis 7.0, and those that are secret are not kept. Bounded by slowlog-max-len and by bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "resp/command.hpp"

namespace kiwi::resp {

struct SlowCommand {
  uint64_t id = 0;
  int64_t at_s = 0;     // since the epoch
  int64_t took_us = 0;  // executing it
  std::vector<std::string> args;
  std::string address;  // of its client
  std::string name;

  size_t bytes() const;
};

class SlowLog {
 public:
  static constexpr size_t kArgs = 32;  // kept, the last of them says how many more there were
  static constexpr size_t kArgBytes = 128;
  static constexpr size_t kBytes = size_t{64} << 20;  // of all commands; the oldest go

  // What is kept of a command's words.
  static std::vector<std::string> shortened(const CommandSpec& row, Args args);

  // Gives it its number. Above `most` the oldest go.
  void add(SlowCommand command, uint64_t most);
  const std::deque<SlowCommand>& newest_first() const { return commands_; }
  void clear();

 private:
  std::deque<SlowCommand> commands_;
  size_t bytes_ = 0;
  uint64_t next_id_ = 0;  // goes on over clear()
};

}  // namespace kiwi::resp
