// Strings. At most Shape::chunk_bytes stand in the key's record. A longer one is spread: it lies in
// chunks of that size, one record each, and the key's record holds its length. A chunk that was
// never written to has no record; what is missing is zeros. So a change costs the chunks that it
// means, and a bit far behind the end costs one. A string is cut into chunks by growth and put
// together only by being set anew. Within a version no chunk is ever removed.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/handle.hpp"
#include "resp/types/string_chunks.hpp"

namespace kiwi::resp {

class String : public Handle {
 public:
  static constexpr rocks::Type kType = rocks::Type::kString;
  using Handle::Handle;
  // For Handles.
  void stand_for(const Key& key);
  void give_back() {
    give_back_if_big(built_);
    give_back_if_big(chunk_);
  }

  // What a key holds becomes a string, whatever it was. expire_at_ms: 0 = never. `edited`: Redis
  // would keep its bytes apart (Metadata::converted).
  static void assign(Database& database,
                     Key& key,
                     std::string_view bytes,
                     int64_t expire_at_ms,
                     bool edited = false);

  uint64_t size() const { return spread() ? key_.meta.size : bytes().size(); }
  bool spread() const { return (key_.live || fresh_) && key_.meta.spread; }
  // All of one that is not spread; of a missing key: none.
  std::string_view bytes() const {
    CHECK_INVARIANT(!spread());
    return changed_ ? std::string_view(built_) : exists() ? key_.meta.value : std::string_view();
  }
  // All of it: a view of bytes() or of `space`. Not of a spread one with unsaved changes, as
  // walk().
  std::string_view gather(std::string& space) const;
  // Bytes from `offset` on; behind the end there are zeros.
  void read(uint64_t offset, std::span<uint8_t> into) const;
  template <class Visit>  // as of StringChunks
  void walk(uint64_t from, uint64_t to, Visit visit) const;

  // A key that is there keeps its deadline. The caller sees to the longest size.
  void replace(std::string_view bytes, bool edited = false);
  void append(std::string_view bytes);
  // From `offset` on; what lies between the end and there becomes zeros.
  void overwrite(uint64_t offset, std::string_view bytes);
  void extend(uint64_t size);  // by zeros, unless it is as long
  // Writes the key's record if anything changed. An empty string is a value.
  void save();

 private:
  static constexpr uint64_t kNoChunk = std::numeric_limits<uint64_t>::max();

  static void assign_spread(
      Database& database, Key& key, std::string_view bytes, int64_t expire_at_ms, bool edited);
  uint64_t chunk_bytes() const { return database().shape().chunk_bytes; }
  void build();  // built_ becomes what bytes() are
  void begin_spread();
  void put_chunk();
  // The part of a chunk from `begin` on.
  void edit_chunk(uint64_t index, uint64_t begin, std::string_view bytes);

  std::string built_;    // a buffer
  bool edited_ = false;  // of what changed: Redis would keep its bytes apart (Metadata::converted)
  // The chunk that was changed last: it is written when another one is, or by save().
  std::string chunk_;
  uint64_t chunk_at_ = kNoChunk;
};

template <class Visit>
void String::walk(uint64_t from, uint64_t to, Visit visit) const {
  if (spread()) {
    CHECK_INVARIANT(!changed_);
    return StringChunks(database(), key_).walk(from, to, visit);
  }
  if (from < to) {
    visit(StringPiece{from, to - from, bytes().substr(from, to - from)});
  }
}

}  // namespace kiwi::resp
