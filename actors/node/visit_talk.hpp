// What a node without a cluster asks a member, or a member such a node, on a visit to the other's
// peer port (peers/visit.hpp): one question, one reply. Plain values and their bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "actors/node/order.hpp"
#include "actors/peers/build.hpp"
#include "config/base/result.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

// ON THE WIRE, never renumber.
struct VisitQuestion {
  enum class Kind : uint8_t {
    kJoin = 1,     // let me in
    kWho = 2,      // who are you?
    kWelcome = 3,  // you were let in: link to these
  };
  Kind kind = Kind::kWho;
  raft::Member member;                // kJoin: the one that asks
  raft::Configuration configuration;  // kWelcome: whom to link to
  Build build;                        // of the one that asks
};
std::string encode_question(const VisitQuestion& question);
Result<VisitQuestion> decode_question(std::string_view bytes);

// ON THE WIRE, never renumber.
enum class VisitRefusal : uint8_t {
  kNone = 0,
  kGarbled = 1,        // the question was
  kNoClusterHere = 2,  // kJoin: the visited node is a member of nothing itself
  kMemberAlready = 3,  // kWelcome: the visited node is
  kOrder = 4,          // kJoin: see VisitReply::order
  kOtherBuild = 5,     // kJoin: the one that asks cannot be in this cluster (F46)
};
constexpr uint8_t kVisitRefusals = 6;

struct VisitReply {
  VisitRefusal refusal = VisitRefusal::kNone;
  OrderAnswer order;                  // kOrder
  raft::Member member;                // kWho: the visited node
  bool empty_node = false;            // kWho: it is a member of nothing
  raft::Configuration configuration;  // kJoin, kWho
  Build build;                        // of the visited node
  Build asker;                        // kOtherBuild: as it was understood

  bool yes() const { return refusal == VisitRefusal::kNone; }
  bool may_come_yet() const { return refusal == VisitRefusal::kOrder && order.may_come_yet(); }
};
std::string encode_reply(const VisitReply& reply);
Result<VisitReply> decode_reply(std::string_view bytes);
std::string sentence(const VisitReply& reply);  // an error reply; empty for yes

// What became of a visit.
struct VisitOutcome {
  bool asked = false;               // the question was sent: what it asks for may happen
  NodeId node;                      // who replied
  std::optional<VisitReply> reply;  // none: nobody did
  std::string problem;              // why, for people
};

}  // namespace kiwi::actors
