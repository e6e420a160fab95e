// Quorum arithmetic (§3, §4.3): pure functions of a configuration. While it is joint, every quorum
// needs a majority of both halves. An empty half has no quorum, except the outgoing one of a
// configuration that is not joint.
#pragma once

#include <functional>

#include "raft/types.hpp"

namespace kiwi::raft {

bool has_quorum(const Configuration& configuration, const std::function<bool(NodeId)>& counts);

// The highest index that a quorum has reached, by what `match` says of each voter.
LogIndex quorum_index(const Configuration& configuration,
                      const std::function<LogIndex(NodeId)>& match);

// What a configuration may hold of a member while the cluster version is that one.
Member held_by(uint32_t cluster_version, Member member);

bool is_sole_voter(const Configuration& configuration, NodeId id);

// Empty if well-formed, else what is wrong: members ordered and unique, voters members, at least
// one voter, no removed id among the members' ids unless it was replaced.
std::string configuration_error(const Configuration& configuration);

}  // namespace kiwi::raft
