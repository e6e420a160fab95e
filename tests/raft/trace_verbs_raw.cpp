// One verb, step: a message that no core in the trace has sent, to show one rule alone.
// step 2 from=1 term=3 AppendEntries prev=5/2 commit=9 seq=1 round=0 entries=6/3,7/3
#include <stdexcept>

#include "tests/raft/trace_env.hpp"

namespace kiwi::raft::testing {

namespace {

// "5/2" -> index 5, term 2
std::pair<LogIndex, Term> point(const std::string& text) {
  size_t slash = text.find('/');
  return {LogIndex{std::stoull(text.substr(0, slash))}, Term{std::stoull(text.substr(slash + 1))}};
}

// As traces print it: counted within the term.
uint64_t round_of(const Command& command) {
  const uint64_t round = command.number("round");
  return round == 0 ? 0 : first_read_round(Term{command.number("term")}) + round;
}

AppendEntries append_of(const Command& command) {
  AppendEntries body;
  std::tie(body.prev_index, body.prev_term) = point(command.named.at("prev"));
  body.commit = LogIndex{command.number("commit")};
  body.sequence = command.number("seq", 1);
  body.round = round_of(command);
  auto it = command.named.find("entries");
  size_t start = 0;
  while (it != command.named.end() && start < it->second.size()) {
    size_t comma = std::min(it->second.find(',', start), it->second.size());
    Entry entry;
    std::tie(entry.index, entry.term) = point(it->second.substr(start, comma - start));
    entry.kind = EntryKind::kTick;
    entry.stamp_ms = 1000000;  // not below what is there
    body.entries.push_back(std::move(entry));
    start = comma + 1;
  }
  return body;
}

Body body_of(const Command& command) {
  const std::string& type = command.words.at(1);
  if (type == "AppendEntries") {
    return append_of(command);
  }
  if (type == "AppendEntriesResponse") {
    AppendEntriesResponse body;
    body.success = !command.has("rejected");
    body.match = LogIndex{command.number("match")};
    body.sequence = command.number("seq", 1);
    body.round = round_of(command);
    body.conflict_index = LogIndex{command.number("conflict")};
    body.conflict_term = Term{command.number("conflict-term")};
    return body;
  }
  if (type == "RequestVote" || type == "PreVote") {
    RequestVote body;
    std::tie(body.last_index, body.last_term) = point(command.named.at("last"));
    body.pre_vote = type == "PreVote";
    body.leadership_transfer = command.has("transfer");
    return body;
  }
  if (type == "RequestVoteResponse" || type == "PreVoteResponse") {
    return RequestVoteResponse{type == "PreVoteResponse", command.has("granted")};
  }
  if (type == "TimeoutNow") {
    return TimeoutNow{};
  }
  if (type == "NotMember") {
    return NotMember{};
  }
  if (type == "ReadIndexResponse") {
    ReadIndexResponse body;
    body.id = command.number("id");
    body.ok = true;
    body.index = LogIndex{command.number("index")};
    return body;
  }
  if (type == "ReadIndexRequest") {
    return ReadIndexRequest{command.number("id"), command.has("tick")};
  }
  throw std::runtime_error("step: unknown message " + type);
}

}  // namespace

bool run_raw_verb(TraceEnv& env, const Command& command) {
  if (command.verb != "step") {
    return false;
  }
  NodeId from{command.number("from")};
  Message message{from, command.node(), Term{command.number("term")}, body_of(command),
                  incarnation_of(from, static_cast<uint8_t>(command.number("life", 1)))};
  env.deliver(message);
  return true;
}

}  // namespace kiwi::raft::testing
