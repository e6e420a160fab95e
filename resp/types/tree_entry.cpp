#include "resp/types/tree_entry.hpp"

#include <algorithm>
#include <cmath>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

namespace keys = rocks::keys;

namespace {

constexpr size_t kSeparatorBytesMin = 8;  // a score; an id's ms

}  // namespace

void damaged_tree() {
  fatal(
      "a node of a sorted set, list or stream is missing or damaged in the state database; replace "
      "this node's data directory");
}

uint64_t entry_detail::long_varint(const char*& at, const char* end) {
  ByteReader in(between(at, end));
  const uint64_t value = in.varint();
  if (!in.ok()) {
    damaged_tree();
  }
  at = end - in.rest().size();
  return value;
}

void append_inner(
    std::string& out, LeafKind kind, uint64_t child, uint64_t count, std::string_view separator) {
  put_varint(out, child);
  put_varint(out, count);
  if (keyed(kind)) {
    put_sized(out, separator);
  }
}

// ---------------------------------------------------------------- leaves

void append_scored(std::string& out, double score, std::string_view member) {
  const bool negative_zero = score == 0 && std::signbit(score);
  put_varint(out, uint64_t{2} * member.size() + (negative_zero ? 1 : 0));
  append_scored_key(out, score, member);
}

void append_scored_key(std::string& out, double score, std::string_view member) {
  keys::append_score(out, score);
  out.append(member);
}

ScoredMember scored_member(const LeafEntry& entry) {
  const bool negative_zero = (static_cast<uint8_t>(entry.bytes[0]) & 1) != 0;
  return {negative_zero ? -0.0 : keys::score_at(entry.key),
          entry.key.substr(entry_detail::kScoreBytes)};
}

void append_list_entry(std::string& out, std::string_view element) { put_sized(out, element); }

void append_id(std::string& out, const rocks::StreamId& id) {
  put_be(out, id.ms);
  put_be(out, id.sequence);
}

rocks::StreamId id_at(std::string_view bytes) {
  return {get_be<uint64_t>(bytes), get_be<uint64_t>(bytes.substr(sizeof(uint64_t)))};
}

void append_block(std::string& out, const rocks::StreamId& first, std::string_view block) {
  append_id(out, first);
  put_sized(out, block);
}

void append_pending(std::string& out, const PendingEntry& entry) {
  append_id(out, entry.id);
  put_varint(out, entry.consumer);
  put_varint(out, entry.deliveries);
  put_varint(out,
             zigzag(static_cast<int64_t>(static_cast<uint64_t>(entry.delivered_ms) - entry.id.ms)));
}

PendingEntry pending_entry(const LeafEntry& entry) {
  PendingEntry out;
  out.id = id_at(entry.key);
  ByteReader in(entry.value);
  out.consumer = in.varint();
  out.deliveries = in.varint();
  out.delivered_ms =
      static_cast<int64_t>(static_cast<uint64_t>(from_zigzag(in.varint())) + out.id.ms);
  return out;
}

std::string_view separator_between(std::string_view below, std::string_view first) {
  CHECK_INVARIANT(below < first);
  const auto differs = std::mismatch(first.begin(), first.end(), below.begin(), below.end()).first;
  const auto same = static_cast<size_t>(differs - first.begin());
  return first.substr(0, std::max(kSeparatorBytesMin, same + 1));
}

}  // namespace kiwi::resp
