// What an operator may ask of a cluster, whichever node was told, and what may become of it. Plain
// values, their bytes, and the sentences that operators read.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "config/version.hpp"
#include "raft/change.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

struct AddMember {
  raft::Member member;
  // That its build supports: whoever asked it may not have applied the raise that the leader has.
  uint32_t cluster_version_max = config::kClusterVersionMax;
  bool operator==(const AddMember&) const = default;
};
struct RemoveMember {
  NodeId id;
  bool operator==(const RemoveMember&) const = default;
};
struct Reconfigure {  // these are the members, all voters, from now on
  std::vector<raft::Member> members;
  bool operator==(const Reconfigure&) const = default;
};
struct HandOver {
  NodeId target;  // 0 = the most up-to-date voter
  bool operator==(const HandOver&) const = default;
};
// A member by its id, alive or dead, is at these addresses from now on, in this incarnation. Said
// by an operator: a node that comes by itself is believed its id only at the address that is known.
struct MoveMember {
  raft::Member member;
  bool operator==(const MoveMember&) const = default;
};
using AdminOrder = std::variant<AddMember, RemoveMember, Reconfigure, HandOver, MoveMember>;

// ON THE WIRE: kinds by their place, never reorder.
std::string encode_order(const AdminOrder& order);
Result<AdminOrder> decode_order(std::string_view bytes);

// ON THE WIRE, never renumber.
enum class OrderRefusal : uint8_t {
  kNone = 0,              // done
  kNoReply = 1,           // it was begun or sent, and nobody said what became of it
  kTransferTimedOut = 2,  // the target did not take over in time; it may yet
  kNoLeader = 3,
  kBusy = 4,  // another change was under way all the time
  kNoCluster = 5,
  kUsedId = 6,
  kNoSuchNode = 7,
  kLastVoter = 8,
  kNoMembers = 9,
  kNoSuchTarget = 10,
  kTargetIsLearner = 11,
  kMemberLives = 12,  // F49: the id is in use
  kCore = 13,         // see OrderAnswer::core
  kOldBuild = 14,     // it does not support the cluster's version (F46)
};
constexpr uint8_t kOrderRefusals = 15;

struct OrderAnswer {
  OrderRefusal refusal = OrderRefusal::kNone;
  bool unknown = false;      // it may have been done, or in part, or come yet
  raft::ChangeOutcome core;  // kCore; kMemberLives: whom it is about
  std::string lives_at;      // kMemberLives: where the member answers ...
  std::string newcomer_at;   // ... and where the one is that says the same id

  bool done() const { return refusal == OrderRefusal::kNone; }
  // The first word of its sentence is TIMEOUT.
  bool may_come_yet() const {
    return unknown || refusal == OrderRefusal::kNoReply ||
           refusal == OrderRefusal::kTransferTimedOut;
  }
  bool operator==(const OrderAnswer&) const = default;
};
void put_answer(std::string& out, const OrderAnswer& answer);
std::optional<OrderAnswer> get_answer(ByteReader& reader);
// An error reply, first word included; empty for what is done.
std::string sentence(const OrderAnswer& answer);

// kNone: nothing is wrong with it, in a cluster of that version.
OrderRefusal order_refusal(const AdminOrder& order,
                           const raft::Configuration& now,
                           uint32_t cluster_version);
// Is it so already, as far as this committed configuration says? Never for HandOver.
// In a cluster of that version, which decides what the log keeps of a member.
bool is_done(const AdminOrder& order, const raft::Configuration& now, uint32_t cluster_version);
// The member that it brings in or moves; nullptr for other orders.
const raft::Member* newcomer_of(const AdminOrder& order);

// Whether an order may still take effect, or did in part, although nobody said so. The
// first word of an error may be other than TIMEOUT only if it does not and will not.
class OrderFate {
 public:
  void begun(NodeId by) { open_.insert(by); }  // handed to this node's core, or sent to that one
  void ended(NodeId by) { open_.erase(by); }   // it said that nothing comes of it
  void in_part(NodeId by) {                    // a step of it was done
    ended(by);
    in_part_ = true;
  }
  bool unknown() const { return in_part_ || !open_.empty(); }

  // What to answer: a refusal that was said, or the reason why nothing more is tried.
  OrderAnswer refused(OrderAnswer answer) const;
  enum class Lacks : uint8_t { kAnswer, kLeader, kTurn };
  OrderAnswer too_late(Lacks what) const;

 private:
  std::set<NodeId> open_;
  bool in_part_ = false;
};

}  // namespace kiwi::actors
