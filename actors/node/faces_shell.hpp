// What the faces of this node (resp/face.hpp) need of its cluster: where its members show them,
// where clients are sent, who has what (WAIT). Thin; on the client loop.
#pragma once

#include <string>

#include "actors/messages.hpp"
#include "actors/node/announcement_shell.hpp"
#include "actors/node/face_note.hpp"
#include "actors/node/node_parts.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

class FacesShell {
 public:
  explicit FacesShell(NodeParts& node)
      : node_(node),
        announcement_(node, [this](NodeId to, const FaceNote& note) { tell(to, note); }) {}

  void fill(resp::NodeContext& context);
  void timer();
  // False: it is another kind of note.
  bool take(const PeerNote& from);
  void observe(const RaftReport& report);
  void options_changed();
  void look_after_serving_waits();
  std::string cluster_address(const raft::Member& member) const;

 private:
  void look_for_leader();
  void tell_of_failover();
  void watch_replicas();
  void tell(NodeId to, const FaceNote& note) const;
  void take(NodeId from, const MatchAskNote& note);
  void take(NodeId from, const MatchNote& note);
  template <class Note>
  void take(NodeId from, const Note& note) {
    announcement_.take(from, note);
  }

  NodeParts& node_;
  AnnouncementShell announcement_;
  resp::FailoverNews failover_news_;
  bool watching_replicas_ = false;
};

}  // namespace kiwi::actors
