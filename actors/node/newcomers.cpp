#include "actors/node/newcomers.hpp"

#include <algorithm>

#include "resp/texts.hpp"

namespace kiwi::actors {

std::string sentence(const NewcomerAnswer& answer) {
  switch (answer.refusal) {
    case NewcomerRefusal::kNone:
      return {};
    case NewcomerRefusal::kNoCluster:
      return std::string(resp::texts::kNoCluster);
    case NewcomerRefusal::kUsedId:
      return "ERR node id has already been used in this cluster";
    case NewcomerRefusal::kBadAddress:
      return "ERR invalid node address";
    case NewcomerRefusal::kNoAnswer:
      return "ERR no new node answers at " + answer.address + ": " + answer.detail;
    case NewcomerRefusal::kOtherNode:
      return "ERR invalid node id: the node there is node " + std::to_string(answer.who.value);
    case NewcomerRefusal::kMemberThere:
      return "ERR the node there is a member of a cluster already";
    case NewcomerRefusal::kOtherBuild:
      return "ERR the node there cannot be a member: " + answer.detail;
  }
  return {};
}

uint64_t Newcomers::add(const resp::NodeAddress& node) {
  const uint64_t id = next_++;
  Request& request = requests_[id];
  // A member that is named with another address has moved there, or a new life of it is there.
  const raft::Configuration& now = cluster_.committed;
  const raft::Member* known = node.id ? now.find(node.id) : nullptr;
  const bool moved = known != nullptr && known->client_address != node.client;
  const bool used =
      known != nullptr || std::ranges::find(now.removed_ids, node.id) != now.removed_ids.end();
  request.kind = moved ? Kind::kMove : Kind::kAdd;
  if (!cluster_.core_runs) {
    request.refusal.refusal = NewcomerRefusal::kNoCluster;
  } else if (node.id && used && !moved) {
    request.refusal.refusal = NewcomerRefusal::kUsedId;
  } else {
    ask(id, node);
  }
  proceed(id);
  return id;
}

uint64_t Newcomers::reconfigure(const std::vector<resp::NodeAddress>& nodes) {
  const uint64_t id = next_++;
  Request& request = requests_[id];
  request.kind = Kind::kReconfigure;
  for (const resp::NodeAddress& node : nodes) {
    const raft::Member* known = node.id ? cluster_.committed.find(node.id) : nullptr;
    if (known != nullptr) {
      request.known.push_back(*known);
    } else {
      ask(id, node);
    }
  }
  proceed(id);
  return id;
}

void Newcomers::ask(uint64_t request, const resp::NodeAddress& node) {
  const std::string text = node.peer.empty() ? node.client : node.client + "/" + node.peer;
  Result<config::PeerAddress> address = config::parse_node_address(text);
  if (!address) {
    requests_[request].refusal.refusal = NewcomerRefusal::kBadAddress;
    return;
  }
  const uint64_t visit = next_++;
  ++requests_[request].open;
  asked_[visit] = {request, *address, node.id};
  VisitQuestion question;
  question.kind = VisitQuestion::Kind::kWho;
  effects_.calls.push_back({visit, address->peer, std::move(question)});
}

void Newcomers::visited(uint64_t visit, const VisitOutcome& outcome) {
  const auto found = asked_.extract(visit);
  if (!found) {
    return;
  }
  const Asked& asked = found.mapped();
  Request& request = requests_[asked.request];
  --request.open;
  NewcomerAnswer answer = judge(asked, outcome);
  if (answer.refusal != NewcomerRefusal::kNone) {
    request.refusal = std::move(answer);
  } else {
    raft::Member member = outcome.reply->member;
    member.client_address = asked.address.client.text();
    member.peer_address = asked.address.peer.text();
    request.fresh.push_back(std::move(member));
    request.version_max = outcome.reply->build.cluster_version_max;
  }
  proceed(asked.request);
}

NewcomerAnswer Newcomers::judge(const Asked& asked, const VisitOutcome& outcome) const {
  NewcomerAnswer answer;
  answer.address = asked.address.peer.text();
  if (!outcome.reply || !outcome.reply->yes()) {
    answer.refusal = NewcomerRefusal::kNoAnswer;
    answer.detail = outcome.reply ? sentence(*outcome.reply) : outcome.problem;
    return answer;
  }
  const VisitReply& reply = *outcome.reply;
  answer.who = reply.member.id;
  if (asked.wanted && reply.member.id != asked.wanted) {
    answer.refusal = NewcomerRefusal::kOtherNode;
  } else if (!reply.empty_node &&
             !(asked.wanted && cluster_.committed.has(asked.wanted, reply.member.incarnation))) {
    answer.refusal = NewcomerRefusal::kMemberThere;
  } else if (answer.detail = misfit(cluster_.build, reply.build); !answer.detail.empty()) {
    answer.refusal = NewcomerRefusal::kOtherBuild;
  }
  return answer;
}

// All that had to be asked was asked.
void Newcomers::proceed(uint64_t id) {
  const auto found = requests_.find(id);
  if (found->second.open > 0) {
    return;
  }
  Request& request = found->second;
  if (request.refusal.refusal != NewcomerRefusal::kNone) {
    effects_.refused.push_back({id, std::move(request.refusal)});
  } else if (request.kind == Kind::kAdd) {
    effects_.orders.push_back({id, AddMember{request.fresh.front(), request.version_max}});
  } else if (request.kind == Kind::kMove) {
    effects_.orders.push_back({id, MoveMember{request.fresh.front()}});
  } else {
    Reconfigure wanted{std::move(request.known)};
    std::ranges::copy(request.fresh, std::back_inserter(wanted.members));
    std::ranges::copy(request.fresh, std::back_inserter(to_welcome_));
    effects_.orders.push_back({id, std::move(wanted)});
  }
  requests_.erase(found);
}

void Newcomers::ordered(const AdminOrder& order, const OrderAnswer& answer) {
  const auto* add = std::get_if<AddMember>(&order);
  if (add != nullptr && answer.done()) {
    welcome(add->member);
  }
}

void Newcomers::tick() {
  std::erase_if(to_welcome_, [this](const raft::Member& member) {
    if (!cluster_.committed.has(member.id, member.incarnation)) {
      return false;
    }
    welcome(member);
    return true;
  });
}

// It may be told later as well, by raft.join.
void Newcomers::welcome(const raft::Member& member) {
  if (Result<config::HostPort> address = config::parse_host_port(member.peer_address)) {
    VisitQuestion question;
    question.kind = VisitQuestion::Kind::kWelcome;
    question.configuration = cluster_.committed;
    effects_.calls.push_back({0, *address, std::move(question)});
  }
}

}  // namespace kiwi::actors
