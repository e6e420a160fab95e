// Node: becoming a member of a running cluster, and letting others in. A node without a cluster and
// a member of one visit each other's peer ports (visit.hpp): kJoin asks to be let in and is told
// whom to link to; kWho and kWelcome are the same from the other side (RAFT.NODE ADD). What follows
// is what every member knows already: a link, a hello that says kMember, the log (bootstrap.hpp).
#include <algorithm>
#include <memory>
#include <utility>

#include "actors/data_directory.hpp"
#include "actors/node/node_state.hpp"
#include "actors/peers/visit.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"
#include "rocks/files.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kComeBackMs = 1500;  // for the leader to see a wiped node by itself
constexpr int64_t kAskAgainMs = 1000;
constexpr uint64_t kWriteAgainRounds = 10;  // a second
constexpr int64_t kJoinByHandMs = 60'000;
constexpr int64_t kWelcomeMs = 3000;
constexpr int64_t kAskWhetherRemovedMs = 2000;

}  // namespace

// ---------------------------------------------------------------- whom a new node knows

std::string Node::State::acquaintances_path() const {
  return options.dir + "/" + data_directory::kMembers;
}

// Kept on disk until the log tells: a node that stops between its admission and its first entry
// would not find back otherwise.
void Node::State::get_acquainted(const raft::Configuration& members) {
  if (members.members.empty() || (replica_actor && !configuration.members.empty())) {
    return;  // nothing new, or the log tells better
  }
  configuration = members;
  acquaintances_unwritten = true;
  write_acquaintances();
  ensure_links();
}

// Tried again until it is on disk: the file is written anew each time.
void Node::State::write_acquaintances() {
  const Result<void> written =
      rocks::write_file_durably(acquaintances_path(), raft::encode_configuration(configuration));
  acquaintances_unwritten = !written;
  if (!written) {
    log_warning("whom this node is to link to is not on disk yet: " + written.error().text);
    return;
  }
  failpoint("members-noted");
}

void Node::State::remember_acquaintances() {
  Result<std::string> bytes = rocks::read_whole_file(acquaintances_path());
  if (!bytes || bytes->empty()) {
    return;
  }
  if (Result<raft::Configuration> members = raft::decode_configuration(*bytes); members) {
    configuration = std::move(*members);
  } else {
    log_warning("the file " + acquaintances_path() +
                " is not used, for it is damaged: " + members.error().text);
  }
}

// ---------------------------------------------------------------- the new node asks

void Node::State::join_by_hand(const std::vector<std::string>& addresses, resp::AdminDone done) {
  if (!bootstrap) {
    done({.error = "ERR Already cluster member", .node = {}, .cluster = {}, .detail = {}});
    return;
  }
  std::vector<config::PeerAddress> parsed;
  for (const std::string& address : addresses) {
    Result<config::PeerAddress> one = config::parse_node_address(address);
    if (!one) {
      done({.error = "ERR invalid node address", .node = {}, .cluster = {}, .detail = {}});
      return;
    }
    parsed.push_back(std::move(*one));
  }
  if (joining) {
    done({.error = "NOCLUSTER No Raft Cluster (joining now)",
          .node = {},
          .cluster = {},
          .detail = {}});
    return;
  }
  joining.emplace();
  joining->addresses = std::move(parsed);
  joining->done = std::move(done);
  joining->deadline_ms = ClientLoop::monotonic_ms() + kJoinByHandMs;
  joining->rounds_left = joining->addresses.size();
  joining_timer();
}

void Node::State::start_joining() {
  if (options.raft_join.empty()) {
    return;
  }
  Result<std::vector<config::PeerAddress>> parsed = config::parse_node_addresses(options.raft_join);
  if (parsed) {
    joining.emplace();
    joining->addresses = std::move(*parsed);
  }
}

// This node was wiped, and somebody of raft.peers said so. The leader replaces it when it sees it;
// but the list may be older than the cluster and not name the leader, so those that it names are
// asked, too, as by a node that joins.
void Node::State::start_coming_back() {
  if (joining || options.raft_peers.empty()) {
    return;
  }
  joining.emplace();
  for (const config::PeerAddress& peer : options.raft_peers) {
    if (peer.id != options.node_id()) {
      joining->addresses.push_back(peer);
    }
  }
  joining->again_ms = ClientLoop::monotonic_ms() + kComeBackMs;
}

// One address after the other, until a member lets this node in; by hand, each of them once.
void Node::State::joining_timer() {
  if (acquaintances_unwritten && timer_rounds % kWriteAgainRounds == 0) {
    write_acquaintances();
  }
  if (!joining || joining->asking || joining->admitted) {
    if (joining && joining->admitted && joining->done &&
        ClientLoop::monotonic_ms() >= joining->deadline_ms) {
      joining_over("TIMEOUT the cluster let this node in, and its log has not come yet");
    }
    return;
  }
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (now_ms < joining->again_ms) {
    return;
  }
  if (joining->done && joining->rounds_left-- == 0) {
    joining_over(joining->unknown ? "TIMEOUT a member was asked to let this node in and gave no "
                                    "answer; it may happen yet"
                                  : "ERR failed to connect to cluster for join, please check logs");
    return;
  }
  joining->asking = true;
  const config::PeerAddress& address =
      joining->addresses[joining->next++ % joining->addresses.size()];
  VisitQuestion question;
  question.kind = VisitQuestion::Kind::kJoin;
  question.member = self();
  Visit visit{options.node_id(), options.raft_cluster_secret, address.peer,
              encode_question(question), options.raft_response_timeout + kAskAgainMs};
  pay_visit(*client_loop, std::move(visit), [this](const Result<VisitAnswer>& answer, bool asked) {
    join_answered(answer, asked);
  });
}

void Node::State::join_answered(const Result<VisitAnswer>& answer, bool asked) {
  Result<VisitReply> reply =
      answer ? decode_reply(answer->text) : Result<VisitReply>(answer.error());
  const std::string error = !reply ? reply.error().text : reply->error;
  if (error.empty()) {
    failpoint("admission-received");
  }
  if (!joining) {
    // A link said it first, and the log is empty yet: the way to the leader is in the answer.
    if (error.empty()) {
      get_acquainted(reply->configuration);
    }
    return;
  }
  joining->asking = false;
  joining->unknown = joining->unknown || (!reply && asked) || error.starts_with("TIMEOUT");
  joining->again_ms = joining->done ? 0 : ClientLoop::monotonic_ms() + kAskAgainMs;
  if (!error.empty()) {
    if (joining->said != error) {
      joining->said = error;
      log_warning("joining a cluster: " + error);
    }
    if (joining->done && reply) {
      joining_over(error.starts_with("TIMEOUT") || !joining->unknown
                       ? error  // a member said no
                       : "TIMEOUT another member was asked before and gave no answer: " + error);
    } else {
      joining_timer();
    }
    return;
  }
  joining->admitted = true;
  log_notice("node " + std::to_string(answer->node.value) +
             " let this node in; waiting for the log");
  get_acquainted(reply->configuration);
}

// Called with an empty error when the core runs.
void Node::State::joining_over(const std::string& error) {
  if (!joining) {
    return;
  }
  const resp::AdminDone done = std::move(joining->done);
  joining.reset();
  if (done) {
    done({.error = error,
          .node = options.node_id(),
          .cluster = storage->identity().cluster,
          .detail = {}});
  }
}

// ---------------------------------------------------------------- a member is asked

void Node::State::visited(NodeId from,
                          const std::string& question,
                          std::function<void(std::string)> tell) {
  Result<VisitQuestion> asked = decode_question(question);
  VisitReply reply;
  if (!asked) {
    reply.error = asked.error().text;
  } else if (asked->kind == VisitQuestion::Kind::kJoin) {
    return let_in(from, asked->member, std::move(tell));
  } else if (asked->kind == VisitQuestion::Kind::kWho) {
    reply.member = self();
    reply.empty_node = bootstrap.has_value();
    reply.configuration = committed;
  } else if (!bootstrap) {
    reply.error = "ERR Already cluster member";
  } else {
    log_notice("node " + std::to_string(from.value) + " took this node into its cluster");
    if (joining) {
      joining->admitted = true;
    }
    get_acquainted(asked->configuration);
  }
  tell(encode_reply(reply));
}

void Node::State::let_in(NodeId from,
                         const raft::Member& member,
                         std::function<void(std::string)> tell) {
  VisitReply no;
  if (!replica_actor) {
    no.error = "NOCLUSTER that node is a member of no cluster itself";
  } else if (member.id != from || member.id == options.node_id()) {
    no.error = "ERR node id has already been used in this cluster";
  }
  if (!no.error.empty()) {
    tell(encode_reply(no));
    return;
  }
  order(AddMember{member}, [this, tell = std::move(tell)](const resp::AdminAnswer& answer) {
    VisitReply reply;
    reply.error = answer.error;
    reply.configuration = committed;
    tell(encode_reply(reply));
  });
}

// A node that hears no leader may have been removed while it was away: nobody dials it any more. It
// asks one member after the other (F25).
void Node::State::ask_whether_removed() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (!replica_actor || raft_status.leader || told_removed || configuration.members.empty()) {
    leaderless_since_ms = now_ms;
    return;
  }
  if (now_ms - leaderless_since_ms < kAskWhetherRemovedMs) {
    return;
  }
  leaderless_since_ms = now_ms;
  const raft::Member& member =
      configuration.members[members_asked++ % configuration.members.size()];
  Result<config::HostPort> address = config::parse_host_port(member.peer_address);
  if (!address || member.id == options.node_id()) {
    return;
  }
  VisitQuestion question;
  question.kind = VisitQuestion::Kind::kWho;
  Visit visit{options.node_id(), options.raft_cluster_secret, *address, encode_question(question),
              kWelcomeMs};
  pay_visit(*client_loop, std::move(visit), [this](const Result<VisitAnswer>& answer, bool) {
    Result<VisitReply> reply =
        answer ? decode_reply(answer->text) : Result<VisitReply>(answer.error());
    const raft::Identity& own = storage->identity();
    if (reply && reply->configuration.cluster == own.cluster &&
        !reply->configuration.has(own.node, own.incarnation) &&
        std::ranges::find(reply->configuration.removed_ids, own.node) !=
            reply->configuration.removed_ids.end()) {
      removed_says(answer->node);
    }
  });
}

void Node::State::removed_says(NodeId who) {
  if (told_removed) {
    return;
  }
  told_removed = true;
  gate.set_removed(true);
  log_warning("node " + std::to_string(who.value) +
              " says that this node was removed from the cluster; it serves nothing any more");
}

// ---------------------------------------------------------------- RAFT.NODE ADD, RAFT.RECONFIGURE

// Asks the node at an address who it is. The answer's error is empty, or a whole error reply.
void Node::State::ask_who(const resp::NodeAddress& node, const WhoDone& done) {
  const std::string text = node.peer.empty() ? node.client : node.client + "/" + node.peer;
  Result<config::PeerAddress> address = config::parse_node_address(text);
  if (!address) {
    done("ERR invalid node address", {});
    return;
  }
  VisitQuestion question;
  question.kind = VisitQuestion::Kind::kWho;
  Visit visit{options.node_id(), options.raft_cluster_secret, address->peer,
              encode_question(question), kWelcomeMs};
  pay_visit(
      *client_loop, std::move(visit),
      [this, done, address = *address, wanted = node.id](const Result<VisitAnswer>& answer, bool) {
        Result<VisitReply> reply =
            answer ? decode_reply(answer->text) : Result<VisitReply>(answer.error());
        if (!reply || !reply->error.empty()) {
          done("ERR no new node answers at " + address.peer.text() + ": " +
                   (reply ? reply->error : reply.error().text),
               {});
        } else if (wanted && reply->member.id != wanted) {
          done("ERR invalid node id: the node there is node " +
                   std::to_string(reply->member.id.value),
               {});
        } else if (!reply->empty_node &&
                   !(wanted && committed.has(wanted, reply->member.incarnation))) {
          done("ERR the node there is a member of a cluster already", {});
        } else {
          raft::Member member = reply->member;
          member.client_address = address.client.text();
          member.peer_address = address.peer.text();
          done({}, member);
        }
      });
}

// Tells a node that was added whom to link to. It may be told later as well, by raft.join.
void Node::State::welcome(const raft::Member& member) {
  Result<config::HostPort> address = config::parse_host_port(member.peer_address);
  if (!address) {
    return;
  }
  VisitQuestion question;
  question.kind = VisitQuestion::Kind::kWelcome;
  question.configuration = committed;
  Visit visit{options.node_id(), options.raft_cluster_secret, *address, encode_question(question),
              kWelcomeMs};
  pay_visit(*client_loop, std::move(visit), [](const Result<VisitAnswer>& answer, bool) {
    if (!answer) {
      log_notice("welcoming a new node: " + answer.error().text);
    }
  });
}

void Node::State::add_node(resp::NodeAddress node, resp::AdminDone done) {
  if (!replica_actor) {
    done({.error = "NOCLUSTER No Raft Cluster", .node = {}, .cluster = {}, .detail = {}});
    return;
  }
  // A member that is named with another address has moved there, or a new life of it is there.
  const raft::Member* known = node.id ? committed.find(node.id) : nullptr;
  const bool moved = known != nullptr && known->client_address != node.client;
  const bool used = known != nullptr || std::ranges::find(committed.removed_ids, node.id) !=
                                            committed.removed_ids.end();
  if (node.id && used && !moved) {
    done({.error = "ERR node id has already been used in this cluster",
          .node = {},
          .cluster = {},
          .detail = {}});
    return;
  }
  ask_who(node, [this, moved, done](const std::string& error, const raft::Member& member) {
    if (!error.empty()) {
      done({.error = error, .node = {}, .cluster = {}, .detail = {}});
      return;
    }
    if (moved) {
      order(MoveMember{member}, done);
      return;
    }
    order(AddMember{member}, [this, member, done](const resp::AdminAnswer& answer) {
      if (answer.error.empty()) {
        welcome(member);
      }
      done(answer);
    });
  });
}

void Node::State::reconfigure(std::vector<resp::NodeAddress> nodes, resp::AdminDone done) {
  struct Gathering {
    Reconfigure wanted;
    std::vector<raft::Member> fresh;
    size_t open = 0;
    std::string error;
  };
  auto gathering = std::make_shared<Gathering>();
  std::vector<resp::NodeAddress> unknown;
  for (resp::NodeAddress& node : nodes) {
    const raft::Member* known = node.id ? committed.find(node.id) : nullptr;
    if (known != nullptr) {
      gathering->wanted.members.push_back(*known);
    } else {
      unknown.push_back(std::move(node));
    }
  }
  gathering->open = unknown.size() + 1;
  const auto one_is_known = [this, gathering, done] {
    if (--gathering->open > 0) {
      return;
    }
    if (!gathering->error.empty()) {
      done({.error = gathering->error, .node = {}, .cluster = {}, .detail = {}});
      return;
    }
    order(std::move(gathering->wanted), done);
    welcome_when_in(gathering->fresh);
  };
  for (const resp::NodeAddress& node : unknown) {
    ask_who(node, [gathering, one_is_known](const std::string& error, const raft::Member& member) {
      if (error.empty()) {
        gathering->wanted.members.push_back(member);
        gathering->fresh.push_back(member);
      } else {
        gathering->error = error;
      }
      one_is_known();
    });
  }
  one_is_known();
}

void Node::State::welcome_when_in(const std::vector<raft::Member>& members) {
  for (const raft::Member& member : members) {
    to_welcome.push_back(member);
  }
}

void Node::State::welcome_timer() {
  std::erase_if(to_welcome, [this](const raft::Member& member) {
    if (!committed.has(member.id, member.incarnation)) {
      return false;
    }
    welcome(member);
    return true;
  });
}

}  // namespace kiwi::actors
