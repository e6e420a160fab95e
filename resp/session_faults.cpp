// KIWI.FAULT in a session: what happens to a command instead of being handed on, and to its answer.
#include <algorithm>
#include <string>
#include <utility>

#include "config/base/check.hpp"
#include "resp/faults.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

// The command that is about to be handed on. True: it is not.
bool Session::State::fault_before(std::string_view command) {
  next_fault.reset();
  const std::optional<FaultKind> kind = node.faults.draw(info.id, name, command);
  if (!kind) {
    return false;
  }
  const uint64_t id = node.faults.begin(*kind, command);
  switch (*kind) {
    case FaultKind::kLostRequest:
      node.faults.end(id, Faults::Truth::kNotExecuted);
      kill();
      return true;
    case FaultKind::kTimeoutVoid:
      node.faults.end(id, Faults::Truth::kNotExecuted);
      return true;
    case FaultKind::kLostReply:
    case FaultKind::kCutReply:
    case FaultKind::kTimeoutApplied:
      break;
  }
  next_fault = FaultedSlot{id, *kind};
  return false;
}

// The slot that it was given.
void Session::State::note_fault(uint64_t slot) {
  if (next_fault) {
    faulted.emplace(slot, *std::exchange(next_fault, std::nullopt));
  }
}

// What the client gets in its place; nothing at all if the session ends here.
std::string Session::State::faulted_answer(uint64_t slot, std::string_view bytes) {
  const auto found = faulted.find(slot);
  if (found == faulted.end() || cut_off) {
    return cut_off ? std::string() : std::string(bytes);
  }
  const FaultedSlot fault = found->second;
  faulted.erase(found);
  node.faults.end(fault.id, Faults::truth_of(bytes));
  switch (fault.kind) {
    case FaultKind::kTimeoutApplied:
      return "-" + std::string(texts::kTimeout) + "\r\n";
    case FaultKind::kCutReply:
      cut_off = close_after_replies = true;  // those behind it get nothing
      return std::string(bytes.substr(0, bytes.size() / 2));
    case FaultKind::kLostReply:
    case FaultKind::kLostRequest:
    case FaultKind::kTimeoutVoid:
      break;
  }
  CHECK_INVARIANT(fault.kind == FaultKind::kLostReply);
  kill();
  return {};
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

namespace {

// [P probability] [SEED n] [COUNT n] [COMMANDS command...]; an error's text, or nothing.
std::string read_rule(Args words, FaultRule& rule) {
  for (size_t at = 0; at < words.size(); at += 2) {
    if (same_word(words[at], "commands")) {
      for (std::string_view word : words.subspan(at + 1)) {
        std::string lower(word);
        std::ranges::transform(lower, lower.begin(), lower_case);
        rule.commands.insert(std::move(lower));
      }
      return rule.commands.empty() ? std::string(texts::kSyntax) : std::string();
    }
    if (at + 1 == words.size()) {
      return std::string(texts::kSyntax);
    }
    if (same_word(words[at], "p")) {
      const auto p = parse_double(words[at + 1]);
      if (!p || !(*p >= 0 && *p <= 1)) {
        return "ERR a probability is a number from 0 to 1";
      }
      rule.millionths = static_cast<uint64_t>(*p * static_cast<double>(FaultRule::kAlways));
      continue;
    }
    const auto number = parse_integer(words[at + 1]);
    if (!number || *number < 0) {
      return std::string(texts::kNotInteger);
    }
    if (same_word(words[at], "seed")) {
      rule.random = Prng(static_cast<uint64_t>(*number));
    } else if (same_word(words[at], "count")) {
      rule.left = static_cast<uint64_t>(*number);
    } else {
      return std::string(texts::kSyntax);
    }
  }
  return {};
}

void write_told(const Faults& faults, ReplyWriter& reply) {
  reply.array(faults.told().size());
  for (const Faults::Told& told : faults.told()) {
    reply.array(4);
    reply.integer(static_cast<int64_t>(told.id));
    reply.bulk(name_of(told.kind));
    reply.bulk(told.command);
    reply.bulk(Faults::name_of(told.truth));
  }
}

}  // namespace

// KIWI.FAULT ON kind ... | NAME pattern ON kind ... | OFF [ALL] | STATS
void kiwi_fault(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  Faults& faults = s.node.faults;
  if (same_word(args[1], "stats") && args.size() == 2) {
    return write_told(faults, reply);
  }
  if (same_word(args[1], "off") && args.size() <= 3) {
    const bool all = args.size() == 3;
    if (all && !same_word(args[2], "all")) {
      return reply.error(texts::kSyntax);
    }
    all ? faults.clear() : faults.remove_of(s.info.id);
    return reply.ok();
  }
  FaultRule rule;
  rule.connection = s.info.id;
  Args words = args.subspan(1);
  if (same_word(words[0], "name") && words.size() > 1) {
    rule.connection = 0;
    rule.pattern = words[1];
    words = words.subspan(2);
  }
  const auto kind =
      words.size() > 1 && same_word(words[0], "on") ? fault_kind(words[1]) : std::nullopt;
  if (!kind) {
    return reply.error(texts::kSyntax);
  }
  rule.kind = *kind;
  if (const std::string why = read_rule(words.subspan(2), rule); !why.empty()) {
    return reply.error(why);
  }
  if (rule.left != 0 && !faults.add(std::move(rule))) {
    return reply.error("ERR there are too many faults: KIWI.FAULT OFF ALL removes them");
  }
  reply.ok();
}

}  // namespace kiwi::resp::commands
