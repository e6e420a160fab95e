// A string as it lies in records, for reading: whole in its key's record, or in chunks with
// numbers, of which any may be missing (shape.hpp). What is missing is zeros.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/check.hpp"
#include "resp/types/database.hpp"

namespace kiwi::resp {

// Bytes that follow each other, or zeros that need no memory.
struct StringPiece {
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string_view bytes;  // `size` of them, or none: zeros
};

class StringChunks {
 public:
  // Of a key that holds a string; one that is not live holds the empty one.
  StringChunks(Database& database, const Key& key)
      : database_(database),
        key_(key),
        chunk_bytes_(database.shape().chunk_bytes),
        size_(key.live ? key.meta.string_bytes() : 0) {}

  uint64_t size() const { return size_; }
  bool spread() const { return key_.live && key_.meta.spread; }

  // visit(piece) for all pieces of [from, to), in order; false: no more are wanted. Requires to <=
  // size(). Bytes are valid until the visit ends, and nothing may be written meanwhile.
  template <class Visit>
  void walk(uint64_t from, uint64_t to, Visit visit) const;

  // All of it: a view of the key's record, or of `space`.
  std::string_view gather(std::string& space) const;

  // What a chunk has in records may be shorter than it is.
  template <class Visit>
  static bool visit_chunk(
      uint64_t offset, uint64_t size, uint64_t skip, std::string_view stored, Visit& visit);

 private:
  // A cursor costs as much as some tens of point reads, but it passes what is missing.
  static constexpr uint64_t kPointReads = 32;

  template <class Visit>
  void walk_by_cursor(uint64_t from, uint64_t to, Visit& visit) const;

  Database& database_;
  const Key& key_;
  const uint64_t chunk_bytes_;
  const uint64_t size_;
};

inline std::string_view StringChunks::gather(std::string& space) const {
  if (!spread()) {
    return key_.live ? key_.meta.value : std::string_view();
  }
  space.clear();
  space.reserve(size_);
  walk(0, size_, [&](const StringPiece& piece) {
    space.append(piece.bytes);
    space.resize(piece.offset + piece.size, '\0');
    return true;
  });
  return space;
}

// `size` bytes of a chunk from `skip` on, which stand at `offset` of the string.
template <class Visit>
bool StringChunks::visit_chunk(
    uint64_t offset, uint64_t size, uint64_t skip, std::string_view stored, Visit& visit) {
  const std::string_view bytes =
      stored.substr(std::min<uint64_t>(skip, stored.size())).substr(0, size);
  if (!bytes.empty() && !visit(StringPiece{offset, bytes.size(), bytes})) {
    return false;
  }
  const uint64_t zeros = size - bytes.size();
  return zeros == 0 || visit(StringPiece{offset + bytes.size(), zeros, {}});
}

template <class Visit>
void StringChunks::walk(uint64_t from, uint64_t to, Visit visit) const {
  if (from >= to) {
    return;
  }
  CHECK_INVARIANT(to <= size_);
  if (!spread()) {
    visit(StringPiece{from, to - from, key_.meta.value.substr(from, to - from)});
    return;
  }
  const uint64_t first = from / chunk_bytes_;
  if ((to - 1) / chunk_bytes_ - first >= kPointReads) {
    return walk_by_cursor(from, to, visit);
  }
  for (uint64_t at = from; at < to;) {
    const uint64_t index = at / chunk_bytes_;
    const uint64_t skip = at % chunk_bytes_;
    const uint64_t size = std::min(to - at, chunk_bytes_ - skip);
    const std::string_view stored =
        database_.elements().chunk(key_.collection(), static_cast<uint32_t>(index));
    if (!visit_chunk(at, size, skip, stored, visit)) {
      return;
    }
    at += size;
  }
}

template <class Visit>
void StringChunks::walk_by_cursor(uint64_t from, uint64_t to, Visit& visit) const {
  uint64_t at = from;
  auto cursor = database_.elements().chunk_cursor(key_.collection(),
                                                  static_cast<uint32_t>(from / chunk_bytes_));
  for (; at < to && cursor->valid(); cursor->next()) {
    database_.step();
    const uint64_t begin = rocks::keys::chunk_index(cursor->key()) * chunk_bytes_;
    if (begin >= to) {
      break;
    }
    if (begin > at) {
      if (!visit(StringPiece{at, begin - at, {}})) {
        return;
      }
      at = begin;
    }
    const uint64_t size = std::min(to, begin + chunk_bytes_) - at;
    if (!visit_chunk(at, size, at - begin, Elements::chunk_bytes(cursor->value()), visit)) {
      return;
    }
    at += size;
  }
  if (at < to) {
    visit(StringPiece{at, to - at, {}});
  }
}

}  // namespace kiwi::resp
