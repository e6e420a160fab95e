// Strong integer and byte-string ids, so that a term cannot be passed where an index is meant.
// Pure values; no thread, no allocation.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi {

template <class Tag>
struct StrongId {
  uint64_t value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
  constexpr explicit operator bool() const { return value != 0; }
};

struct TermTag;
struct LogIndexTag;
struct NodeIdTag;
struct GroupIdTag;

using Term = StrongId<TermTag>;          // Raft term; 0 = before the first election
using LogIndex = StrongId<LogIndexTag>;  // position in the Raft log; 0 = before the first entry
using NodeId = StrongId<NodeIdTag>;      // operator-given node number, 1..2^63-1; 0 = none
// A Raft group, 1..2^32-1. A process may host several; node id, incarnation and boot epoch are the
// node's. 0 = none: on the wire, what belongs to a link itself.
using GroupId = StrongId<GroupIdTag>;
inline constexpr GroupId kFirstGroup{1};

constexpr LogIndex operator+(LogIndex i, uint64_t n) { return LogIndex{i.value + n}; }
constexpr LogIndex operator-(LogIndex i, uint64_t n) { return LogIndex{i.value - n}; }
constexpr uint64_t operator-(LogIndex a, LogIndex b) { return a.value - b.value; }
constexpr LogIndex& operator++(LogIndex& i) { return ++i.value, i; }
constexpr Term operator+(Term t, uint64_t n) { return Term{t.value + n}; }

// 128 random bits. Tag keeps cluster ids and incarnations apart; all zero = unset.
template <class Tag>
struct RandomId {
  std::array<uint8_t, 16> bytes{};

  constexpr auto operator<=>(const RandomId&) const = default;
  bool is_set() const { return *this != RandomId{}; }
  std::string hex() const;                                         // 32 lower-case hex digits
  static std::optional<RandomId> from_hex(std::string_view text);  // exactly 32 hex digits
};

struct ClusterIdTag;
struct IncarnationTag;
using ClusterId = RandomId<ClusterIdTag>;
// One life of a data directory (F1): written when the directory is created, never again.
using Incarnation = RandomId<IncarnationTag>;

}  // namespace kiwi

template <class Tag>
struct std::hash<kiwi::StrongId<Tag>> {
  size_t operator()(kiwi::StrongId<Tag> id) const noexcept {
    return std::hash<uint64_t>{}(id.value);
  }
};
