// Nodes that operators name by their addresses (RAFT.NODE ADD, RAFT.RECONFIGURE): each is asked who
// it is, then what was wanted becomes an order; who was let in is told whom to link to.
//
// Plain class: inputs in, effects out. Owned by Node, client loop.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "actors/node/cluster_facts.hpp"
#include "actors/node/order.hpp"
#include "actors/node/visit_talk.hpp"
#include "config/address.hpp"
#include "resp/admin.hpp"

namespace kiwi::actors {

enum class NewcomerRefusal : uint8_t {
  kNone,
  kNoCluster,
  kUsedId,
  kBadAddress,
  kNoAnswer,     // nobody at the address, or not one of us; `detail` says why
  kOtherNode,    // `who` is there
  kMemberThere,  // the node there is a member of a cluster already
  kOtherBuild,   // it cannot be in this cluster (F46); `detail` says why
};
struct NewcomerAnswer {
  NewcomerRefusal refusal = NewcomerRefusal::kNone;
  std::string address;
  std::string detail;
  NodeId who;
};
std::string sentence(const NewcomerAnswer& answer);  // an error reply; empty for kNone

struct NewcomerEffects {
  struct Call {
    uint64_t visit = 0;  // visited() follows; 0: nobody waits for the answer
    config::HostPort address;
    VisitQuestion question;
  };
  struct Ordered {
    uint64_t request = 0;
    AdminOrder order;
  };
  struct Refused {
    uint64_t request = 0;
    NewcomerAnswer answer;
  };
  std::vector<Call> calls;
  std::vector<Ordered> orders;
  std::vector<Refused> refused;
};

class Newcomers {
 public:
  explicit Newcomers(const ClusterFacts& cluster) : cluster_(cluster) {}  // outlives it

  // ---- inputs. Each request ends as an order or refused, maybe at once.
  uint64_t add(const resp::NodeAddress& node);
  uint64_t reconfigure(const std::vector<resp::NodeAddress>& nodes);
  void visited(uint64_t visit, const VisitOutcome& outcome);
  void ordered(const AdminOrder& order, const OrderAnswer& answer);  // what came of one
  void tick();

  NewcomerEffects take_effects() { return std::exchange(effects_, {}); }

 private:
  enum class Kind : uint8_t { kAdd, kMove, kReconfigure };
  struct Request {
    Kind kind = Kind::kAdd;
    std::vector<raft::Member> known;  // members that stay
    std::vector<raft::Member> fresh;  // that said who they are
    uint32_t version_max = 0;         // kAdd: that the fresh one's build supports
    size_t open = 0;                  // visits
    NewcomerAnswer refusal;
  };
  struct Asked {
    uint64_t request = 0;
    config::PeerAddress address;
    NodeId wanted;  // 0: any
  };
  void ask(uint64_t request, const resp::NodeAddress& node);
  NewcomerAnswer judge(const Asked& asked, const VisitOutcome& outcome) const;
  void proceed(uint64_t request);
  void welcome(const raft::Member& member);

  const ClusterFacts& cluster_;
  uint64_t next_ = 1;
  std::map<uint64_t, Request> requests_;
  std::map<uint64_t, Asked> asked_;
  std::vector<raft::Member> to_welcome_;  // when they are in
  NewcomerEffects effects_;
};

}  // namespace kiwi::actors
