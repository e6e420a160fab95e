// Cuts a node that became too large into pieces. Free of records and pages: bytes in, the ends of
// the pieces out. Owned by Tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/shape.hpp"
#include "resp/types/tree_entry.hpp"

namespace kiwi::resp {

class TreeCut {
 public:
  // Where new entries came: what decides how the node is cut.
  enum class Side : uint8_t { kLeft, kMiddle, kRight };

  TreeCut(LeafKind kind, const Shape& shape) : kind_(kind), shape_(shape) {}

  std::string& whole() { return whole_; }  // the entries, to be written by the owner
  // Divides whole() if it is larger than `most`: ends() of the pieces, which obey the node limit.
  void divide(unsigned level, size_t most, Side side);
  const std::vector<size_t>& ends() const { return ends_; }
  // Of the piece that begins there, which is not the first.
  std::string_view separator_at(size_t begin, unsigned level) const;
  void give_back();  // buffers that a command made big

 private:
  void find_starts(unsigned level);
  void halve(size_t first, size_t last, size_t limit, size_t least);
  void fill_from_left(size_t limit, size_t least);
  void fill_from_right(size_t limit, size_t least);

  const LeafKind kind_;
  const Shape shape_;
  // Buffers, reused.
  std::string whole_;
  std::vector<size_t> starts_;  // of its entries, and its end
  std::vector<size_t> ends_;    // of the pieces
};

}  // namespace kiwi::resp
