// Node 2 of a cluster of three, as sessions see it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

inline ClusterId cluster_id() {
  ClusterId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<uint8_t>(0xa0 + i);
  }
  return id;
}
inline const std::string kDbid = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
inline std::string name_of(int id) { return kDbid + "0000000" + std::to_string(id); }
inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

// Node 2 of three: node 1 leads, node 3 is gone.
struct ThreeNodes : TestNode {
  ThreeNodes() {
    raft::Status& raft = context.status.raft;
    raft.id = NodeId{2};
    raft.term = Term{7};
    raft.leader = NodeId{1};
    raft.commit = LogIndex{43};
    context.status.applied = LogIndex{42};
    raft.configuration.cluster = cluster_id();
    for (uint64_t id : {1, 2, 3}) {
      std::string port = std::to_string(7000 + id);
      raft.configuration.members.push_back(
          {NodeId{id}, {}, "10.0.0." + std::to_string(id) + ":" + port, "10.0.0.9:1" + port});
      raft.configuration.voters.push_back(NodeId{id});
    }
    context.status.committed = raft.configuration;
    context.status.links[NodeId{1}] = {.up = true, .connected_at_ms = 1000, .connections = 1};
    context.status.links[NodeId{3}] = {.up = false, .connected_at_ms = -1};
    context.monotonic_ms = [] { return int64_t{61'000}; };
    context.deliver = [this](ReplyBatch batch) { delivered.push_back(std::move(batch)); };
  }
  void lead() {
    raft::Status& raft = context.status.raft;
    raft.leader = raft.id;
    raft.role = raft::Role::kLeader;
    for (const raft::Member& member : raft.configuration.members) {
      if (member.id != raft.id) {
        raft::PeerStatus& peer = raft.peers.emplace_back();
        peer.member = member;
        peer.match = LogIndex{member.id == NodeId{1} ? 42U : 7U};
      }
    }
  }
  // What came later, in order, through the session.
  std::string later(TestClient& client) {
    for (const ReplyBatch& batch : std::exchange(delivered, {})) {
      client.session.reply(batch, client.now_ms);
    }
    return client.session.take_output();
  }
  std::vector<ReplyBatch> delivered;
};

// As clients of raft.dialect redisraft see the node.
struct RaftClient : TestClient {
  explicit RaftClient(TestNode& node, ConnectionId id = 7)
      : TestClient(node, id, Face::kRedisRaft) {}
};

}  // namespace kiwi::resp
