// Router: who is refused, and with which words. See router_state.hpp.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/command.hpp"
#include "resp/command_keys.hpp"
#include "resp/router_state.hpp"
#include "resp/words.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using router::Answer;
using router::Connection;
using router::Deferred;

namespace {

std::string_view text_of(Answer answer) {
  switch (answer) {
    case Answer::kNoCluster:
      return texts::kNoCluster;
    case Answer::kRemoved:
      return texts::kRemoved;
    case Answer::kLoading:
      return texts::kLoading;
    case Answer::kNoLeader:
      return texts::kNoLeader;
    case Answer::kDiskFull:
      return texts::kDiskFull;
    case Answer::kLeaderDiskFull:
      return texts::kLeaderDiskFull;
    case Answer::kTooManyWrites:
      return texts::kTooManyWrites;
    case Answer::kTooLarge:
      return texts::kTooLarge;
    case Answer::kReadTimeout:
      return texts::kReadTimeout;
    case Answer::kTimeout:
      return texts::kTimeout;
    case Answer::kReadOnly:
      return texts::kReadOnly;
    case Answer::kMoved:
      break;  // its text depends on the request
  }
  return {};
}

// Might it change anything? Of a command that waits its row knows.
bool writes(RequestKind kind, std::string_view packed) {
  if (kind != RequestKind::kBlocking) {
    return kind == RequestKind::kWrite;
  }
  PackedCommand command;
  const CommandSpec* row = unpack_command(packed, command) && !command.args.empty()
                               ? find_command(command.args[0])
                               : nullptr;
  return row == nullptr || row->route != Route::kRead;
}

}  // namespace

// A block with such a command, too. What a script will call nobody knows here.
bool router::may_build(std::string_view packed) {
  PackedCommand command;
  if (!unpack_command(packed, command)) {
    return false;
  }
  if (command.kind == PackedKind::kTransaction) {
    return std::ranges::any_of(command.commands, may_build);
  }
  const bool wrapped = command.args.size() > 1 && same_word(command.args[0], "kiwi.fence");
  const std::string_view name =
      command.args.empty() ? std::string_view() : command.args[wrapped ? 1 : 0];
  return same_word(name, "copy") || same_word(name, "move");
}

// What a client is told that has to go elsewhere: whoever knows no clusters learns no address.
Answer Router::State::elsewhere(const Connection& c) const {
  if (!speaks_cluster(c.face)) {
    return Answer::kReadOnly;
  }
  return address_for(c).empty() ? Answer::kNoLeader : Answer::kMoved;
}

const std::string& Router::State::address_for(const Connection& c) const {
  return c.tls                      ? leader_tls_address
         : c.face == Face::kCluster ? leader_cluster_address
                                    : leader_address;
}

// A plain server reads what it replicates, whoever leads.
bool Router::State::forwards(const Connection& c, RequestKind kind, std::string_view packed) const {
  return options.follower_proxy || (!speaks_cluster(c.face) && !writes(kind, packed));
}

void Router::State::answer(const ReplySlot& to,
                           RequestKind kind,
                           Answer answer,
                           std::string_view packed) {
  auto it = connections.find(to.connection);
  if (it == connections.end() || it->second.closed) {
    return;  // nobody listens (or an internal proposal)
  }
  if (effects.replies.empty() || effects.replies.back().connection != to.connection) {
    effects.replies.emplace_back().connection = to.connection;
  }
  const Connection& c = it->second;
  answer = answer == Answer::kMoved ? elsewhere(c) : answer;
  ReplyBatch& batch = effects.replies.back();
  auto offset = static_cast<uint32_t>(batch.bytes.size());
  counters.cluster_down += answer == Answer::kNoLeader || answer == Answer::kRemoved ? 1 : 0;
  RespWriter reply(&batch.bytes);
  if (answer == Answer::kMoved) {
    // Clients of Redis Cluster correct their map by the slot. The keyspace is not sharded, so it
    // means nothing else.
    const auto key = first_key(packed);
    reply.error(texts::moved(key ? rocks::key_slot(*key) : 0, address_for(c)));
  } else {
    CHECK_INVARIANT(!text_of(answer).empty());
    reply.error(text_of(answer));
  }
  CHECK_INVARIANT(batch.bytes.size() <= UINT32_MAX);
  batch.parts.push_back({to.slot, offset, static_cast<uint32_t>(batch.bytes.size()) - offset});
  batch.failed_watch = batch.failed_watch || kind == RequestKind::kWatch;
}

void Router::State::answer_in_vain(const ReplySlot& to, RequestKind kind) {
  // Both texts are right for a read: nothing happened. TIMEOUT says that a leader was there.
  bool timeout = kind != RequestKind::kWrite && bool(leader);
  counters.timeouts += timeout ? 1 : 0;
  answer(to, kind, timeout ? Answer::kReadTimeout : Answer::kNoLeader);
}

std::optional<Answer> Router::State::service_refusal() const {
  switch (service) {
    case Service::kUninitialized:
      return Answer::kNoCluster;
    case Service::kRemoved:
      return Answer::kRemoved;
    case Service::kLoading:
      return Answer::kLoading;
    case Service::kUp:
      break;
  }
  return std::nullopt;
}

std::optional<Answer> Router::State::refusal(const Connection& c,
                                             RequestKind kind,
                                             std::string_view packed,
                                             int64_t now_ms) const {
  if (const auto refused = service_refusal()) {
    return refused;
  }
  if (is_local(kind) || leads()) {
    return std::nullopt;
  }
  const bool forwarded = forwards(c, kind, packed);
  if (!leader) {
    // With a proxy an election is latency. Half a response timeout without any leader is not an
    // election any more: the quorum is gone, and no client should wait to be told.
    bool gone = now_ms - leaderless_since_ms >= options.response_timeout_ms / 2;
    return !forwarded || gone ? std::optional(Answer::kNoLeader) : std::nullopt;
  }
  return forwarded ? std::nullopt : std::optional(elsewhere(c));
}

std::optional<Answer> Router::State::disk_refusal(int64_t now_ms) const {
  if (disk_full) {
    return Answer::kDiskFull;
  }
  return now_ms < leader_full_until_ms ? std::optional(Answer::kLeaderDiskFull) : std::nullopt;
}

void Router::State::refuse_deferred(Connection& c, Answer why, Whom whom) {
  const bool stale_stay = !service_refusal();
  c.queue.remove_if([&](const Deferred& waiting) {
    const ReadOp& op = waiting.op;
    if ((is_local(op.kind) && stale_stay) ||
        (whom == Whom::kNotForwarded && forwards(c, op.kind, op.packed))) {
      return false;
    }
    answer(op.to, op.kind, why, op.packed);
    no_longer_deferred(op.packed.size());
    return true;
  });
}

// Answers what waits here, but for stale reads that can be served. What was handed over to Raft
// stays: it may be in a log. A read behind a write goes with that, however its client is answered.
void Router::State::refuse_waiting(Answer why, int64_t now_ms, Whom whom) {
  for (Connection* c : deferred) {
    refuse_deferred(*c, why, whom);
  }
  for (router::OpenBatch& batch : open) {
    kill_open(batch, why, now_ms);
  }
  auto refuse_reads = [&](std::vector<router::WaitingRead>& reads) {
    std::vector<router::WaitingRead> waiting = std::exchange(reads, {});
    for (router::WaitingRead& read : waiting) {
      if (whom == Whom::kNotForwarded && forwards(*read.connection, read.op.kind, read.op.packed)) {
        reads.push_back(std::move(read));
        continue;
      }
      answer(read.op.to, read.op.kind, why, read.op.packed);
      read_over(*read.connection, 1, 1);
    }
  };
  refuse_reads(gathering);
  if (round) {
    refuse_reads(round->reads);
    if (round->reads.empty()) {
      round.reset();
    }
  }
  if (service != Service::kUp) {
    refuse_indexed(why);
    for (const ReadOp& op : std::exchange(stale, {})) {
      answer(op.to, op.kind, why);
    }
    for (const router::Run& run : std::exchange(stale_runs, {})) {
      read_over(*run.connection, run.count, 0);
    }
  }
}

// raft.follower-proxy no, and another node leads or none does.
void Router::State::refuse_not_forwarded(int64_t now_ms) {
  if (!options.follower_proxy && !leads()) {
    refuse_waiting(leader ? Answer::kMoved : Answer::kNoLeader, now_ms, Whom::kNotForwarded);
  }
}

// F25: the leader says that this node is not a member, so nothing that waits here may ever end. It
// need not be final (a removal that was not committed can be taken back), so this does not decide
// whether the node serves: set_service() does. Numbers that were handed over stay, to be sent as
// void.
void Router::State::give_up(int64_t now_ms) {
  for (router::Pending& p : pending) {
    time_out(p);
  }
  refuse_waiting(service == Service::kRemoved ? Answer::kRemoved : Answer::kNoLeader, now_ms,
                 Whom::kAll);
  for (auto& [id, record] : executing) {
    if (!std::exchange(record.cancelled, true)) {
      effects.cancel_reads.push_back(id);
    }
  }
}

void Router::set_leader_tls_address(std::string address) {
  state_->leader_tls_address = std::move(address);
}

}  // namespace kiwi::resp
