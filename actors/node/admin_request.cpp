#include "actors/node/admin_request.hpp"

#include <algorithm>

#include "config/base/bytes.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

namespace {

constexpr size_t kListMax = 64;

void put_member(std::string& out, const raft::Member& member) {
  put_le(out, member.id.value);
  out.append(reinterpret_cast<const char*>(member.incarnation.bytes.data()),
             member.incarnation.bytes.size());
  put_sized(out, member.client_address);
  put_sized(out, member.peer_address);
}

raft::Member get_member(ByteReader& reader) {
  raft::Member member;
  member.id = NodeId{reader.le<uint64_t>()};
  const std::string_view raw = reader.take(member.incarnation.bytes.size());
  std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(member.incarnation.bytes.data()));
  member.client_address = reader.sized();
  member.peer_address = reader.sized();
  return member;
}

Error garbled() { return Error{Errc::kInvalid, "a word between nodes is garbled"}; }

std::string configuration_bytes(const raft::Configuration& configuration) {
  return configuration.members.empty() ? std::string() : raft::encode_configuration(configuration);
}

bool get_configuration(std::string_view bytes, raft::Configuration& out) {
  if (bytes.empty()) {
    return true;
  }
  Result<raft::Configuration> decoded = raft::decode_configuration(bytes);
  if (decoded) {
    out = std::move(*decoded);
  }
  return decoded.has_value();
}

bool contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

std::string encode_order(const AdminOrder& order) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(order.index() + 1));
  if (const auto* add = std::get_if<AddMember>(&order)) {
    put_member(out, add->member);
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
    order = AddMember{get_member(reader)};
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

std::string order_error(const AdminOrder& order, const raft::Configuration& now) {
  if (const auto* add = std::get_if<AddMember>(&order)) {
    const raft::Member* known = now.find(add->member.id);
    if (contains(now.removed_ids, add->member.id) ||
        (known != nullptr && known->client_address != add->member.client_address)) {
      return "ERR node id has already been used in this cluster";
    }
  } else if (const auto* remove = std::get_if<RemoveMember>(&order)) {
    if (now.find(remove->id) == nullptr && !contains(now.removed_ids, remove->id)) {
      return "ERR node id does not exist";
    }
    if (now.voters.size() == 1 && now.voters.front() == remove->id) {
      return "ERR the last voter cannot be removed";
    }
  } else if (const auto* change = std::get_if<Reconfigure>(&order)) {
    if (change->members.empty()) {
      return "ERR a cluster needs a member";
    }
    for (const raft::Member& member : change->members) {
      if (contains(now.removed_ids, member.id)) {
        return "ERR node id has already been used in this cluster";
      }
    }
  } else if (const auto* move = std::get_if<MoveMember>(&order)) {
    if (now.find(move->member.id) == nullptr) {
      return "ERR node id does not exist";
    }
  } else {
    const NodeId target = std::get<HandOver>(order).target;
    if (target && now.find(target) == nullptr) {
      return "ERR invalid node id";
    }
    if (target && !contains(now.voters, target)) {
      return "ERR invalid target node id";
    }
  }
  return {};
}

bool is_done(const AdminOrder& order, const raft::Configuration& now) {
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
    return known != nullptr && *known == move->member;
  }
  return false;
}

std::string OrderFate::refused(const std::string& error) const {
  if (!unknown() || error.starts_with("TIMEOUT")) {
    return error;
  }
  return "TIMEOUT it may have been done, or in part, or come yet: " + error;
}

std::string OrderFate::too_late(Lacks what) const {
  if (unknown() || what == Lacks::kAnswer) {
    return "TIMEOUT no reply from leader";
  }
  return what == Lacks::kLeader ? "CLUSTERDOWN No raft leader" : "ERR one voting change only";
}

std::string encode_word(const AdminWord& word) {
  std::string out;
  put_u8(out, word.answer ? 1 : 0);
  put_le(out, word.id);
  out.append(word.bytes);
  return out;
}

Result<AdminWord> decode_word(std::string_view bytes) {
  ByteReader reader(bytes);
  AdminWord word;
  word.answer = reader.le<uint8_t>() != 0;
  word.id = reader.le<uint64_t>();
  word.bytes = reader.rest();
  if (!reader.ok()) {
    return garbled();
  }
  return word;
}

std::string encode_question(const VisitQuestion& question) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(question.kind));
  put_member(out, question.member);
  put_sized(out, configuration_bytes(question.configuration));
  return out;
}

Result<VisitQuestion> decode_question(std::string_view bytes) {
  ByteReader reader(bytes);
  VisitQuestion question;
  const auto kind = reader.le<uint8_t>();
  question.kind = static_cast<VisitQuestion::Kind>(kind);
  question.member = get_member(reader);
  const std::string_view configuration = reader.sized();
  if (!reader.done() || kind < 1 || kind > 3 ||
      !get_configuration(configuration, question.configuration)) {
    return garbled();
  }
  return question;
}

std::string encode_reply(const VisitReply& reply) {
  std::string out;
  put_sized(out, reply.error);
  put_member(out, reply.member);
  put_u8(out, reply.empty_node ? 1 : 0);
  put_sized(out, configuration_bytes(reply.configuration));
  return out;
}

Result<VisitReply> decode_reply(std::string_view bytes) {
  ByteReader reader(bytes);
  VisitReply reply;
  reply.error = reader.sized();
  reply.member = get_member(reader);
  reply.empty_node = reader.le<uint8_t>() != 0;
  const std::string_view configuration = reader.sized();
  if (!reader.done() || !get_configuration(configuration, reply.configuration)) {
    return garbled();
  }
  return reply;
}

}  // namespace kiwi::actors
