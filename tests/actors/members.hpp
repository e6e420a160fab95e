// Members as the tests of a node's life know them: node 3 is host:6003, its peer port host:16003.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "raft/types.hpp"

namespace kiwi::actors::test {

inline raft::Member member(uint64_t id, uint8_t life = 1) {
  raft::Member m;
  m.id = NodeId{id};
  m.incarnation.bytes.fill(static_cast<uint8_t>(16 * id + life));
  m.client_address = "host:" + std::to_string(6000 + id);
  m.peer_address = "host:" + std::to_string(16000 + id);
  return m;
}

inline raft::Configuration members(std::initializer_list<uint64_t> ids) {
  raft::Configuration c;
  c.cluster.bytes.fill(7);
  for (const uint64_t id : ids) {
    c.members.push_back(member(id));
    c.voters.push_back(NodeId{id});
  }
  return c;
}

}  // namespace kiwi::actors::test
