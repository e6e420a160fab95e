// Which node the members announce as master to clients that ask a Sentinel. The leader decides and
// tells all; the highest announcement wins. It stays while its node serves and is linked, even when
// leadership moves, for clients drop their connections on every change, with commands under way. It
// moves to the leader when its node is down for the leader, drains, loads or is removed, or where
// an operator wishes it. A leader without a quorum of links announces nothing.
//
// Plain class: what it sees in, an announcement out. Owned by Node, client loop. Times are
// monotonic.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "actors/node/cluster_facts.hpp"
#include "config/base/ids.hpp"

namespace kiwi::actors {

struct Announced {
  Term term;  // of the leader that made it
  uint64_t counter = 0;
  NodeId node;
  auto operator<=>(const Announced&) const = default;

  // Grows with each announcement, as a Sentinel's config-epoch does.
  uint64_t epoch() const { return (term.value << 16) + counter; }
};

// What this node knows of another one, or of itself.
struct MemberState {
  bool linked = false;
  int64_t unlinked_since_ms = 0;  // else
  bool serves = false;
  bool drains = false;
};

class Announcement {
 public:
  // `patience_ms`: how long a node may be away before its place is given to another. The facts
  // outlive it.
  Announcement(const ClusterFacts& cluster, int64_t patience_ms)
      : cluster_(cluster), patience_ms_(patience_ms) {}

  const Announced& now() const { return now_; }

  // Another member's. True: it is news.
  bool take(const Announced& told);
  // An operator wishes it: the leader does it, if that node is fit.
  void wish(NodeId node) { wished_ = node; }
  // As often as anything may have changed. True: this node made an announcement.
  bool look(const std::function<MemberState(NodeId)>& state_of, int64_t now_ms);

 private:
  struct Sight {
    const std::function<MemberState(NodeId)>& state_of;
    int64_t now_ms = 0;
  };

  bool is_cut_off(const Sight& sight) const;
  bool is_fit(NodeId node, const Sight& sight, bool may_drain) const;
  NodeId fittest(const Sight& sight) const;
  void announce(NodeId node);

  const ClusterFacts& cluster_;
  int64_t patience_ms_;
  Announced now_;
  NodeId wished_;  // 0: nobody is
};

}  // namespace kiwi::actors
