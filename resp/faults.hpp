// Unknown outcomes on demand (KIWI.FAULT): answers that are lost, cut or say TIMEOUT for commands
// of chosen clients, drawn by a seed of the user's own, and what truly became of each. For tests of
// whoever repeats commands. Plain class in NodeContext; client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/prng.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

enum class FaultKind : uint8_t {
  kLostRequest,     // the connection ends before the command is handed on
  kLostReply,       // it is executed, and the connection ends instead of an answer
  kCutReply,        // the same with half an answer
  kTimeoutVoid,     // TIMEOUT, and it is not handed on
  kTimeoutApplied,  // it is executed, and the answer is TIMEOUT
};
std::string_view name_of(FaultKind kind);
std::optional<FaultKind> fault_kind(std::string_view name);

struct FaultRule {
  static constexpr uint64_t kAlways = 1'000'000;

  ConnectionId connection = 0;  // 0: of every client whose name fits
  std::string pattern;
  FaultKind kind = FaultKind::kLostReply;
  uint64_t millionths = kAlways;
  Prng random{0};
  uint64_t left = std::numeric_limits<uint64_t>::max();
  std::set<std::string, std::less<>> commands;  // lower case; empty: all that ask for data
};

class Faults {
 public:
  enum class Truth : uint8_t { kUnderWay, kNotExecuted, kExecuted, kRefused, kUnknown };
  struct Told {
    uint64_t id = 0;
    FaultKind kind = FaultKind::kLostReply;
    std::string command;
    Truth truth = Truth::kUnderWay;
  };
  static std::string_view name_of(Truth truth);

  bool any() const { return !rules_.empty(); }
  bool add(FaultRule rule);  // false: there are too many
  void remove_of(ConnectionId connection);
  void clear() { rules_.clear(); }

  // What is to become of that client's command; counted as done.
  std::optional<FaultKind> draw(ConnectionId connection,
                                std::string_view client,
                                std::string_view command);
  uint64_t begin(FaultKind kind, std::string_view command);
  void end(uint64_t id, Truth truth);
  static Truth truth_of(std::string_view reply);
  const std::deque<Told>& told() const { return told_; }  // the last ones, the oldest first

 private:
  static constexpr size_t kRulesMax = 64;
  static constexpr size_t kToldMax = 10'000;

  std::vector<FaultRule> rules_;
  std::deque<Told> told_;
  uint64_t last_id_ = 0;
};

}  // namespace kiwi::resp
