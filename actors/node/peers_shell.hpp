// The links of a node, as far as they are its own: the peer port, one PeerLink for each peer, what
// is said on them before they are handed over (PeerDirectory), and the marks of this node's data
// directory (F52). Thin; on the client loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/node/founding_shell.hpp"
#include "actors/node/joining_shell.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/peer_directory.hpp"
#include "actors/node/version_raise.hpp"
#include "actors/peers/peer_link.hpp"
#include "actors/peers/peer_listener.hpp"

namespace kiwi::actors {

class PeersShell {
 public:
  PeersShell(NodeParts& node, FoundingShell& founding, JoiningShell& joining, OrdersShell& orders);

  Result<void> open_port();
  // Puts into force what these options say of secrets and certificates, for new links; those that
  // there are follow, one after the other. An error changes nothing.
  Result<void> secure(const config::Options& options);
  void ensure_links();
  void no_more_links() { closed_ = true; }
  void timer();

  // What the builds of the other members support, those of learners too (F46).
  std::vector<MemberVersion> versions() const;

  // ---- what the core and other nodes say
  void configuration_committed();
  void take(const PeerNote& from, const MarksNote& note);
  void take(NodeId from, const KnownMarksNote& note);
  void observe(const RaftReport& report);

 private:
  void tell_listener_of_members();
  void renew_links();
  void warn_of_expiry() const;
  void add_link(NodeId peer);
  void peer_said(const PeerHello& hello);
  void peer_gone(NodeId peer);
  void say(const PeerHello& hello, const HelloNews& news) const;
  void marks_of_peers_moved(const std::vector<KnownMarks::Item>& moved);
  void heed(const PeerDirectory::MarksNews& news, const std::string& proof_against_this);
  void store_marks_of_peers();
  void draw_mark();
  void marks_are_durable(const std::vector<raft::Mark>& marks);
  [[noreturn]] void end_as_old_copy(const std::string& proof) const;
  void member_lives(const raft::MemberLives& lives);
  void advise_join_option();

  NodeParts& node_;
  FoundingShell& founding_;
  JoiningShell& joining_;
  OrdersShell& orders_;
  PeerDirectory directory_;
  std::unique_ptr<PeerListener> listener_;
  std::map<NodeId, SpawnedLink> links_;
  bool closed_ = false;
  int64_t next_renewal_ms_ = 0;
  int64_t next_mark_ms_ = 0;
  bool mark_under_way_ = false;
  bool peers_store_under_way_ = false;
  bool peers_store_failed_ = false;  // it is tried again
  int64_t next_peers_store_ms_ = 0;
  bool join_option_advised_ = false;
};

}  // namespace kiwi::actors
