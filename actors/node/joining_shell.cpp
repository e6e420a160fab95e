#include "actors/node/joining_shell.hpp"

#include <utility>

#include "actors/client_loop.hpp"
#include "actors/data_directory.hpp"
#include "actors/node/storage.hpp"
#include "actors/peers/visit.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/job_thread.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"
#include "resp/texts.hpp"
#include "rocks/files.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kWriteAgainRounds = 10;  // a second
constexpr int64_t kJoinReplyMs = 1000;      // beside the time that the leader has for it
constexpr int64_t kVisitMs = 3000;

std::string members_path(const config::Options& options) {
  return options.dir + "/" + data_directory::kMembers;
}

VisitOutcome outcome_of(const Result<VisitAnswer>& answer, bool asked) {
  VisitOutcome outcome;
  outcome.asked = asked;
  if (!answer) {
    outcome.problem = answer.error().text;
    return outcome;
  }
  outcome.node = answer->node;
  if (Result<VisitReply> reply = decode_reply(answer->text)) {
    outcome.reply = std::move(*reply);
  } else {
    outcome.problem = reply.error().text;
  }
  return outcome;
}

}  // namespace

void JoiningShell::fill(resp::Admin& admin) {
  admin.add_node = [this](const resp::NodeAddress& address, resp::AdminDone done) {
    newcomer_done_[newcomers_.add(address)] = std::move(done);
    carry_out(newcomers_.take_effects());
  };
  admin.reconfigure = [this](const std::vector<resp::NodeAddress>& nodes, resp::AdminDone done) {
    newcomer_done_[newcomers_.reconfigure(nodes)] = std::move(done);
    carry_out(newcomers_.take_effects());
  };
  admin.join = [this](const std::vector<std::string>& addresses, resp::AdminDone done) {
    join_by_hand(addresses, std::move(done));
  };
}

void JoiningShell::timer() {
  if (members_unwritten_ && node_.timer_rounds % kWriteAgainRounds == 0) {
    write_members();
  }
  joining_.tick(ClientLoop::monotonic_ms());
  carry_out(joining_.take_effects());
  newcomers_.tick();
  carry_out(newcomers_.take_effects());
  ask_whether_removed();
}

void JoiningShell::visit(const config::HostPort& address,
                         const VisitQuestion& question,
                         int64_t timeout_ms,
                         Heard heard) {
  VisitQuestion asked = question;
  asked.build = node_.facts.build;
  Visit visit{node_.facts.self, node_.peer_security, address, encode_question(asked), timeout_ms};
  pay_visit(*node_.client_loop, std::move(visit),
            [heard = std::move(heard)](const Result<VisitAnswer>& answer, bool was_asked) {
              heard(outcome_of(answer, was_asked));
            });
}

// ---------------------------------------------------------------- whom a new node knows

// Kept on disk until the log tells: a node that stops between its admission and its first entry
// would not find back otherwise. It links to them when they are, or when that failed: it is tried
// again, for a full disk may have room later.
void JoiningShell::get_acquainted(const raft::Configuration& members) {
  if (members.members.empty() || (node_.facts.core_runs && !node_.facts.latest.members.empty())) {
    return;  // nothing new, or the log tells better
  }
  node_.facts.latest = members;
  members_unwritten_ = true;
  write_members();
}

void JoiningShell::write_members() {
  if (std::exchange(writing_, true)) {
    return;
  }
  members_unwritten_ = false;
  node_.worker->post([this, path = members_path(node_.options),
                      bytes = raft::encode_configuration(node_.facts.latest)] {
    const Result<void> written = rocks::write_file_durably(path, bytes);
    if (written) {
      failpoint("members-noted");
    }
    node_.client_loop->post([this, written] { members_written(written); });
  });
}

void JoiningShell::members_written(const Result<void>& written) {
  writing_ = false;
  if (!written) {
    members_unwritten_ = true;
    log_warning("whom this node is to link to is not on disk yet: " + written.error().text);
  }
  node_.members_changed();
}

void JoiningShell::remember_members() {
  const std::string path = members_path(node_.options);
  Result<std::string> bytes = rocks::read_whole_file(path);
  if (!bytes || bytes->empty()) {
    return;
  }
  if (Result<raft::Configuration> members = raft::decode_configuration(*bytes); members) {
    node_.facts.latest = std::move(*members);
  } else {
    log_warning("the file " + path + " is not used, for it is damaged: " + members.error().text);
  }
}

// ---------------------------------------------------------------- the new node asks

void JoiningShell::start() {
  if (Result<std::vector<config::PeerAddress>> members =
          config::parse_node_addresses(node_.options.raft_join);
      members && !node_.options.raft_join.empty()) {
    joining_.by_option(std::move(*members));
  }
}

void JoiningShell::come_back() {
  std::vector<config::PeerAddress> others;
  for (const config::PeerAddress& peer : node_.options.raft_peers) {
    if (peer.id != node_.facts.self) {
      others.push_back(peer);
    }
  }
  joining_.come_back(std::move(others), ClientLoop::monotonic_ms());
}

void JoiningShell::join_by_hand(const std::vector<std::string>& addresses, resp::AdminDone done) {
  std::vector<config::PeerAddress> parsed;
  for (const std::string& address : addresses) {
    if (Result<config::PeerAddress> one = config::parse_node_address(address)) {
      parsed.push_back(std::move(*one));
    }
  }
  if (node_.facts.core_runs) {
    done(refused("ERR Already cluster member"));
  } else if (parsed.size() != addresses.size()) {
    done(refused("ERR invalid node address"));
  } else if (!joining_.by_hand(std::move(parsed), ClientLoop::monotonic_ms())) {
    done(refused(std::string(resp::texts::kJoiningNow)));
  } else {
    join_done_ = std::move(done);
    carry_out(joining_.take_effects());
  }
}

void JoiningShell::core_runs(bool removed) {
  removal_.start(removed);
  node_.gate.set_removed(removed);
  joining_.core_runs();
  carry_out(joining_.take_effects());
}

void JoiningShell::carry_out(const JoinEffects& effects) {
  if (effects.ask) {
    VisitQuestion question;
    question.kind = VisitQuestion::Kind::kJoin;
    question.member = node_.own.member;
    visit(*effects.ask, question, node_.options.raft_response_timeout + kJoinReplyMs,
          [this](const VisitOutcome& outcome) {
            if (outcome.reply && outcome.reply->yes()) {
              failpoint("admission-received");
            }
            joining_.answered(outcome, ClientLoop::monotonic_ms());
            carry_out(joining_.take_effects());
          });
  }
  if (effects.met) {
    get_acquainted(*effects.met);
  }
  if (effects.tell_operator && join_done_) {
    resp::AdminAnswer answer = refused(sentence(*effects.tell_operator));
    answer.node = node_.facts.self;
    answer.cluster = node_.own.cluster;
    std::exchange(join_done_, nullptr)(answer);
  }
}

// ---------------------------------------------------------------- a member is asked

void JoiningShell::visited(NodeId from,
                           const std::string& question,
                           std::function<void(std::string)> tell) {
  Result<VisitQuestion> asked = decode_question(question);
  VisitReply reply;
  reply.build = node_.facts.build;
  if (!asked) {
    reply.refusal = VisitRefusal::kGarbled;
  } else if (asked->kind == VisitQuestion::Kind::kJoin &&
             !misfit(node_.facts.build, asked->build).empty()) {
    reply.refusal = VisitRefusal::kOtherBuild;
    reply.asker = asked->build;
  } else if (asked->kind == VisitQuestion::Kind::kJoin) {
    return let_in(from, *asked, std::move(tell));
  } else if (asked->kind == VisitQuestion::Kind::kWho) {
    reply.member = node_.own.member;
    reply.empty_node = !node_.facts.core_runs;
    reply.configuration = node_.facts.committed;
  } else if (node_.facts.core_runs) {
    reply.refusal = VisitRefusal::kMemberAlready;
  } else {
    log_notice("node " + std::to_string(from.value) + " took this node into its cluster");
    joining_.welcomed(asked->configuration);
    carry_out(joining_.take_effects());
  }
  tell(encode_reply(reply));
}

void JoiningShell::let_in(NodeId from,
                          const VisitQuestion& asked,
                          std::function<void(std::string)> tell) {
  const raft::Member& member = asked.member;
  VisitReply no;
  no.build = node_.facts.build;
  if (!node_.facts.core_runs) {
    no.refusal = VisitRefusal::kNoClusterHere;
  } else if (member.id != from || member.id == node_.facts.self) {
    no.refusal = VisitRefusal::kOrder;
    no.order.refusal = OrderRefusal::kUsedId;
  }
  if (!no.yes()) {
    tell(encode_reply(no));
    return;
  }
  const AddMember add{member, asked.build.cluster_version_max};
  const auto let = [this, add, tell = std::move(tell)](bool is_there) {
    const auto answer = [this, tell](const AdminOrder&, const OrderAnswer& said) {
      VisitReply reply;
      reply.build = node_.facts.build;
      reply.refusal = said.done() ? VisitRefusal::kNone : VisitRefusal::kOrder;
      reply.order = said;
      reply.configuration = node_.facts.committed;
      tell(encode_reply(reply));
    };
    if (is_there) {
      orders_.order(add, answer);
    } else {
      OrderAnswer used;
      used.refusal = OrderRefusal::kUsedId;
      answer(add, used);
    }
  };
  const raft::Member* known = node_.facts.committed.find(member.id);
  if (known != nullptr && known->incarnation != member.incarnation) {
    looked_[homecoming_.look(member)] = let;  // its directory was lost, or it is somebody else
    carry_out(homecoming_.take_effects());
  } else {
    let(true);
  }
}

void JoiningShell::returned(const std::vector<raft::Member>& newcomers) {
  homecoming_.returned(newcomers, ClientLoop::monotonic_ms());
  carry_out(homecoming_.take_effects());
}

void JoiningShell::carry_out(HomecomingEffects effects) {
  for (const HomecomingEffects::Call& call : effects.calls) {
    visit(call.address, VisitQuestion{}, kVisitMs,
          [this, id = call.visit](const VisitOutcome& outcome) {
            homecoming_.visited(id, outcome);
            carry_out(homecoming_.take_effects());
          });
  }
  for (const HomecomingEffects::Judged& judged : effects.judged) {
    looked_.extract(judged.look).mapped()(judged.is_there);
  }
  node_.ask_replica(std::move(effects.requests));
}

void JoiningShell::ask_whether_removed() {
  if (const auto member = removal_.tick(ClientLoop::monotonic_ms())) {
    visit(*member, VisitQuestion{}, kVisitMs, [this](const VisitOutcome& outcome) {
      if (outcome.reply && removal_.judge(*outcome.reply, node_.storage->identity())) {
        removed_says(outcome.node);
      }
    });
  }
}

void JoiningShell::removed_says(NodeId who) {
  if (removal_.learned()) {
    node_.gate.set_removed(true);
    log_warning("node " + std::to_string(who.value) +
                " says that this node was removed from the cluster; it serves nothing any more");
    node_.removed_for_good();
  }
}

void JoiningShell::replaced() {
  if (removal_.learned()) {
    node_.gate.set_removed(true);
    log_warning("the data directory " + node_.options.dir + " is of an earlier life of node " +
                std::to_string(node_.facts.self.value) +
                ": the cluster replaced it, and another process is the member of that id now. This "
                "one serves nothing any more: stop it");
  }
}

// ---------------------------------------------------------------- RAFT.NODE ADD, RAFT.RECONFIGURE

void JoiningShell::carry_out(NewcomerEffects effects) {
  for (const NewcomerEffects::Call& call : effects.calls) {
    visit(call.address, call.question, kVisitMs, [this, id = call.visit](const VisitOutcome& said) {
      if (id == 0 && !said.reply) {
        log_notice("welcoming a new node: " + said.problem);
      }
      newcomers_.visited(id, said);
      carry_out(newcomers_.take_effects());
    });
  }
  for (const NewcomerEffects::Refused& no : effects.refused) {
    newcomer_done_.extract(no.request).mapped()(refused(sentence(no.answer)));
  }
  for (NewcomerEffects::Ordered& ordered : effects.orders) {
    auto waiting = newcomer_done_.extract(ordered.request);
    orders_.order(std::move(ordered.order), [this, done = std::move(waiting.mapped())](
                                                const AdminOrder& what, const OrderAnswer& answer) {
      newcomers_.ordered(what, answer);
      carry_out(newcomers_.take_effects());
      done(orders_.admin_answer(what, answer));
    });
  }
}

}  // namespace kiwi::actors
