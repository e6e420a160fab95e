// How a node without a cluster asks to be let into one: members are visited one after the other
// until one of them says yes; then the log comes by a link. By an operator's hand each address is
// asked once, and the operator is told how it ended.
//
// Plain class: inputs in, effects out. Owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/node/visit_talk.hpp"
#include "config/address.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

enum class JoinEnd : uint8_t {
  kIn,             // the core runs
  kLogMissing,     // let in, and no log has come yet
  kNoAnswer,       // some member was asked and gave no answer: it may happen yet
  kNobodyReached,  // no address led to a member
  kRefused,        // see JoinResult::reply
  kRefusedLater,   // the same, but another member was asked before and gave no answer
};
struct JoinResult {
  JoinEnd end = JoinEnd::kIn;
  VisitReply reply;
};
std::string sentence(const JoinResult& result);  // an error reply; empty for kIn

struct JoinEffects {
  std::optional<config::HostPort> ask;      // visit this peer port; answered() follows
  std::optional<raft::Configuration> met;   // these are the members: keep them, link to them
  std::optional<JoinResult> tell_operator;  // of by_hand()
};

class Joining {
 public:
  // ---- inputs
  void by_option(std::vector<config::PeerAddress> members);  // raft.join: until it is in
  // This node was wiped, and somebody of raft.peers said so. The leader replaces it when it sees
  // it, but the list may be older than the cluster and not name the leader: after a while those
  // that it names are asked, too.
  void come_back(std::vector<config::PeerAddress> members, int64_t now_ms);
  // False: it is joining already.
  bool by_hand(std::vector<config::PeerAddress> members, int64_t now_ms);
  void answered(const VisitOutcome& outcome, int64_t now_ms);
  void welcomed(const raft::Configuration& members);  // a member came by and said so
  void core_runs();
  void tick(int64_t now_ms);

  JoinEffects take_effects() { return std::exchange(effects_, {}); }

  bool active() const { return attempt_.has_value(); }

 private:
  struct Attempt {
    std::vector<config::PeerAddress> addresses;
    size_t next = 0;
    std::optional<size_t> addresses_left;  // by hand only
    bool asking = false;
    bool admitted = false;
    bool unknown = false;  // a member may have let this node in without saying so
    int64_t again_ms = 0;
    int64_t deadline_ms = 0;  // by hand only
    std::string said;         // the last problem in the log
  };
  void refused(const VisitOutcome& outcome, int64_t now_ms);
  void end(JoinEnd how, VisitReply reply = {});

  std::optional<Attempt> attempt_;
  JoinEffects effects_;
};

}  // namespace kiwi::actors
