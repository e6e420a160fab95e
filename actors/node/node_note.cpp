#include "actors/node/node_note.hpp"

#include <type_traits>
#include <utility>
#include <variant>

#include "actors/node/member_bytes.hpp"

namespace kiwi::actors {

namespace {

struct NoteBytes {
  std::string& out;

  void operator()(const OrderNote& note) const {
    put_le(out, note.id);
    out += encode_order(note.order);
  }
  void operator()(const OrderAnswerNote& note) const {
    put_le(out, note.id);
    put_answer(out, note.answer);
  }
  void operator()(const PressureNote& note) const { put_le(out, note.pressure); }
  void operator()(const DiskNote& note) const { put_u8(out, note.full ? 1 : 0); }
  void operator()(const MarksNote& note) const { out += raft::encode_marks(note.marks); }
  void operator()(const KnownMarksNote& note) const { out += note.marks; }
};

Result<NodeNote> get_order_note(ByteReader& reader) {
  OrderNote note;
  note.id = reader.le<uint64_t>();
  Result<AdminOrder> order = decode_order(reader.rest());
  if (!reader.ok() || !order) {
    return garbled();
  }
  note.order = std::move(*order);
  return NodeNote(std::move(note));
}

Result<NodeNote> get_answer_note(ByteReader& reader) {
  OrderAnswerNote note;
  note.id = reader.le<uint64_t>();
  std::optional<OrderAnswer> answer = get_answer(reader);
  if (!answer || !reader.done()) {
    return garbled();
  }
  note.answer = std::move(*answer);
  return NodeNote(std::move(note));
}

}  // namespace

static_assert(std::variant_size_v<NodeNote> == 6);
static_assert(std::is_same_v<std::variant_alternative_t<2, NodeNote>, PressureNote>);
static_assert(std::is_same_v<std::variant_alternative_t<5, NodeNote>, KnownMarksNote>);

std::string encode_note(const NodeNote& note) {
  std::string out;
  put_u8(out, static_cast<uint8_t>(note.index() + 1));
  std::visit(NoteBytes{out}, note);
  return out;
}

Result<NodeNote> decode_note(std::string_view bytes) {
  ByteReader reader(bytes);
  NodeNote note;
  switch (reader.le<uint8_t>()) {
    case 1:
      return get_order_note(reader);
    case 2:
      return get_answer_note(reader);
    case 3:
      note = PressureNote{reader.le<uint32_t>()};
      break;
    case 4:
      note = DiskNote{reader.le<uint8_t>() != 0};
      break;
    case 5: {
      Result<std::vector<raft::Mark>> marks = raft::decode_marks(reader.rest());
      if (!marks) {
        return garbled();
      }
      return NodeNote(MarksNote{std::move(*marks)});
    }
    case 6:
      return NodeNote(KnownMarksNote{std::string(reader.rest())});
    default:
      return garbled();
  }
  if (!reader.done()) {
    return garbled();
  }
  return note;
}

}  // namespace kiwi::actors
