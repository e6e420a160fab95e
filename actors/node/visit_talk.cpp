#include "actors/node/visit_talk.hpp"

#include <utility>

#include "actors/node/member_bytes.hpp"
#include "resp/texts.hpp"

namespace kiwi::actors {

std::string encode_question(const VisitQuestion& question) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(question.kind));
  put_member(out, question.member);
  put_configuration(out, question.configuration);
  put_build(out, question.build);
  return out;
}

Result<VisitQuestion> decode_question(std::string_view bytes) {
  ByteReader reader(bytes);
  VisitQuestion question;
  const auto kind = reader.le<uint8_t>();
  question.kind = static_cast<VisitQuestion::Kind>(kind);
  question.member = get_member(reader);
  const bool whole = get_configuration(reader, question.configuration);
  question.build = get_build(reader);
  if (!whole || !reader.done() || kind < 1 || kind > 3) {
    return garbled();
  }
  return question;
}

std::string encode_reply(const VisitReply& reply) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(reply.refusal));
  put_answer(out, reply.order);
  put_member(out, reply.member);
  put_u8(out, reply.empty_node ? 1 : 0);
  put_configuration(out, reply.configuration);
  put_build(out, reply.build);
  put_build(out, reply.asker);
  return out;
}

Result<VisitReply> decode_reply(std::string_view bytes) {
  ByteReader reader(bytes);
  VisitReply reply;
  const auto refusal = reader.le<uint8_t>();
  reply.refusal = static_cast<VisitRefusal>(refusal);
  std::optional<OrderAnswer> order = get_answer(reader);
  reply.member = get_member(reader);
  reply.empty_node = reader.le<uint8_t>() != 0;
  const bool whole = order && get_configuration(reader, reply.configuration);
  reply.build = get_build(reader);
  reply.asker = get_build(reader);
  if (!whole || refusal >= kVisitRefusals || !reader.done()) {
    return garbled();
  }
  reply.order = std::move(*order);
  return reply;
}

std::string sentence(const VisitReply& reply) {
  switch (reply.refusal) {
    case VisitRefusal::kNone:
      return {};
    case VisitRefusal::kGarbled:
      return "ERR " + garbled().text;
    case VisitRefusal::kNoClusterHere:
      return std::string(resp::texts::kNoClusterThere);
    case VisitRefusal::kMemberAlready:
      return "ERR Already cluster member";
    case VisitRefusal::kOrder:
      return sentence(reply.order);
    case VisitRefusal::kOtherBuild:
      return "ERR a member refuses this node: " + misfit(reply.asker, reply.build);
  }
  return {};
}

}  // namespace kiwi::actors
