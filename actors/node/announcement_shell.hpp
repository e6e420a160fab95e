// The announced master (Announcement), and what Sentinel's clients are told of it: who serves,
// under which names they ask, events when something changed. Thin; on the client loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "actors/node/announcement.hpp"
#include "actors/node/face_note.hpp"
#include "actors/node/node_parts.hpp"

namespace kiwi::actors {

class AnnouncementShell {
 public:
  using Tell = std::function<void(NodeId to, const FaceNote& note)>;

  AnnouncementShell(NodeParts& node, Tell tell)
      : node_(node),
        tell_(std::move(tell)),
        announcement_(node.facts, node.options.raft_election_timeout) {}

  void fill(resp::Admin& admin);
  void timer();
  void tell_what_is(NodeId peer);  // whose link is up

  void take(NodeId from, const AnnouncedNote& note);
  void take(NodeId from, const WishNote& note);
  void take(NodeId from, const ServingNote& note);
  void take(NodeId from, const MasterNamesNote& note);

 private:
  std::string fail_over();
  NodeId other_master() const;
  MemberState state_of(NodeId node) const;
  void notice_links(int64_t now_ms) const;
  bool serves() const;
  void look();
  void announced();
  void tell_all(const FaceNote& note) const;
  void tell_serving();
  void tell_names();
  void tell_events();
  void pursue_wish(int64_t now_ms);

  NodeParts& node_;
  Tell tell_;
  Announcement announcement_;
  struct Wish {
    NodeId node;
    int64_t until_ms = 0;
  };
  std::optional<Wish> wish_;  // of an operator, here
  bool said_serves_ = false;
  bool said_drains_ = false;
  std::string configured_names_;
};

}  // namespace kiwi::actors
