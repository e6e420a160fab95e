// What one node asks another to do for an operator: membership changes and hand-overs go to the
// leader, whichever node was told. Plain values and their bytes.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

struct AddMember {
  raft::Member member;
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

// Empty: nothing is wrong with it; else the error reply, first word included.
std::string order_error(const AdminOrder& order, const raft::Configuration& now);
// Is it so already, as far as this committed configuration says? Never for HandOver.
bool is_done(const AdminOrder& order, const raft::Configuration& now);

// Whether an order may still take effect, or did in part, although nobody said so. The first
// word of an error may be other than TIMEOUT only if it does not and will not.
class OrderFate {
 public:
  void begun(NodeId by) { open_.insert(by); }  // handed to this node's core, or sent to that one
  void ended(NodeId by) { open_.erase(by); }   // it said that nothing comes of it
  void in_part(NodeId by) {                    // a step of it was done
    ended(by);
    in_part_ = true;
  }
  bool unknown() const { return in_part_ || !open_.empty(); }

  // What to answer: an error that was said, or the reason why nothing more is tried.
  std::string refused(const std::string& error) const;
  enum class Lacks : uint8_t { kAnswer, kLeader, kTurn };
  std::string too_late(Lacks what) const;

 private:
  std::set<NodeId> open_;
  bool in_part_ = false;
};

// A word between two nodes' composition roots: an order for the leader, or what became of one; or,
// with the id kPressureWord, how far the state of the leader lags behind (node_pressure.cpp).
inline constexpr uint64_t kPressureWord = 0;
inline constexpr uint64_t kDiskWord = 2;   // "1": the sender's disk is nearly full (node_disk.cpp)
inline constexpr uint64_t kMarksWord = 3;  // of the sender's data directory (node_lineage.cpp)
struct AdminWord {
  bool answer = false;
  uint64_t id = 0;    // the asking node's
  std::string bytes;  // the order, or the error: empty = done
};
std::string encode_word(const AdminWord& word);
Result<AdminWord> decode_word(std::string_view bytes);

// What a node without a cluster asks a member, or a member such a node.
struct VisitQuestion {
  enum class Kind : uint8_t { kJoin = 1, kWho = 2, kWelcome = 3 };
  Kind kind = Kind::kWho;
  raft::Member member;                // kJoin: the one that asks
  raft::Configuration configuration;  // kWelcome: whom to link to
};
std::string encode_question(const VisitQuestion& question);
Result<VisitQuestion> decode_question(std::string_view bytes);

struct VisitReply {
  std::string error;                  // empty: yes
  raft::Member member;                // kWho: the visited node
  bool empty_node = false;            // kWho: it is a member of nothing
  raft::Configuration configuration;  // kJoin
};
std::string encode_reply(const VisitReply& reply);
Result<VisitReply> decode_reply(std::string_view bytes);

}  // namespace kiwi::actors
