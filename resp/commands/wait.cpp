// WAIT and WAITAOF, the same in every face. Whatever a client was told is done is on a majority's
// disks, so most of what Redis waits for has happened already; for more, the leader's word is
// asked.
#include <algorithm>

#include "resp/numbers.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

// A majority's disks, less one. Of a joint configuration the smaller half counts.
int64_t others_of_majority(const raft::Configuration& configuration) {
  auto others = [](size_t voters) { return static_cast<int64_t>(voters / 2); };
  int64_t certain = others(configuration.voters.size());
  if (configuration.is_joint()) {
    certain = std::min(certain, others(configuration.outgoing_voters.size()));
  }
  return certain;
}

// How many other nodes hold, for certain, everything that any client was told is done. A new
// configuration counts from its entry on, but what stands before that may be on the old one's
// majority only until the entry is committed, too.
int64_t certain_replicas(const NodeStatus& status) {
  return std::min(others_of_majority(status.raft.configuration),
                  others_of_majority(status.committed));
}

}  // namespace

// What another leader said counts only in its term: the entry at an index may be another one there.
// The status may be older than what is applied, and of a term that is over: only what is committed
// by that same status is in the log of its leader.
int64_t NodeContext::replicas_with(LogIndex index) const {
  const raft::Status& raft = status.raft;
  int64_t known = 0;
  if (index > raft.commit) {
    return certain_replicas(status);
  }
  if (raft.role == raft::Role::kLeader) {
    known = std::ranges::count_if(raft.peers, [&](const raft::PeerStatus& peer) {
      return peer.member.id != raft.id && peer.match >= index;
    });
  } else if (matches.term == raft.term) {
    known = std::ranges::count_if(matches.members, [&](const auto& member) {
      return member.first != raft.id && member.second >= index;
    });
  }
  return std::max(certain_replicas(status), known);
}

void NodeContext::look_after_replica_waits() {
  if (replica_waits.any()) {
    refresh_status();
    replica_waits.look([this](LogIndex index) { return replicas_with(index); }, monotonic_ms());
  }
}

namespace {

// Answers and returns nullopt if it is none.
std::optional<int64_t> parse_timeout(std::string_view text, ReplyWriter& reply) {
  const std::optional<int64_t> timeout_ms = parse_integer(text);
  if (!timeout_ms) {
    reply.error("ERR timeout is not an integer or out of range");
    return std::nullopt;
  }
  if (*timeout_ms < 0) {
    reply.error("ERR timeout is negative");
    return std::nullopt;
  }
  return timeout_ms;
}

using Answer = std::function<void(ReplyWriter& reply, int64_t replicas)>;

// At once, if so many have it, or if nobody can wait: a block has no place for it, and one without
// data may be executed before earlier writes of its connection are applied.
void wait_for(Session& session,
              int64_t wanted,
              int64_t timeout_ms,
              const Answer& answer,
              ReplyWriter& reply) {
  Session::State& s = session.state();
  NodeContext& node = s.node;
  node.refresh_status();
  if (s.in_block) {
    return answer(reply, certain_replicas(node.status));
  }
  const LogIndex index = node.status.applied;  // what this connection was answered is in it
  const int64_t have = node.replicas_with(index);
  if (have >= wanted) {
    return answer(reply, have);
  }
  const LaterReply later = s.defer();
  s.barrier = Barrier{later.to.slot, Barrier::Kind::kReplicas};
  const int64_t patience_ms = timeout_ms == 0 ? node.options.raft_response_timeout : timeout_ms;
  const int64_t now_ms = node.monotonic_ms();
  node.replica_waits.wait(session.id(),
                          {index, wanted, now_ms + std::min(patience_ms, INT64_MAX - now_ms),
                           [later, answer](int64_t replicas) {
                             later.answer([&](ReplyWriter& writer) { answer(writer, replicas); });
                           }});
  node.replicas_awaited();
}

}  // namespace

namespace commands {

void wait(Session& session, Args args, ReplyWriter& reply) {
  const std::optional<int64_t> wanted = parse_integer(args[1]);
  if (!wanted) {
    return reply.error(texts::kNotInteger);
  }
  if (const auto timeout_ms = parse_timeout(args[2], reply)) {
    wait_for(
        session, *wanted, *timeout_ms,
        [](ReplyWriter& writer, int64_t replicas) { writer.integer(replicas); }, reply);
  }
}

// Applied here is synced here, but for raft.log-fsync no, where nothing ever is for certain,
// neither here nor on the other nodes, which have the same option.
void waitaof(Session& session, Args args, ReplyWriter& reply) {
  const std::optional<int64_t> local = parse_integer(args[1]);
  if (!local) {
    return reply.error(texts::kNotInteger);
  }
  if (*local < 0 || *local > 1) {
    return reply.error("ERR value is out of range, value must between 0 and 1");
  }
  const std::optional<int64_t> wanted = parse_integer(args[2]);
  if (!wanted) {
    return reply.error(texts::kNotInteger);
  }
  if (*wanted < 0) {
    return reply.error("ERR value is out of range, must be positive");
  }
  const auto timeout_ms = parse_timeout(args[3], reply);
  if (!timeout_ms) {
    return;
  }
  const bool synced = session.state().node.options.raft_log_fsync;
  const auto answer = [synced](ReplyWriter& writer, int64_t replicas) {
    writer.array(2);
    writer.integer(synced ? 1 : 0);
    writer.integer(synced ? replicas : 0);
  };
  if (!synced) {
    return answer(reply, 0);  // nobody would ever come to have it
  }
  wait_for(session, *wanted, *timeout_ms, answer, reply);
}

}  // namespace commands
}  // namespace kiwi::resp
