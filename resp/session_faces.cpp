// What a session does by the face that its connection sees (face.hpp): commands that it has not,
// and clients that are sent to the leader.
#include "resp/command_keys.hpp"
#include "resp/session_state.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

bool Session::State::has_no(const CommandSpec& row) const {
  return (row.flags & kClusterFace) != 0 && !speaks_cluster(info.face);
}

// Advice, never a wall: it only corrects the maps of those who ask for one key at a time. All else
// is executed here, which any node can. Without a proxy the router decides.
std::string Session::State::advice_for(const CommandSpec& row, Args args) const {
  const std::string& leader = node.advice.of(info.face, info.tls);
  const bool plain = !transaction.open && transaction.tokens.empty() && row.waiting == nullptr &&
                     (row.acl_categories & kAclScripting) == 0;
  if (leader.empty() || !node.options.raft_follower_proxy || !plain ||
      node.status.service != Service::kUp || route_of(row, args) != Route::kWrite) {
    return {};
  }
  const std::optional<std::string_view> key = keys_of(row, args).first();
  if (!key) {
    return {};
  }
  return info.face == Face::kCluster ? texts::moved(rocks::key_slot(*key), leader)
                                     : texts::redirect(leader);
}

}  // namespace kiwi::resp
