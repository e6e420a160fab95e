// The elements of a small hash or set, one entry after the other, as they stand in the key's
// record. They are read and edited in place: there is no index, a search compares one entry after
// the other. How many bytes there may be is the caller's business (shape.hpp).
//
// ON DISK, frozen by golden bytes in tests/types/packed_test.cpp.
//   hash:  varint 2 x size of the name + has a deadline, name, [i64 LE deadline], sized value; in
//   the
//          order in which the names came
//   set:   sized member; integers ascending as long as the set is not converted, then in the order
//   in
//          which they came
// Bytes that are no entries are damage: the process stops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::resp {

enum class HashedKind : uint8_t { kHash, kSet };

struct PackedEntry {
  std::string_view name;     // the field or member
  int64_t deadline_ms = 0;   // of a field alone; 0: none
  std::string_view value{};  // of a field
  // Where it stands, in bytes from the first entry on; of an entry that was read.
  size_t begin = 0;
  size_t end = 0;

  bool is_due(int64_t now_ms) const { return deadline_ms != 0 && deadline_ms <= now_ms; }
};

// Goes over entries. Views of what it gives are into the bytes it was made of.
class PackedEntries {
 public:
  PackedEntries(HashedKind kind, std::string_view bytes) : kind_(kind), bytes_(bytes) {}
  bool next(PackedEntry& entry);  // false: there are no more

 private:
  HashedKind kind_;
  std::string_view bytes_;
  size_t at_ = 0;
};

namespace packing {

// False: no entry has that name.
bool find(HashedKind kind, std::string_view bytes, std::string_view name, PackedEntry& entry);
// What an entry takes.
size_t entry_bytes(HashedKind kind, const PackedEntry& entry);
void append(std::string& bytes, HashedKind kind, const PackedEntry& entry);
// In place of what `bytes` holds in [begin, end); nothing of `entry` may lie in `bytes`.
void replace(
    std::string& bytes, size_t begin, size_t end, HashedKind kind, const PackedEntry& entry);
// What fields of a hash have for deadlines.
struct Deadlines {
  uint64_t due = 0;      // fields whose deadline is not after that time
  uint64_t left = 0;     // others that have one
  int64_t first_ms = 0;  // the earliest of those; 0: none
};
Deadlines deadlines(std::string_view bytes, int64_t now_ms);
// Fields of a hash that are due at that time go.
void drop_due(std::string& bytes, int64_t now_ms);
// Where a set of ascending integers takes one that it does not hold.
size_t place_of_integer(std::string_view bytes, int64_t integer);

}  // namespace packing
}  // namespace kiwi::resp
