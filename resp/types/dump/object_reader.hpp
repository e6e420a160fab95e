// A value as RDB writes it (type byte and body), read element by element: what DUMP, RESTORE,
// MIGRATE and RDB files share. Takes every encoding of Redis 1 to 7.4; values of modules are
// refused. Streams: stream_reader.hpp. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/types/dump/rdb_reader.hpp"
#include "resp/types/dump/stream_reader.hpp"

namespace kiwi::resp::dump {

enum class ObjectKind : uint8_t { kString, kList, kSet, kSortedSet, kHash, kStream };

// What type byte stands for; nothing if it is unknown or not read here.
std::optional<ObjectKind> kind_of(uint8_t type);

// False from any of them: the element does not fit (it came twice, its score is no number), and
// reading fails. Bytes are valid during the call.
class ObjectVisitor {
 public:
  virtual ~ObjectVisitor() = default;
  virtual bool on_string(std::string_view value) = 0;
  virtual bool on_list_element(std::string_view element) = 0;
  virtual bool on_set_member(std::string_view member) = 0;
  virtual bool on_sorted_set_member(std::string_view member, double score) = 0;
  // deadline_ms: of this field alone, since 1970; none: the field does not expire.
  virtual bool on_hash_field(std::string_view field,
                             std::string_view value,
                             std::optional<int64_t> deadline_ms) = 0;
  // Of the parts of a stream.
  virtual StreamVisitor& stream() = 0;
};

enum class ReadOutcome : uint8_t {
  kWhole,
  kEmpty,  // whole, a collection without elements: no key may hold one, but for streams, and old
           // files of Redis do
  kBad,    // no such value, or the visitor did not want an element; what it saw counts for nothing
};
// Reads one body of that type off the front.
ReadOutcome read_object(uint8_t type, RdbReader& in, ObjectVisitor& visitor);

}  // namespace kiwi::resp::dump
