// What the router's property test keeps of logs and of requests.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "resp/request.hpp"

namespace kiwi::resp {

struct LogEntry {
  uint64_t term = 0;
  uint64_t sequence = 0;  // 0 = the no-op of a term
  bool is_void = false;
  std::vector<std::string> commands;
  bool operator==(const LogEntry&) const = default;
};

// What the test knows of one request.
struct Asked {
  char kind = 'w';
  ConnectionId subject = 0;     // reads: whose writes are counted
  std::set<uint64_t> must_see;  // slots of the subject acknowledged before it was asked
  std::string answer;
};

}  // namespace kiwi::resp
