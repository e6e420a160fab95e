#include "actors/node/order.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "actors/node/member_bytes.hpp"
#include "config/base/check.hpp"
#include "raft/configuration.hpp"
#include "resp/texts.hpp"

namespace kiwi::actors {

namespace {

constexpr size_t kListMax = 64;

bool contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::ranges::find(ids, id) != ids.end();
}

// A removed id, or that of a member at another address.
bool is_used(const raft::Member& member, const raft::Configuration& now) {
  const raft::Member* known = now.find(member.id);
  return contains(now.removed_ids, member.id) ||
         (known != nullptr && known->client_address != member.client_address);
}

}  // namespace

// ---------------------------------------------------------------- bytes

static_assert(std::variant_size_v<AdminOrder> == 5);
static_assert(std::is_same_v<std::variant_alternative_t<3, AdminOrder>, HandOver>);
static_assert(std::is_same_v<std::variant_alternative_t<4, AdminOrder>, MoveMember>);

std::string encode_order(const AdminOrder& order) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(order.index() + 1));
  if (const auto* add = std::get_if<AddMember>(&order)) {
    put_member(out, add->member);
    put_le(out, add->cluster_version_max);
  } else if (const auto* remove = std::get_if<RemoveMember>(&order)) {
    put_le(out, remove->id.value);
  } else if (const auto* change = std::get_if<Reconfigure>(&order)) {
    put_varint(out, change->members.size());
    for (const raft::Member& member : change->members) {
      put_member(out, member);
    }
  } else if (const auto* move = std::get_if<MoveMember>(&order)) {
    put_member(out, move->member);
  } else {
    put_le(out, std::get<HandOver>(order).target.value);
  }
  return out;
}

Result<AdminOrder> decode_order(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto kind = reader.le<uint8_t>();
  AdminOrder order;
  if (kind == 1) {
    AddMember add{get_member(reader)};
    add.cluster_version_max = reader.le<uint32_t>();
    order = std::move(add);
  } else if (kind == 2) {
    order = RemoveMember{NodeId{reader.le<uint64_t>()}};
  } else if (kind == 3) {
    Reconfigure change;
    const uint64_t count = reader.varint();
    for (uint64_t i = 0; i < count && i < kListMax && reader.ok(); ++i) {
      change.members.push_back(get_member(reader));
    }
    order = std::move(change);
  } else if (kind == 4) {
    order = HandOver{NodeId{reader.le<uint64_t>()}};
  } else if (kind == 5) {
    order = MoveMember{get_member(reader)};
  } else {
    return garbled();
  }
  if (!reader.done()) {
    return garbled();
  }
  return order;
}

void put_answer(std::string& out, const OrderAnswer& answer) {
  CHECK_INVARIANT(static_cast<uint8_t>(answer.refusal) < kOrderRefusals);
  CHECK_INVARIANT(static_cast<uint8_t>(answer.core.refusal) < raft::kChangeRefusals);
  put_u8(out, static_cast<uint8_t>(answer.refusal));
  put_u8(out, answer.unknown ? 1 : 0);
  put_u8(out, static_cast<uint8_t>(answer.core.refusal));
  put_le(out, answer.core.about.value);
  put_sized(out, answer.lives_at);
  put_sized(out, answer.newcomer_at);
}

std::optional<OrderAnswer> get_answer(ByteReader& reader) {
  OrderAnswer answer;
  const auto refusal = reader.le<uint8_t>();
  answer.refusal = static_cast<OrderRefusal>(refusal);
  answer.unknown = reader.le<uint8_t>() != 0;
  const auto core = reader.le<uint8_t>();
  answer.core.refusal = static_cast<raft::ChangeRefusal>(core);
  answer.core.about = NodeId{reader.le<uint64_t>()};
  answer.lives_at = reader.sized();
  answer.newcomer_at = reader.sized();
  if (!reader.ok() || refusal >= kOrderRefusals || core >= raft::kChangeRefusals) {
    return std::nullopt;
  }
  return answer;
}

// ---------------------------------------------------------------- sentences

namespace {

std::string words_of(const OrderAnswer& answer) {
  switch (answer.refusal) {
    case OrderRefusal::kNone:
      return {};
    case OrderRefusal::kNoReply:
      return std::string(resp::texts::kNoAnswerFromLeader);
    case OrderRefusal::kTransferTimedOut:
      return std::string(resp::texts::kTransferTimeout);
    case OrderRefusal::kNoLeader:
      return std::string(resp::texts::kNoLeader);
    case OrderRefusal::kBusy:
      return "ERR one voting change only";
    case OrderRefusal::kNoCluster:
      return std::string(resp::texts::kNoCluster);
    case OrderRefusal::kUsedId:
      return "ERR node id has already been used in this cluster";
    case OrderRefusal::kNoSuchNode:
      return "ERR node id does not exist";
    case OrderRefusal::kLastVoter:
      return "ERR the last voter cannot be removed";
    case OrderRefusal::kNoMembers:
      return "ERR a cluster needs a member";
    case OrderRefusal::kNoSuchTarget:
      return "ERR invalid node id";
    case OrderRefusal::kTargetIsLearner:
      return "ERR invalid target node id";
    case OrderRefusal::kMemberLives:
      return "ERR node id has already been used in this cluster: node " +
             std::to_string(answer.core.about.value) + " lives at " + answer.lives_at +
             " and stays a member: the process with an empty data directory at " +
             answer.newcomer_at + " says the same id";
    case OrderRefusal::kOldBuild:
      return "ERR the build of that node does not support the cluster's version: start a newer "
             "build "
             "there";
    case OrderRefusal::kCore:
      return "ERR " + raft::sentence(answer.core);
  }
  return {};
}

}  // namespace

std::string sentence(const OrderAnswer& answer) {
  if (answer.unknown) {
    return resp::texts::maybe_done(words_of(answer));
  }
  return words_of(answer);
}

// ---------------------------------------------------------------- an order and the members

OrderRefusal order_refusal(const AdminOrder& order,
                           const raft::Configuration& now,
                           uint32_t cluster_version) {
  if (const auto* add = std::get_if<AddMember>(&order)) {
    if (add->cluster_version_max < cluster_version) {
      return OrderRefusal::kOldBuild;
    }
    return is_used(add->member, now) ? OrderRefusal::kUsedId : OrderRefusal::kNone;
  }
  if (const auto* remove = std::get_if<RemoveMember>(&order)) {
    if (now.find(remove->id) == nullptr && !contains(now.removed_ids, remove->id)) {
      return OrderRefusal::kNoSuchNode;
    }
    const bool last = now.voters.size() == 1 && now.voters.front() == remove->id;
    return last ? OrderRefusal::kLastVoter : OrderRefusal::kNone;
  }
  if (const auto* change = std::get_if<Reconfigure>(&order)) {
    if (change->members.empty()) {
      return OrderRefusal::kNoMembers;
    }
    const bool used = std::ranges::any_of(change->members, [&](const raft::Member& member) {
      return contains(now.removed_ids, member.id);
    });
    return used ? OrderRefusal::kUsedId : OrderRefusal::kNone;
  }
  if (const auto* move = std::get_if<MoveMember>(&order)) {
    return now.find(move->member.id) == nullptr ? OrderRefusal::kNoSuchNode : OrderRefusal::kNone;
  }
  const NodeId target = std::get<HandOver>(order).target;
  if (target && now.find(target) == nullptr) {
    return OrderRefusal::kNoSuchTarget;
  }
  return target && !contains(now.voters, target) ? OrderRefusal::kTargetIsLearner
                                                 : OrderRefusal::kNone;
}

bool is_done(const AdminOrder& order, const raft::Configuration& now, uint32_t cluster_version) {
  if (const auto* add = std::get_if<AddMember>(&order)) {
    return now.has(add->member.id, add->member.incarnation);
  }
  if (const auto* remove = std::get_if<RemoveMember>(&order)) {
    return now.find(remove->id) == nullptr && contains(now.removed_ids, remove->id) &&
           !now.is_joint();
  }
  if (const auto* change = std::get_if<Reconfigure>(&order)) {
    return !now.is_joint() && now.members.size() == change->members.size() &&
           std::ranges::all_of(change->members, [&](const raft::Member& member) {
             return now.has(member.id, member.incarnation) && contains(now.voters, member.id);
           });
  }
  if (const auto* move = std::get_if<MoveMember>(&order)) {
    const raft::Member* known = now.find(move->member.id);
    return known != nullptr && *known == raft::held_by(cluster_version, move->member);
  }
  return false;
}

const raft::Member* newcomer_of(const AdminOrder& order) {
  if (const auto* add = std::get_if<AddMember>(&order)) {
    return &add->member;
  }
  const auto* move = std::get_if<MoveMember>(&order);
  return move == nullptr ? nullptr : &move->member;
}

// ---------------------------------------------------------------- what may become of it

OrderAnswer OrderFate::refused(OrderAnswer answer) const {
  answer.unknown = answer.unknown || (unknown() && !answer.may_come_yet());
  return answer;
}

OrderAnswer OrderFate::too_late(Lacks what) const {
  OrderAnswer answer;
  answer.refusal = unknown() || what == Lacks::kAnswer ? OrderRefusal::kNoReply
                   : what == Lacks::kLeader            ? OrderRefusal::kNoLeader
                                                       : OrderRefusal::kBusy;
  return answer;
}

}  // namespace kiwi::actors
