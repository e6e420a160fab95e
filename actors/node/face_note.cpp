#include "actors/node/face_note.hpp"

#include "config/base/bytes.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kMembersMax = 1000;  // more are in no cluster

struct NoteBytes {
  std::string& out;

  void operator()(const MatchAskNote&) const {}
  void operator()(const MatchNote& note) const {
    put_le(out, note.matches.term.value);
    put_varint(out, note.matches.members.size());
    for (const auto& [node, match] : note.matches.members) {
      put_le(out, node.value);
      put_le(out, match.value);
    }
  }
};

MatchNote get_matches(ByteReader& reader) {
  MatchNote note;
  note.matches.term = Term{reader.le<uint64_t>()};
  const uint64_t count = reader.varint();
  for (uint64_t i = 0; i < count && count <= kMembersMax && reader.ok(); ++i) {
    const NodeId node{reader.le<uint64_t>()};
    note.matches.members.emplace_back(node, LogIndex{reader.le<uint64_t>()});
  }
  return note;
}

}  // namespace

std::string encode_face_note(const FaceNote& note) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(kFirstFaceNote + note.index()));
  std::visit(NoteBytes{out}, note);
  return out;
}

std::optional<FaceNote> decode_face_note(std::string_view bytes) {
  ByteReader reader(bytes);
  FaceNote note;
  switch (reader.le<uint8_t>()) {
    case kFirstFaceNote:
      note = MatchAskNote{};
      break;
    case kFirstFaceNote + 1:
      note = get_matches(reader);
      break;
    default:
      return std::nullopt;
  }
  return reader.done() ? std::optional(std::move(note)) : std::nullopt;
}

}  // namespace kiwi::actors
