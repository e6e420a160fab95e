#include "raft/configuration.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace kiwi::raft {

namespace {

bool contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

bool majority(const std::vector<NodeId>& voters, const std::function<bool(NodeId)>& counts) {
  auto agreeing = static_cast<size_t>(std::count_if(voters.begin(), voters.end(), counts));
  return agreeing > voters.size() / 2;
}

LogIndex majority_index(const std::vector<NodeId>& voters,
                        const std::function<LogIndex(NodeId)>& match) {
  if (voters.empty()) {
    return LogIndex{};
  }
  std::vector<LogIndex> matches;
  matches.reserve(voters.size());
  for (NodeId id : voters) {
    matches.push_back(match(id));
  }
  // Descending: the element at n/2 is reached by n/2 + 1 voters.
  std::sort(matches.begin(), matches.end(), std::greater<>());
  return matches[voters.size() / 2];
}

bool ordered_unique(const std::vector<NodeId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

}  // namespace

const Member* Configuration::find(NodeId id) const {
  auto it =
      std::lower_bound(members.begin(), members.end(), id,
                       [](const Member& member, NodeId wanted) { return member.id < wanted; });
  return it != members.end() && it->id == id ? &*it : nullptr;
}

bool Configuration::is_voter(NodeId id) const {
  return contains(voters, id) || contains(outgoing_voters, id);
}

bool Configuration::has(NodeId id, const Incarnation& incarnation) const {
  const Member* member = find(id);
  return member != nullptr && member->incarnation == incarnation;
}

bool has_quorum(const Configuration& configuration, const std::function<bool(NodeId)>& counts) {
  return majority(configuration.voters, counts) &&
         (!configuration.is_joint() || majority(configuration.outgoing_voters, counts));
}

LogIndex quorum_index(const Configuration& configuration,
                      const std::function<LogIndex(NodeId)>& match) {
  LogIndex incoming = majority_index(configuration.voters, match);
  if (!configuration.is_joint()) {
    return incoming;
  }
  return std::min(incoming, majority_index(configuration.outgoing_voters, match));
}

Member held_by(uint32_t cluster_version, Member member) {
  if (cluster_version < kMemberLabelsSince) {
    member.tls_client_address.clear();
    member.labels.clear();
  }
  return member;
}

bool is_sole_voter(const Configuration& configuration, NodeId id) {
  return !configuration.is_joint() && configuration.voters.size() == 1 &&
         configuration.voters.front() == id;
}

std::string configuration_error(const Configuration& configuration) {
  for (size_t i = 1; i < configuration.members.size(); ++i) {
    if (!(configuration.members[i - 1].id < configuration.members[i].id)) {
      return "members are not in order of their ids";
    }
  }
  if (!configuration.members.empty() && !configuration.members.front().id) {
    return "a member has the id 0";
  }
  if (configuration.voters.empty()) {
    return "no voter would be left";
  }
  for (const auto* half : {&configuration.voters, &configuration.outgoing_voters}) {
    if (!ordered_unique(*half)) {
      return "voters are not in order of their ids";
    }
    for (NodeId id : *half) {
      if (configuration.find(id) == nullptr) {
        return "voter " + std::to_string(id.value) + " is not a member";
      }
    }
  }
  if (!ordered_unique(configuration.removed_ids)) {
    return "removed ids are not in order";
  }
  for (NodeId id : configuration.removed_ids) {
    // While joint, a voter that is being removed is a member of the outgoing half only.
    bool leaving =
        contains(configuration.outgoing_voters, id) && !contains(configuration.voters, id);
    if (configuration.find(id) != nullptr && !leaving) {
      return "node id " + std::to_string(id.value) + " was removed and cannot be used again";
    }
  }
  return {};
}

}  // namespace kiwi::raft
