#include "actors/node/face_note.hpp"

#include "config/base/bytes.hpp"
#include "resp/master_names.hpp"

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
  void operator()(const AnnouncedNote& note) const {
    put_le(out, note.announced.term.value);
    put_le(out, note.announced.counter);
    put_le(out, note.announced.node.value);
  }
  void operator()(const WishNote& note) const { put_le(out, note.node.value); }
  void operator()(const ServingNote& note) const {
    put_u8(out, static_cast<uint8_t>((note.serves ? 1 : 0) | (note.drains ? 2 : 0)));
  }
  void operator()(const MasterNamesNote& note) const {
    put_varint(out, note.names.size());
    for (const std::string& name : note.names) {
      put_sized(out, name);
    }
  }
};

AnnouncedNote get_announced(ByteReader& reader) {
  AnnouncedNote note;
  note.announced.term = Term{reader.le<uint64_t>()};
  note.announced.counter = reader.le<uint64_t>();
  note.announced.node = NodeId{reader.le<uint64_t>()};
  return note;
}

ServingNote get_serving(ByteReader& reader) {
  const auto bits = reader.le<uint8_t>();
  return {(bits & 1) != 0, (bits & 2) != 0};
}

MasterNamesNote get_names(ByteReader& reader) {
  MasterNamesNote note;
  const uint64_t count = reader.varint();
  for (uint64_t i = 0; i < count && count <= resp::MasterNames::kNames && reader.ok(); ++i) {
    note.names.emplace_back(reader.sized());
  }
  return note;
}

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
    case kFirstFaceNote + 2:
      note = get_announced(reader);
      break;
    case kFirstFaceNote + 3:
      note = WishNote{NodeId{reader.le<uint64_t>()}};
      break;
    case kFirstFaceNote + 4:
      note = get_serving(reader);
      break;
    case kFirstFaceNote + 5:
      note = get_names(reader);
      break;
    default:
      return std::nullopt;
  }
  return reader.done() ? std::optional(std::move(note)) : std::nullopt;
}

}  // namespace kiwi::actors
