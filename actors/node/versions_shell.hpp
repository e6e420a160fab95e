// What the state says of the whole cluster, for this node: the settings of C2 into its options, the
// cluster version (F46) to whoever writes a format; and, while this node leads, the seed of a new
// cluster's settings and the automatic raise. Thin; on the client loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/node/node_parts.hpp"
#include "actors/node/peers_shell.hpp"
#include "actors/node/version_raise.hpp"
#include "config/cluster_settings.hpp"
#include "resp/admin.hpp"

namespace kiwi::actors {

class VersionsShell {
 public:
  VersionsShell(NodeParts& node, const PeersShell& peers);

  void fill(resp::Admin& admin);
  void settings_applied();  // also once before the first client comes
  void timer();

 private:
  RaiseFacts facts() const;
  std::string members_digest() const;  // of those that facts() tells of
  void seed(int64_t now_ms);
  void propose(const std::vector<std::string_view>& argv) const;
  void say_what_is_ignored();
  void say_what_it_waits_for(const RaiseOutcome& outcome);

  NodeParts& node_;
  const PeersShell& peers_;
  const std::vector<config::Setting> own_;  // what this node's file and command line say
  const int64_t own_version_;
  AutomaticRaise raise_;
  int64_t next_seed_ms_ = 0;
  bool said_ignored_ = false;
  NodeId waits_for_;  // as the log says
};

}  // namespace kiwi::actors
