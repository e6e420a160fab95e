// ON DISK. The entries of a tree's nodes, parsed where they lie. Frozen by golden bytes in
// tests/types/.
//
//   leaf of a sorted set   varint 2 x member size + is -0, score:8 in the order of its bytes,
//   member leaf of a list         varint size, element leaf of pending        id:16 BE, varint
//   consumer, varint deliveries, zigzag varint of the time of
//                          delivery - the id's ms
//   inner node             varint child, varint count of the elements below it, varint size and
//   bytes
//                          of the separator; a list's have none
//
// A separator is the smallest key that may lie below its child, of the first child it is empty.
// What does not parse is damage, which stops the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::resp {

// What the leaves hold. Sorted sets and pending entries have keys, which are distinct and sort by
// their bytes; a list's entries have a position only.
enum class LeafKind : uint8_t { kSortedSet, kList, kPending };

inline bool keyed(LeafKind kind) { return kind != LeafKind::kList; }

struct LeafEntry {
  std::string_view bytes;  // all of it
  std::string_view key;    // sorted set: score and member; pending: id; list: nothing
  std::string_view value;  // list: the element; pending: what follows the id; sorted set: nothing
};

struct InnerEntry {
  std::string_view bytes;  // all of it
  uint64_t child = 0;
  uint64_t count = 0;
  std::string_view separator;
};

[[noreturn]] void damaged_tree();

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

// ---- pending entries of a stream's group
struct PendingEntry {
  uint64_t ms = 0;  // the id
  uint64_t sequence = 0;
  uint64_t consumer = 0;
  uint64_t deliveries = 0;
  int64_t delivered_ms = 0;
};
void append_pending(std::string& out, const PendingEntry& entry);
PendingEntry pending_entry(const LeafEntry& entry);

// The shortest key above `below` that is not above `first`; at least the score, or the id's ms.
// Requires below < first.
std::string_view separator_between(std::string_view below, std::string_view first);

// ---- parsing
namespace entry_detail {

inline constexpr size_t kScoreBytes = 8;
inline constexpr size_t kIdBytes = 16;

// The varint at `at`, which moves behind it. A search in an inner node reads hundreds of them.
inline uint64_t varint(const char*& at, const char* end) {
  const char* next = at;
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && next != end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*next++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      at = next;
      return value;
    }
  }
  damaged_tree();
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
