#include "resp/faults.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/glob.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::array<std::string_view, 5> kKinds = {"lost-request", "lost-reply", "cut-reply",
                                                    "timeout-void", "timeout-applied"};
static_assert(static_cast<size_t>(FaultKind::kTimeoutApplied) + 1 == kKinds.size());

}  // namespace

std::string_view name_of(FaultKind kind) { return kKinds[static_cast<size_t>(kind)]; }

std::optional<FaultKind> fault_kind(std::string_view name) {
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (same_word(name, kKinds[i])) {
      return static_cast<FaultKind>(i);
    }
  }
  return std::nullopt;
}

std::string_view Faults::name_of(Truth truth) {
  switch (truth) {
    case Truth::kUnderWay:
      return "under-way";
    case Truth::kNotExecuted:
      return "not-executed";
    case Truth::kExecuted:
      return "executed";
    case Truth::kRefused:
      return "refused";
    case Truth::kUnknown:
      break;
  }
  return "unknown";
}

bool Faults::add(FaultRule rule) {
  CHECK_INVARIANT(rule.millionths <= FaultRule::kAlways);
  if (rules_.size() >= kRulesMax) {
    return false;
  }
  rules_.push_back(std::move(rule));
  return true;
}

void Faults::remove_of(ConnectionId connection) {
  std::erase_if(rules_, [&](const FaultRule& rule) { return rule.connection == connection; });
}

// Each rule that fits draws, whether one before it hit or not, so that what one does depends on
// nobody else's.
std::optional<FaultKind> Faults::draw(ConnectionId connection,
                                      std::string_view client,
                                      std::string_view command) {
  std::optional<FaultKind> hit;
  for (FaultRule& rule : rules_) {
    const bool fits = rule.connection != 0 ? rule.connection == connection
                                           : !client.empty() && glob_match(rule.pattern, client);
    if (!fits || rule.left == 0 || (!rule.commands.empty() && !rule.commands.contains(command))) {
      continue;
    }
    if (rule.random.chance(rule.millionths, FaultRule::kAlways) && !hit) {
      --rule.left;
      hit = rule.kind;
    }
  }
  std::erase_if(rules_, [](const FaultRule& rule) { return rule.left == 0; });
  return hit;
}

uint64_t Faults::begin(FaultKind kind, std::string_view command) {
  if (told_.size() >= kToldMax) {
    told_.pop_front();
  }
  told_.push_back({++last_id_, kind, std::string(command), Truth::kUnderWay});
  return last_id_;
}

void Faults::end(uint64_t id, Truth truth) {
  const auto found = std::ranges::lower_bound(told_, id, {}, &Told::id);
  if (found != told_.end() && found->id == id) {
    found->truth = truth;
  }
}

Faults::Truth Faults::truth_of(std::string_view reply) {
  return reply.starts_with("-TIMEOUT") ? Truth::kUnknown
         : reply.starts_with('-')      ? Truth::kRefused
                                       : Truth::kExecuted;
}

}  // namespace kiwi::resp
