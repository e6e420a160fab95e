// What the faces of this node (resp/face.hpp) need of its cluster: where its members show them, and
// where clients are sent. Thin; on the client loop.
#pragma once

#include <string>

#include "actors/messages.hpp"
#include "actors/node/node_parts.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

class FacesShell {
 public:
  explicit FacesShell(NodeParts& node) : node_(node) {}

  void timer();
  void observe(const RaftReport& report);
  void options_changed();
  std::string cluster_address(const raft::Member& member) const;

 private:
  void look_for_leader();

  NodeParts& node_;
};

}  // namespace kiwi::actors
