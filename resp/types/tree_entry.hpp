// ON DISK. The entries of a tree's nodes, parsed where they lie. Frozen by golden bytes in
// tests/types/.
//
//   leaf, sorted set  varint 2 x member size + is -0, score:8 in the order of its bytes, member
//
//   leaf, list        varint size, element
//
//   leaf, pending     id:16 BE, varint consumer, varint deliveries, zigzag varint of the time of
//                     delivery - the id's ms
//
//   leaf, stream      id:16 BE of the block's first entry, varint size, block (stream_block.hpp)
//
//   inner node        varint child, varint count of the elements below it, varint size and bytes of
//                     the separator; a list's have none
//
// A separator is the smallest key that may lie below its child, of the first child it is empty.
// What does not parse is damage, which stops the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "rocks/metadata.hpp"

namespace kiwi::resp {

// What the leaves hold. Sorted sets, pending entries and blocks of streams have keys, which are
// distinct and sort by their bytes; a list's entries have a position only.
enum class LeafKind : uint8_t { kSortedSet, kList, kPending, kStream };

inline bool keyed(LeafKind kind) { return kind != LeafKind::kList; }

struct LeafEntry {
  std::string_view bytes;  // all of it
  std::string_view key;    // sorted set: score and member; pending, stream: id; list: nothing
  // List: the element; pending: what follows the id; stream: the block; sorted set: nothing.
  std::string_view value;
};

struct InnerEntry {
  std::string_view bytes;  // all of it
  uint64_t child = 0;
  uint64_t count = 0;
  std::string_view separator;
};

[[noreturn]] void damaged_tree();

// Small numbers of either sign as small varints.
inline uint64_t zigzag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
inline int64_t from_zigzag(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1)); }

namespace entry_detail {

// The first eight, as a number that orders as they do.
inline uint64_t first_bytes(std::string_view key) {
  uint64_t number = 0;
  std::memcpy(&number, key.data(), sizeof number);
  return __builtin_bswap64(number);
}

}  // namespace entry_detail

// ---- the first entry of `at`, which is not empty
inline InnerEntry inner_entry(LeafKind kind, std::string_view at);
inline LeafEntry leaf_entry(LeafKind kind, std::string_view at);
void append_inner(
    std::string& out, LeafKind kind, uint64_t child, uint64_t count, std::string_view separator);

// ---- sorted sets. A score is never NaN.
void append_scored(std::string& out, double score, std::string_view member);
void append_scored_key(std::string& out, double score, std::string_view member);
struct ScoredMember {
  double score = 0;  // as it was given: -0 is kept
  std::string_view member;
};
ScoredMember scored_member(const LeafEntry& entry);

// ---- lists
void append_list_entry(std::string& out, std::string_view element);

// ---- streams. Ids sort as their bytes do.
void append_id(std::string& out, const rocks::StreamId& id);
rocks::StreamId id_at(std::string_view bytes);  // of the first sixteen
void append_block(std::string& out, const rocks::StreamId& first, std::string_view block);

// ---- pending entries of a stream's group
struct PendingEntry {
  rocks::StreamId id;
  uint64_t consumer = 0;
  uint64_t deliveries = 0;
  int64_t delivered_ms = 0;
};
void append_pending(std::string& out, const PendingEntry& entry);
PendingEntry pending_entry(const LeafEntry& entry);

// Below 0, 0 or above it, as std::string_view::compare(). Scores and ids decide nearly always.
inline int compare_keys(std::string_view a, std::string_view b) {
  if (a.size() >= sizeof(uint64_t) && b.size() >= sizeof(uint64_t)) {
    const uint64_t first = entry_detail::first_bytes(a);
    const uint64_t second = entry_detail::first_bytes(b);
    if (first != second) {
      return first < second ? -1 : 1;
    }
  }
  return a.compare(b);
}

// The shortest key above `below` that is not above `first`; at least the score, or the id's ms.
// Requires below < first.
std::string_view separator_between(std::string_view below, std::string_view first);

// ---- parsing
namespace entry_detail {

inline constexpr size_t kScoreBytes = 8;
inline constexpr size_t kIdBytes = 16;

uint64_t long_varint(const char*& at, const char* end);
// The varint at `at`, which moves behind it. Sizes and counts have a byte or two, numbers of nodes
// up to three.
inline uint64_t varint(const char*& at, const char* end) {
  constexpr std::ptrdiff_t kUsual = 3;
  uint64_t value = 0;
  const char* next = at;
  for (std::ptrdiff_t i = 0; i < kUsual && next != end; ++i) {
    const auto byte = static_cast<uint8_t>(*next++);
    value |= uint64_t{byte & 0x7fu} << (7 * i);
    if (byte < 0x80) {
      at = next;
      return value;
    }
  }
  return long_varint(at, end);
}
// That many bytes from `at` on; `at` moves behind them.
inline std::string_view bytes(const char*& at, const char* end, uint64_t count) {
  if (count > static_cast<uint64_t>(end - at)) {
    damaged_tree();
  }
  const std::string_view taken(at, count);
  at += count;
  return taken;
}
inline std::string_view between(const char* from, const char* to) {
  return {from, static_cast<size_t>(to - from)};
}

}  // namespace entry_detail

inline InnerEntry inner_entry(LeafKind kind, std::string_view at) {
  const char* next = at.data();
  const char* const end = next + at.size();
  InnerEntry entry;
  entry.child = entry_detail::varint(next, end);
  entry.count = entry_detail::varint(next, end);
  if (keyed(kind)) {
    const uint64_t size = entry_detail::varint(next, end);
    entry.separator = entry_detail::bytes(next, end, size);
  }
  entry.bytes = entry_detail::between(at.data(), next);
  return entry;
}

inline LeafEntry leaf_entry(LeafKind kind, std::string_view at) {
  const char* next = at.data();
  const char* const end = next + at.size();
  LeafEntry entry;
  if (kind == LeafKind::kSortedSet) {
    const uint64_t head = entry_detail::varint(next, end);
    entry.key = entry_detail::bytes(next, end, entry_detail::kScoreBytes + (head >> 1));
  } else if (kind == LeafKind::kList) {
    const uint64_t size = entry_detail::varint(next, end);
    entry.value = entry_detail::bytes(next, end, size);
  } else if (kind == LeafKind::kStream) {
    entry.key = entry_detail::bytes(next, end, entry_detail::kIdBytes);
    const uint64_t size = entry_detail::varint(next, end);
    entry.value = entry_detail::bytes(next, end, size);
  } else {
    entry.key = entry_detail::bytes(next, end, entry_detail::kIdBytes);
    const char* const value = next;
    for (int varints = 0; varints < 3; ++varints) {
      entry_detail::varint(next, end);
    }
    entry.value = entry_detail::between(value, next);
  }
  entry.bytes = entry_detail::between(at.data(), next);
  return entry;
}

// ---- all entries of a node, in order
template <class Visit>  // visit(const LeafEntry&) -> bool: go on?
void each_leaf_entry(LeafKind kind, std::string_view entries, Visit visit) {
  while (!entries.empty()) {
    const LeafEntry entry = leaf_entry(kind, entries);
    entries.remove_prefix(entry.bytes.size());
    if (!visit(entry)) {
      return;
    }
  }
}
template <class Visit>  // visit(const InnerEntry&) -> bool: go on?
void each_inner_entry(LeafKind kind, std::string_view entries, Visit visit) {
  while (!entries.empty()) {
    const InnerEntry entry = inner_entry(kind, entries);
    entries.remove_prefix(entry.bytes.size());
    if (!visit(entry)) {
      return;
    }
  }
}

}  // namespace kiwi::resp
