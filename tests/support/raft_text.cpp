#include "tests/support/raft_text.hpp"

#include <sstream>

#include "raft/codec.hpp"

namespace kiwi::raft::testing {

namespace {

std::string ids(const std::vector<NodeId>& list) {
  std::string out;
  for (NodeId id : list) {
    out += (out.empty() ? "" : ",") + std::to_string(id.value);
  }
  return out;
}

std::string payload(const SharedBytes& bytes) {
  constexpr size_t kShown = 40;
  if (bytes.size() > kShown && bytes.view().find_first_not_of('.') == std::string_view::npos) {
    return std::to_string(bytes.size()) + " bytes";
  }
  return "\"" + std::string(bytes.view()) + "\"";
}

template <class Range>
std::string entries(const Range& list, bool with_time) {
  std::string out = "[";
  for (const Entry& entry : list) {
    out += (out.size() == 1 ? "" : ", ") + text_of(entry, with_time);
  }
  return out + "]";
}

const char* name_of(Role role) {
  static constexpr const char* kNames[] = {"follower", "pre-candidate", "candidate", "leader"};
  return kNames[static_cast<size_t>(role)];
}

const char* name_of(RefusalReason reason) {
  static constexpr const char* kNames[] = {"?",          "gap",       "overloaded", "not-member",
                                           "not-leader", "disk-full", "old-epoch",  "too-large"};
  return kNames[static_cast<size_t>(reason)];
}

std::string flag(bool set, const char* name) {
  return set ? std::string(" ") + name : std::string();
}

std::string number(const ProposalNumber& n) {
  return std::to_string(n.node.value) + "." + std::to_string(n.epoch) + "." +
         std::to_string(n.sequence);
}

std::string refusal(const ProposeRefused& body) {
  std::string out = std::string(name_of(body.reason)) + " " + number(body.number);
  return body.reason == RefusalReason::kGap ? out + " expect=" + std::to_string(body.expect) : out;
}

// A round within its term.
uint64_t counted(uint64_t round) { return round % first_read_round(Term{1}); }

struct BodyText {
  bool with_time;

  std::string operator()(const RequestVote& b) const {
    return std::string(b.pre_vote ? "PreVote" : "RequestVote") +
           " last=" + std::to_string(b.last_index.value) + "/" + std::to_string(b.last_term.value) +
           flag(b.leadership_transfer, "transfer");
  }
  std::string operator()(const RequestVoteResponse& b) const {
    return std::string(b.pre_vote ? "PreVoteResponse" : "RequestVoteResponse") +
           (b.granted ? " granted" : " rejected");
  }
  std::string operator()(const AppendEntries& b) const {
    std::ostringstream out;
    out << "AppendEntries prev=" << b.prev_index.value << "/" << b.prev_term.value
        << " commit=" << b.commit.value << " seq=" << b.sequence;
    if (b.round != 0) {
      out << " round=" << counted(b.round);
    }
    if (with_time) {
      out << " time=" << b.leader_time_ms;
    }
    if (!b.entries.empty()) {
      out << " " << entries(b.entries, with_time);
    }
    return out.str();
  }
  std::string operator()(const AppendEntriesResponse& b) const {
    std::ostringstream out;
    out << "AppendEntriesResponse ";
    if (b.success) {
      out << "match=" << b.match.value;
    } else {
      out << "rejected last=" << b.match.value << " conflict=" << b.conflict_index.value << "/"
          << b.conflict_term.value;
    }
    out << " seq=" << b.sequence;
    if (b.round != 0) {
      out << " round=" << counted(b.round);
    }
    out << flag(b.wants_commit, "wants-commit");
    return out.str();
  }
  std::string operator()(const TimeoutNow&) const { return "TimeoutNow"; }
  std::string operator()(const Propose& b) const {
    std::string out = "Propose";
    for (const Proposal& p : b.proposals) {
      out += " " + number(p.number) +
             (p.kind == EntryKind::kVoid ? "=void" : "=" + payload(p.payload));
    }
    return out;
  }
  std::string operator()(const ProposeRefused& b) const { return "ProposeRefused " + refusal(b); }
  std::string operator()(const ReadIndexRequest& b) const {
    return "ReadIndexRequest id=" + std::to_string(b.id) + flag(b.with_tick, "tick");
  }
  std::string operator()(const ReadIndexResponse& b) const {
    return "ReadIndexResponse id=" + std::to_string(b.id) +
           (b.ok ? " index=" + std::to_string(b.index.value) +
                       (with_time ? " now=" + std::to_string(b.now_ms) : "") +
                       flag(with_time && b.clamped, "clamped")
                 : std::string(" failed")) +
           flag(b.not_member, "not-member");
  }
  std::string operator()(const NotMember&) const { return "NotMember"; }
};

struct EventText {
  std::string operator()(const LeaderChanged& e) const {
    return std::string("event ") + name_of(e.role) + " term=" + std::to_string(e.term.value) +
           " leader=" + std::to_string(e.leader.value) + flag(e.ready, "ready");
  }
  std::string operator()(const ConfigurationChanged& e) const {
    return "event configuration index=" + std::to_string(e.index.value) + " " +
           text_of(e.configuration) + flag(e.committed, "committed");
  }
  std::string operator()(const MembershipDone& e) const {
    return "event done id=" + std::to_string(e.id.number) +
           (e.outcome.done() ? " ok" : " error=\"" + sentence(e.outcome) + "\"");
  }
  std::string operator()(const RemovedFromCluster&) const { return "event removed"; }
  std::string operator()(const MemberLives& e) const {
    return "event lives " + std::to_string(e.member.id.value);
  }
  std::string operator()(const OldCopyFound& e) const {
    return "event old-copy epoch=" + std::to_string(e.epoch);
  }
};

std::string persist_text(const PersistRequest& p, bool with_time) {
  std::ostringstream out;
  out << "persist";
  if (p.hard_state) {
    out << " term=" << p.hard_state->term.value << " vote=" << p.hard_state->voted_for.value;
  }
  if (!p.entries.empty()) {
    out << " " << entries(p.entries, with_time);
  }
  out << " token=t" << p.token.term.value << "v" << p.token.voted_for.value << ":"
      << p.token.last_index.value << "/" << p.token.last_term.value;
  return out.str();
}

}  // namespace

std::string text_of(const Configuration& c) {
  std::string out = "voters=" + ids(c.voters);
  std::vector<NodeId> learners;
  for (const Member& member : c.members) {
    if (!c.is_voter(member.id)) {
      learners.push_back(member.id);
    }
  }
  for (const auto& [name, list] : {std::pair{"outgoing", &c.outgoing_voters},
                                   {"learners", &learners},
                                   {"promoting", &c.promoting},
                                   {"removed", &c.removed_ids}}) {
    if (!list->empty()) {
      out += std::string(" ") + name + "=" + ids(*list);
    }
  }
  return out;
}

std::string text_of(const SnapshotMeta& meta) {
  return std::to_string(meta.index.value) + "/" + std::to_string(meta.term.value) + " {" +
         text_of(meta.configuration) + "}";
}

std::string text_of(const Entry& e, bool with_time) {
  std::string out = std::to_string(e.index.value) + "/" + std::to_string(e.term.value) + " ";
  switch (e.kind) {
    case EntryKind::kNoop:
      out += "noop";
      break;
    case EntryKind::kBatch:
      out += payload(e.payload);
      break;
    case EntryKind::kVoid:
      out += "void " + number(e.number);
      break;
    case EntryKind::kTick:
      out += "tick";
      break;
    case EntryKind::kConfiguration: {
      Result<Configuration> decoded = decode_configuration(e.payload.view());
      out += "{" + (decoded ? text_of(*decoded) : decoded.error().text) + "}";
      break;
    }
  }
  return with_time ? out + " @" + std::to_string(e.stamp_ms) : out;
}

std::string text_of(const Message& message, bool with_time) {
  return std::visit(BodyText{with_time}, message.body);
}

std::vector<std::string> lines_of(NodeId node, const Effects& effects, bool with_time) {
  std::vector<std::string> out;
  std::string prefix = std::to_string(node.value) + ": ";
  for (const Event& event : effects.events) {
    out.push_back(prefix + std::visit(EventText{}, event));
  }
  for (const Outgoing& o : effects.send) {
    out.push_back(prefix + "send " + std::to_string(o.to.value) + " t" +
                  std::to_string(o.message.term.value) + " " + text_of(o.message, with_time));
  }
  if (effects.persist) {
    out.push_back(prefix + persist_text(*effects.persist, with_time));
  }
  if (effects.cut) {
    out.push_back(prefix + "cut below " + std::to_string(effects.cut->keep_from.value) +
                  " snapshot=" + text_of(effects.cut->meta));
  }
  for (const SnapshotWanted& wanted : effects.snapshots) {
    out.push_back(prefix + "snapshot wanted for=" + std::to_string(wanted.follower.value) +
                  " first=" + std::to_string(wanted.first_index.value));
  }
  if (!effects.apply.empty()) {
    out.push_back(prefix + "apply " + entries(effects.apply, with_time));
  }
  for (const LogRead& read : effects.log_reads) {
    out.push_back(prefix + "log-read for=" + std::to_string(read.follower.value) + " " +
                  std::to_string(read.from.value) + ".." + std::to_string(read.last.value));
  }
  for (const ReadReady& read : effects.reads) {
    out.push_back(prefix + "read id=" + std::to_string(read.id) +
                  (read.ok ? " index=" + std::to_string(read.index.value) +
                                 (with_time ? " now=" + std::to_string(read.now_ms) : "") +
                                 flag(with_time && read.clamped, "clamped")
                           : std::string(" failed")) +
                  flag(read.not_member, "not-member"));
  }
  for (const ProposeRefused& refused : effects.refused) {
    out.push_back(prefix + "refused " + refusal(refused));
  }
  return out;
}

}  // namespace kiwi::raft::testing
