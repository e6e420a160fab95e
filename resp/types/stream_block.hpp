// ON DISK. The blocks of streams, parsed where they lie: up to a hundred entries in the order of
// their ids. A block begins and ends where a node of Redis' radix tree does with its default
// options, so that trimming "about" so much takes what Redis would take: it counts what was deleted
// from it, and how many bytes Redis' listpack would have. Frozen by golden bytes in tests/types/.
//
//   block   varint live entries, varint deleted ones, varint bytes of the listpack without its
//   frame
//           and these two counts; varint ms and zigzag varint sequence of the last entry that was
//           ever in it, less the first one's; varint names, each of them sized; entries
//   entry   u8 flags (1: it has the block's names), varint ms and zigzag varint sequence less the
//           block's first id, [varint names,] for each field [sized name,] sized value
//
// The first id is the block's key (tree_entry.hpp), and stays that when its entry is deleted. What
// is deleted leaves no bytes here. What does not parse is damage, which stops the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "resp/types/tree_entry.hpp"

namespace kiwi::resp {

using rocks::StreamId;

// As Redis has them by default. Part of the format: options change nothing.
inline constexpr uint64_t kBlockEntries = 100;
inline constexpr uint64_t kBlockBytes = 4096;

// Name, value, name, value ...
using StreamFields = std::span<const std::string_view>;

// One entry of a block, its bytes valid as long as the block's.
struct StreamEntry {
  StreamId id;
  uint64_t fields = 0;
  bool own_names = false;   // else they are the block's
  std::string_view names;   // of the block
  std::string_view values;  // with the names in between if they are its own
  std::string_view bytes;   // all of it

  template <class Visit>  // visit(name, value)
  void each(Visit visit) const;
};

struct StreamBlock {
  StreamId first;
  uint64_t live = 0;
  uint64_t deleted = 0;
  uint64_t bytes = 0;
  StreamId last;
  uint64_t fields = 0;
  std::string_view names;    // sized each
  std::string_view entries;  // the live ones

  // Of the listpack that Redis would have.
  uint64_t node_bytes() const;
  // Redis would put an entry of so many bytes of names and values into it, too.
  bool takes(size_t element_bytes) const {
    return node_bytes() + element_bytes < kBlockBytes && live + deleted < kBlockEntries;
  }
};

StreamBlock block_of(const LeafEntry& entry);
// Appends the leaf's entry; `more` follows the block's entries.
void encode_block(std::string& out, const StreamBlock& block, std::string_view more = {});

// A block that has no entry yet. `names` takes the bytes of its names; every second of `fields` is
// one.
StreamBlock new_block(const StreamId& first, StreamFields fields, std::string& names);
// The bytes of an entry go behind `out`, and the block counts it. The id is above all that are in
// it.
void add_entry(std::string& out, StreamBlock& block, const StreamId& id, StreamFields fields);

// How many bytes an element takes in a listpack.
uint64_t listpack_bytes(int64_t number);
uint64_t listpack_bytes(std::string_view text);

StreamEntry stream_entry(const StreamBlock& block, std::string_view at);
template <class Visit>  // visit(const StreamEntry&) -> bool: go on?
void each_entry(const StreamBlock& block, Visit visit) {
  for (std::string_view at = block.entries; !at.empty();) {
    const StreamEntry entry = stream_entry(block, at);
    at.remove_prefix(entry.bytes.size());
    if (!visit(entry)) {
      return;
    }
  }
}

namespace entry_detail {

inline std::string_view sized(std::string_view& at) {
  const char* next = at.data();
  const char* const end = next + at.size();
  const uint64_t size = varint(next, end);
  const std::string_view taken = bytes(next, end, size);
  at.remove_prefix(static_cast<size_t>(next - at.data()));
  return taken;
}

}  // namespace entry_detail

template <class Visit>
void StreamEntry::each(Visit visit) const {
  std::string_view name_at = names;
  std::string_view at = values;
  for (uint64_t i = 0; i < fields; ++i) {
    const std::string_view name = entry_detail::sized(own_names ? at : name_at);
    visit(name, entry_detail::sized(at));
  }
}

}  // namespace kiwi::resp
